"""The words of a grant, and what Elasticsearch and Kibana call them."""
