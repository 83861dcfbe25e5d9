"""Statuses and events, computed from facts."""
