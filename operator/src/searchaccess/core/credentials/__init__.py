"""API keys and users: what there is, and the next step."""
