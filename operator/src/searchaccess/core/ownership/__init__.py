"""Whose objects and rights in Elasticsearch are that nobody declares: released, adopted, taken over, or of others."""
