"""ValidatingAdmissionPolicies: what CEL can express of SearchAccessPolicies."""
