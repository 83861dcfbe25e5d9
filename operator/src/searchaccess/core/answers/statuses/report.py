"""The state of one SearchAccess, as plain data of a documented shape (docs/status.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.conditions.docs import NEXT_STEPS
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus, condition_of
from searchaccess.api.times.moments import moment
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.timeboxes.timebox import shown_time

Report = dict[str, Any]
_SHOWN_ELSEWHERE: Final = frozenset(
    {
        ConditionType.READY,
        ConditionType.RECONCILING,
        ConditionType.STALLED,
        ConditionType.DRIFTED,
        ConditionType.EXCLUSIVE,
        ConditionType.CREDENTIAL_READY,
    }
)


def report_of(access: Access, raw: Mapping[str, Any], used_until: str | None = None) -> Report:
    """Return the state of a SearchAccess: what it declares, and what its status says of each part.

    Args:
        access: as the operator reads it.
        raw: the same object with its status, as the API server has it.
        used_until: until when uses are known, as the status of its SearchCluster says; None: not known.

    Returns:
        Plain data. A part that is not declared, or of which nothing is known, is None.
    """
    status = SearchAccessStatus.read(raw.get("status"))
    ready = condition_of(status, ConditionType.READY)
    reason = ready.reason if ready else ""
    ends = ends_of(access, status)
    return {
        "namespace": access.namespace,
        "name": access.name,
        "cluster": access.cluster,
        "subject": status.subject or str(access.subject or ""),
        "access": status.access or access.summary,
        "mode": "Suspended" if access.suspend else str(access.mode),
        "ready": ready.status if ready else "Unknown",
        "reason": reason,
        "message": ready.message if ready else "the operator has not reported on it yet",
        "nextStep": NEXT_STEPS.get(reason),
        "since": ready.last_transition_time if ready else None,
        "current": status.observed_generation == access.generation,
        "deletedAt": access.deleted_at or None,
        "ends": None if ends is None else shown_time(ends),
        "identity": _plain(status.identity),
        "role": _plain(status.elasticsearch),
        "entries": [_entry(entry) for entry in access.share.entries],
        "clusterCan": list(access.share.cluster),
        "auth": str(access.auth),
        "credential": _with_condition(_plain(status.credential), status, ConditionType.CREDENTIAL_READY),
        "drift": _with_condition(_plain(status.drift), status, ConditionType.DRIFTED),
        "policies": [] if status.effective_policy is None else [_plain(policy) for policy in status.effective_policy],
        "exclusive": _with_condition(_plain(status.exclusive), status, ConditionType.EXCLUSIVE),
        "limits": _plain(status.limits),
        "validity": _plain(status.validity),
        "usage": usage_in(status, used_until),
        "conditions": [_plain(item) for item in status.conditions if item.type not in _SHOWN_ELSEWHERE],
        "lastSync": status.last_sync_time,
    }


def usage_in(status: SearchAccessStatus, used_until: str | None) -> Report | None:
    """Return when the caller of a SearchAccess was last allowed a request; None: its SearchCluster does not tell.

    Args:
        status: of the SearchAccess.
        used_until: until when uses are known; None: not known.
    """
    usage = _plain(status.usage)
    return None if usage is None else {**usage, "knownUntil": used_until}


@dataclass(frozen=True, slots=True)
class Use:
    """How somebody uses what SearchAccesses give.

    Args:
        usage: when a request was last allowed, see ``usage_in``; None: it is not known.
        revisions: names of the Cloud Run revisions that serve, as far as Google says.
    """

    usage: Report | None
    revisions: tuple[str, ...]


def use_of(accesses: Iterable[Mapping[str, Any]], used_until: str | None) -> Use:
    """Return how one caller uses what its SearchAccesses give.

    Args:
        accesses: the SearchAccesses with their statuses, as the API server has them.
        used_until: until when uses are known; None: not known.
    """
    # The other parts may be large, and there may be thousands.
    parts = [{name: part(raw, "status").get(name) for name in ("usage", "identity")} for raw in accesses]
    statuses = [SearchAccessStatus.read(each) for each in parts]
    # SearchAccesses of one principal have the same use, but those that are new do not have it yet.
    known = [usage for status in statuses if (usage := usage_in(status, used_until))]
    serving = [each for status in statuses if status.identity for each in status.identity.revisions or ()]
    usage = max(known, key=lambda usage: (usage.get("lastUsed", ""), usage["since"]), default=None)
    return Use(usage, tuple(dict.fromkeys(each.name for each in serving)))


def ends_of(access: Access, status: SearchAccessStatus) -> int | None:
    """Return when the rights end for good, in seconds since the epoch; None: they do not, as far as is known.

    The end of a window of a schedule is none: another one follows.

    Args:
        access: as the operator reads it, with its approvals.
        status: which says more if approvals may not be read.
    """
    ends = access.bounded_box.ends
    if ends is not None or access.time_box.schedule is not None or status.validity is None:
        return ends
    change = moment(status.validity.next_change or "")
    return int(change) if change is not None and status.validity.state == "Active" else None


def _plain(model: Any) -> dict[str, Any] | None:
    """Return a part of a status as JSON has it, without what is absent."""
    return None if model is None else model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _with_condition(part: Report | None, status: SearchAccessStatus, kind: ConditionType) -> Report | None:
    """Return a part of a status with the condition about it; None: there is neither."""
    condition = condition_of(status, kind)
    if condition is None:
        return part
    shown = {"status": condition.status, "reason": condition.reason, "message": condition.message}
    return {**(part or {}), "condition": shown}


def _entry(entry: Entry) -> Report:
    return {
        "indices": list(entry.indices),
        "clusters": list(entry.clusters),
        "application": entry.application or None,
        "privileges": list(entry.privileges),
        "fields": {"grant": list(entry.include), "except": list(entry.exclude)} if entry.hides_fields else None,
        "where": entry.query or None,
    }


def used_until(cluster: Mapping[str, Any]) -> str | None:
    """Return until when the uses of a SearchCluster's SearchAccesses are known, to a day; None: they are not known.

    Args:
        cluster: the SearchCluster, as the API server has it.
    """
    audit = SearchClusterStatus.read(cluster.get("status")).audit
    return audit.observed_until if audit else None
