"""Findings for other systems: OCSF for a SIEM, reports for Kubernetes."""
