"""Whether a SearchAccess has the approvals that policies require."""
