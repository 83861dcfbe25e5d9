"""Parts of a SearchAccess."""
