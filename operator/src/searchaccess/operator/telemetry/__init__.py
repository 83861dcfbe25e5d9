"""Probes, metrics and traces of the process."""
