"""What is asked of Elasticsearch beside the rights: proofs of queries, names of indices, mappings."""
