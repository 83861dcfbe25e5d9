"""Tests of what is decided about a gateway."""
