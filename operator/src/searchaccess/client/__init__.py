"""For workloads, not for the operator: Elasticsearch clients that log in with the workload's Google identity token.

Needs only ``elasticsearch`` and ``google-auth[requests]``, and nothing else of this project.
"""

from searchaccess.client.clients import AsyncElasticsearch, Elasticsearch
from searchaccess.client.tokens import IdentityTokenMissing

__all__ = ["AsyncElasticsearch", "Elasticsearch", "IdentityTokenMissing"]
