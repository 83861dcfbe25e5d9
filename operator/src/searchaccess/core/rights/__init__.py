"""Roles and role mappings: whose they are, what differs, what to change."""
