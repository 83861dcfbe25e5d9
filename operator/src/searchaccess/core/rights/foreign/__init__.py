"""What others in Elasticsearch give a principal, beside what is declared (docs/adr/0052)."""
