"""What SearchAccessPolicies allow."""
