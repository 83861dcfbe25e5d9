"""What counts as ours in Elasticsearch although no SearchAccess declares it."""
