"""Connections of the engine to external systems."""
