"""When a SearchAccess was last used, and how far a cluster's audit events were read for that."""

from typing import Annotated

from searchaccess.api.base import ApiModel, ReadsAs
from searchaccess.api.times.moments import NEVER, DateTime


class UsageStatus(ApiModel):
    """When Elasticsearch last allowed the caller a request."""

    last_used: DateTime | None = None
    """When that was, up to an hour earlier than the very last request. Absent: not since `since`. By principal or
    credential: SearchAccesses of the same principal have the same."""
    observed_at: Annotated[DateTime, ReadsAs(NEVER)]
    """When that was read. It stays while nothing changes; `status.audit` of the SearchCluster says how far events were
    read."""
    since: Annotated[DateTime, ReadsAs(NEVER)]
    """From when on uses are known without a gap. Earlier ones may be missing."""


class AuditStatus(ApiModel):
    """How far audit events were read."""

    index: Annotated[str, ReadsAs("")]
    """The index that was read."""
    observed_until: DateTime
    """Uses until then are known. It is written once a day; the metric
    `searchaccess_usage_observed_timestamp_seconds` is exact."""
