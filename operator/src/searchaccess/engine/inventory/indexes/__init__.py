"""Indexes of SearchAccesses: by principal, by the contested name of a secret, and by subject."""
