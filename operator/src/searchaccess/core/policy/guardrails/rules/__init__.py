"""Compares a SearchAccess with the rules of a SearchAccessPolicy."""
