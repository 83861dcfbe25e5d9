"""Turns rights that Elasticsearch already has into SearchAccesses that grant the same, and says what is left."""
