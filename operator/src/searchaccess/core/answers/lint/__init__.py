"""Finds what is wrong or questionable in manifests, before they are applied."""
