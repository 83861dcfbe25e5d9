"""Which replica may write to which SearchCluster."""
