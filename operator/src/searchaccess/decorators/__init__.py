"""Ports that wrap another one: measured, paced, or a dry run."""
