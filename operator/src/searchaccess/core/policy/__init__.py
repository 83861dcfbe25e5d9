"""What may be done about a SearchAccess now."""
