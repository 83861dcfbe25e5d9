"""Whose objects and rights are that nobody declares: released, adopted, or of others."""
