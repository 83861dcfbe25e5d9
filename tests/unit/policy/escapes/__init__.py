"""What tenants try in order to get past policies."""
