"""Asks the operator for something, and shows what becomes of it."""
