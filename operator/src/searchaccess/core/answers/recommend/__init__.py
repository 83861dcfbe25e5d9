"""The least privilege that what was used needs."""
