"""When each SearchAccess was last used, from Elasticsearch's audit events."""
