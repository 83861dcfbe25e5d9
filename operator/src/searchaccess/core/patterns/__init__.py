"""Index patterns: one parsed form, and what follows from it."""
