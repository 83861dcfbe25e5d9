"""Ownership of undeclared objects and rights in Elasticsearch: released, adopted, taken over, or foreign."""
