"""API keys and users of one SearchCluster: observe, decide, one step at a time."""
