"""How a SearchAccess names remote clusters, whose indices a caller may search through its own cluster."""

from typing import Annotated

from pydantic import Field

from searchaccess.api.base import cel, matches, rules

CLUSTER_PATTERN = r"^([A-Za-z0-9_][A-Za-z0-9_-]*[*]?|[*])$"
"""The name of a remote cluster, as in the settings ``cluster.remote.<name>``, a prefix with ``*``, or ``*`` alone.

Other patterns would not be more useful, and could make a role that Elasticsearch cannot evaluate.
"""

RemoteCluster = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        json_schema_extra=rules(
            cel(
                matches(CLUSTER_PATTERN),
                "write the name of a remote cluster as GET _remote/info shows it, such as eu, a prefix such as eu-*, "
                "or * for every remote cluster",
            )
        ),
    ),
]
"""The name of a remote cluster, or a prefix."""

ONLY_READING = (
    "remote clusters can only be read: with remoteClusters use can: [read], without privileges; to write there, "
    "declare access to that cluster"
)
