"""The gateway: its limits and the parts of the API."""
