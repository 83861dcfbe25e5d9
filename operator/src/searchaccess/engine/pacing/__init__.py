"""When something is tried again, and whose turn it is."""
