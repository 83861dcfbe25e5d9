"""Prints objects and settings that people apply elsewhere."""
