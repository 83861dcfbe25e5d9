"""Publishes statuses, events and finalizers."""
