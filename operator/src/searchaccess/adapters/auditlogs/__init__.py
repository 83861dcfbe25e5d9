"""Reads logs of requests from where they are kept."""
