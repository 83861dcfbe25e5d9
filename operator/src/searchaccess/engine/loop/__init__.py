"""The loop of one SearchCluster."""
