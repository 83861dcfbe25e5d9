"""What many policies say at once: which of them accept a SearchAccess for certain."""
