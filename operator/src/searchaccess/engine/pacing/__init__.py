"""When something is tried again, how often, and in which order."""
