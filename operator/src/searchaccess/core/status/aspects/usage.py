"""Reports when a SearchAccess was last used, and whether the audit events of a SearchCluster can be read."""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.accesses.usagestatus import AuditStatus, UsageStatus
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Identity, SearchAccessStatus
from searchaccess.api.times.moments import moment
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.status.conditions import TRUE, Conditions, shorten_message

REWRITE: Final = 86400.0
"""Seconds after which the status of a SearchCluster says anew until when uses are known."""


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What is known about the audit events of a SearchCluster.

    Attributes:
        index: the index that is read.
        until: until when uses are known, in seconds since the epoch; None: nothing was read in this run yet.
        trouble: why they cannot be read; empty: they can. None: not known yet.
    """

    index: str = ""
    until: float | None = None
    trouble: str | None = None


def kept_usage(
    previous: SearchAccessStatus, identity: Identity | None, cluster_uuid: str, subject: str = ""
) -> UsageStatus | None:
    """Return what a status goes on saying about the last use; None: nothing, as that was of another caller.

    Args:
        previous: the status as it is in Kubernetes.
        identity: who the caller is now.
        cluster_uuid: the Elasticsearch cluster; empty: not known.
        subject: its short form; empty: not known.
    """
    if previous.usage is None:
        return None
    if identity is None and subject and previous.subject not in {None, subject}:
        return None
    before, now = previous.identity and previous.identity.principal, identity and identity.principal
    had = previous.elasticsearch.cluster_uuid if previous.elasticsearch else ""
    moved = bool(had and cluster_uuid and had != cluster_uuid)
    return None if moved or (before and now and before != now) else previous.usage


def build_audit(facts: AuditFacts | None, previous: AuditStatus | None) -> AuditStatus | None:
    """Return how far events were read; written once a day only. None: none are declared.

    Args:
        facts: what is known; None: no events are declared.
        previous: what the status says.
    """
    if facts is None:
        return None
    same = previous if previous and previous.index == facts.index else None
    if facts.until is None:
        return same
    known = moment(same.observed_until) if same else None
    if same and known is not None and facts.until < known + REWRITE:
        return same
    return AuditStatus(index=facts.index, observed_until=shown_time(int(facts.until)))


def mark_audit(conditions: Conditions, facts: AuditFacts | None) -> None:
    """Set the condition that says that the events cannot be read; absent if they can, or none are declared."""
    if facts is None or facts.trouble == "":
        return
    if facts.trouble is None:
        conditions.keep(ConditionType.USAGE_UNKNOWN)
        return
    text = f"status.usage of SearchAccesses keeps earlier values: {facts.trouble}"
    conditions.mark(ConditionType.USAGE_UNKNOWN, TRUE, Reason.AUDIT_NOT_READABLE, shorten_message(text))
