"""Clients of what is outside: Elasticsearch, Kubernetes."""
