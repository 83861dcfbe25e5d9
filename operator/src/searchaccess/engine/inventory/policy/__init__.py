"""What SearchAccessPolicies and SearchClusters allow, as last observed."""
