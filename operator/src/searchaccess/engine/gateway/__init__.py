"""Gateways: their configuration, their login, what their pods have loaded, and tests from outside."""
