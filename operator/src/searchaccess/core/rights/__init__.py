"""Roles and role mappings: ownership, differences and changes."""
