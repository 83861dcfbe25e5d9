"""Elasticsearch clusters: how they are reached, and what their state allows."""
