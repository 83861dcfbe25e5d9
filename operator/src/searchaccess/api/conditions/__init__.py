"""Conditions, their reasons, and what each means for people."""
