"""SearchAccess: which Cloud Run service may do what on which Elasticsearch indices, kept true."""

__version__ = "0.1.0"
