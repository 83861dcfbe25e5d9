"""Where declared objects come from: events of the API server, and files."""
