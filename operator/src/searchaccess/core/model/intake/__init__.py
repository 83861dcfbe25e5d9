"""Reads what comes from outside, within bounds."""
