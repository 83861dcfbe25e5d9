"""Shows the audit report."""
