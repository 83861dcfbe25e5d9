"""Checks in the background: proofs of queries, patterns without indices, fields that mappings copy."""
