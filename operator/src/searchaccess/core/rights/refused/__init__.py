"""Whose rights are refused for what the others of the principal have."""
