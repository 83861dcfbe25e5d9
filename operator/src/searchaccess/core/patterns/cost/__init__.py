"""What index patterns cost Elasticsearch together."""
