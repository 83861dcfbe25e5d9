"""Refuses rights of a SearchAccess because of other SearchAccesses of the same principal."""
