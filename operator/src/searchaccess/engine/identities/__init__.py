"""The service accounts behind subjects."""
