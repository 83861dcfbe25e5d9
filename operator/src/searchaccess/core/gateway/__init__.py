"""The identity-aware gateway: its settings, its configuration, and what its pods run."""
