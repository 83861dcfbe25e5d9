"""The service accounts of subjects."""
