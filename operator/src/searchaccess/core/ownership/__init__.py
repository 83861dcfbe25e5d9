"""Whose objects in Elasticsearch are, beyond our own: what may be adopted, taken over, and what is told of others."""
