"""How a SearchAccess names remote clusters, whose indices a caller may search through its own cluster."""

from typing import Annotated

from pydantic import Field

from searchaccess.api.base import cel, matches, rules

CLUSTER_PATTERN = r"^([A-Za-z0-9_][A-Za-z0-9_-]*[*]?|[*])$"
"""A name of a remote cluster, as the settings ``cluster.remote.<name>`` take it, the beginning of one, or all of them.

More of a pattern than that would say nothing more, and could make a role that Elasticsearch cannot evaluate.
"""

RemoteCluster = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        json_schema_extra=rules(
            cel(
                matches(CLUSTER_PATTERN),
                "write the name of a remote cluster as GET _remote/info has it, such as eu, the beginning of one such "
                "as eu-*, or * for each",
            )
        ),
    ),
]
"""A name of a remote cluster, or the beginning of one."""

ONLY_READING = (
    "on remote clusters one can only read: with remoteClusters write can: [read], without privileges; who writes there "
    "needs an access to that cluster"
)
