"""Aspects of a SearchAccess: each marks its conditions in the status."""
