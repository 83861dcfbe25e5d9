"""Who may do what on an index in Elasticsearch, and by which chain (docs/adr/0063)."""
