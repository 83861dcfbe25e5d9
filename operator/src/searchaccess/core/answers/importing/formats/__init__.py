"""Reads what other tools declare about rights in Elasticsearch and OpenSearch, from parsed files."""
