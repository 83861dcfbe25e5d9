"""Reads what findings are about, and shows them to people and code scanning."""
