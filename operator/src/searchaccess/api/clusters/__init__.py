"""Parts of a SearchCluster."""
