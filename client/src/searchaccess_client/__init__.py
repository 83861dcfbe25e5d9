"""Elasticsearch clients for workloads, which log in with the workload's Google identity token."""

from searchaccess_client.clients import AsyncElasticsearch, Elasticsearch
from searchaccess_client.tokens import IdentityTokenMissing

__all__ = ["AsyncElasticsearch", "Elasticsearch", "IdentityTokenMissing"]
__version__ = "0.1.0"
