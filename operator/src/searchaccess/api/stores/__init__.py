"""Stored credentials and secret stores, as the kinds declare them."""
