"""Kubernetes, by its official client."""
