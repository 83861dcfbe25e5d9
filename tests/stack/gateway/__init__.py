"""The gateway in front of Elasticsearch: Envoy, who publishes keys, and an upstream that records what arrives."""
