"""Roles and role mappings of one SearchCluster: observe, plan, apply."""
