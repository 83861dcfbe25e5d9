"""Connects the engine to what it needs from outside."""
