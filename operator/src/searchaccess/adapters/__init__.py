"""Clients of outside systems: Elasticsearch, Kubernetes, Google Cloud, Vault."""
