"""Elasticsearch, by its official client."""
