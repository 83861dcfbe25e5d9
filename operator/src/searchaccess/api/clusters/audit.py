"""Where Elasticsearch's audit events are, for the last use of each SearchAccess."""

from typing import Annotated, Final

from pydantic import Field

from searchaccess.api.base import ApiModel, cel, matches, rules
from searchaccess.api.times.durations import Duration, between

INDEX_PATTERN: Final = r"^([a-z0-9]|\.[a-z0-9_*-])[a-z0-9._*-]*$"
"""A name or a pattern of an index or data stream: of this cluster, not hidden behind a list or a date. ``..`` is a step
in a path, which leads to all indices."""


class Audit(ApiModel):
    """The index with Elasticsearch's audit events, in the same Elasticsearch."""

    index: Annotated[
        str,
        Field(
            min_length=1,
            max_length=255,
            pattern=INDEX_PATTERN,
            json_schema_extra=rules(
                cel(
                    matches(INDEX_PATTERN),
                    "write one index, data stream or pattern of this cluster, such as logs-elasticsearch.audit-*",
                )
            ),
        ),
    ]
    """Index, data stream or pattern with the events, such as `logs-elasticsearch.audit-*` (Elastic Agent) or
    `filebeat-*`. Events may have the names of Filebeat's module `elasticsearch`, or those of Elasticsearch's own log.
    The operator's login needs `read` on it."""

    every: Annotated[Duration, Field(json_schema_extra=between("10m", "24h", "1h"))] = "1h"
    """How often to read it, with one aggregated query for all SearchAccesses. `status.usage` changes at most once in
    this time."""
