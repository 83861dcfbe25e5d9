"""Findings in the statuses of SearchAccesses and SearchClusters, and what these statuses leave open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.meaning import ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.searchaccess import Mode
from searchaccess.api.status import (
    POLICIES_LIMIT,
    Condition,
    Drift,
    SearchAccessStatus,
    SearchClusterStatus,
    condition_of,
)
from searchaccess.core.answers.findings.kinds import KINDS, Kind, Source
from searchaccess.core.answers.findings.model import About, Finding
from searchaccess.core.model.intake.metadata import metadata_of, part
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.rights.foreign.exclusive import UNSEEN
from searchaccess.core.status.differences import describe_differences

_BY_REASON: Final[Mapping[str, Kind]] = {
    Reason.SHADOWED: Kind.SHADOWED,
    Reason.BROADER_THAN_DECLARED: Kind.BROADER,
    Reason.ROLE_GIVEN_TO_OTHERS: Kind.TO_OTHERS,
    Reason.WIDENED_BY: Kind.WIDENED,
    Reason.CANNOT_BE_SEEN: Kind.UNSEEN,
}
_FROM_OTHERS: Final = frozenset({Kind.BROADER, Kind.TO_OTHERS, Kind.WIDENED, Kind.MORE_SOURCES})
_DOCS: Final[Mapping[str, ReasonDoc]] = dict(REASON_DOCS.items())
_BY_OUTCOME: Final[Mapping[str, Kind]] = {
    Outcome.DENIED: Kind.POLICY_VIOLATION,
    Outcome.WOULD_DENY: Kind.POLICY_WOULD_DENY,
    Outcome.PENDING_APPROVAL: Kind.APPROVAL_MISSING,
}
_SAID_OTHERWISE: Final = frozenset(
    {Reason.POLICY_VIOLATION, Reason.PENDING_APPROVAL, Reason.EXPIRED, Reason.SUSPENDED, Reason.DRIFT_DETECTED}
)
"""Reasons of Ready for which there are findings of other kinds."""
_NOT_OURS: Final = frozenset({Reason.OWNERSHIP_CONFLICT, Reason.CONTROLLERS_FIGHT})
"""Something else writes what the operator should."""
_ACCEPTING: Final = {
    ConditionType.REALM_PROVEN: Reason.REALM_ACCEPTS_OTHERS,
    ConditionType.GATEWAY_VERIFIED: Reason.GATEWAY_ACCEPTS_OTHERS,
    ConditionType.RUN_AS_ENABLED: Reason.RUN_AS_TOO_WIDE,
}
_OF_CLUSTERS: Final = {
    ConditionType.OTHERS_UNSEEN: Kind.OTHERS_UNSEEN,
    ConditionType.DELEGATION_OPEN: Kind.DELEGATION_OPEN,
}
_WARNINGS: Final = {
    ConditionType.BREAK_GLASS: Kind.BREAK_GLASS,
    ConditionType.HELD: Kind.HELD,
    ConditionType.BYPASSABLE: Kind.BYPASSABLE,
}
_ALL: Final = frozenset(kind for kind, doc in KINDS.items() if doc.source is Source.STATUS) - {Kind.NOT_REPORTED}
_OF_CONNECTIONS: Final = frozenset({Kind.EXPOSED, Kind.ACCEPTS_OTHERS, Kind.OTHERS_UNSEEN, Kind.DELEGATION_OPEN})


@dataclass(slots=True)
class Seen:
    """What one object says.

    Attributes:
        about: the object.
        findings: what is wrong with it.
        open: kinds of which there may be more, as the status does not say: what is missing need not be fixed.
    """

    about: About
    findings: list[Finding] = field(default_factory=list)
    open: set[Kind] = field(default_factory=set)

    def add(self, kind: Kind, what: Iterable[str], title: str, *evidence: str, since: str = "") -> None:
        """Add a finding; see ``Finding``."""
        quoted = tuple(filter(None, evidence))
        self.findings.append(Finding(kind, self.about, tuple(what), title, quoted, since))

    def add_condition(self, kind: Kind, found: Condition) -> None:
        """Add a finding that a condition says."""
        title = f"{found.reason}: {kind.doc.meaning}"
        self.add(kind, (found.type, found.reason), title, found.message, since=found.last_transition_time)


def of_cluster(raw: Mapping[str, Any]) -> Seen:
    """Return what the status of a SearchCluster says.

    Args:
        raw: as the API server has it.
    """
    status, seen = SearchClusterStatus.read(raw.get("status")), Seen(About("SearchCluster", "", metadata_of(raw).name))
    ready = condition_of(status, ConditionType.READY)
    if ready is None:
        return _unreported(seen)
    if ready.status != "True":
        seen.open |= _OF_CONNECTIONS
        if _needs_somebody(ready.reason) and ready.reason != Reason.IN_USE:
            # Whether it is Unknown or False, nothing is corrected. What it is about may change, the gap does not.
            seen.add(Kind.NOT_PROTECTED, (ready.reason,), f"{ready.reason}: no right is corrected", ready.message)
    _of_drift(seen, status.drift)
    _of_connection(seen, status, ready)
    for kind, finding in _OF_CLUSTERS.items():
        if (found := condition_of(status, kind)) and found.status == "True":
            seen.add_condition(finding, found)
    for each in status.released or ():
        title = f"{each.principal or each.role} keeps {each.rights or 'rights'} of {each.namespace}/{each.name}"
        seen.add(Kind.RELEASED, (each.role, each.namespace, each.name), title, each.rights, since=each.since)
    return seen


def _of_connection(seen: Seen, status: SearchClusterStatus, ready: Condition) -> None:
    private = condition_of(status, ConditionType.PRIVATE)
    if private and private.status == "False" and private.reason != ready.reason:
        seen.add_condition(Kind.EXPOSED, private)
    for kind, reason in _ACCEPTING.items():
        found = condition_of(status, kind)
        if found and found.reason == reason:
            seen.add_condition(Kind.ACCEPTS_OTHERS, found)
        elif found and found.status == "Unknown":
            seen.open.add(Kind.ACCEPTS_OTHERS)


def of_access(raw: Mapping[str, Any], cluster: SearchClusterStatus | None) -> Seen:
    """Return what a SearchAccess and its status say.

    Args:
        raw: as the API server has it.
        cluster: status of its SearchCluster; None: it may not be read, or there is none.
    """
    meta, spec = metadata_of(raw), part(raw, "spec")
    status, seen = SearchAccessStatus.read(raw.get("status")), Seen(About("SearchAccess", meta.namespace, meta.name))
    over = cluster or SearchClusterStatus()
    ready = condition_of(status, ConditionType.READY)
    if ready is None:
        return _unreported(seen)
    if spec.get("suspend") is True:
        seen.add(Kind.SUSPENDED, (), KINDS[Kind.SUSPENDED].meaning)
    elif spec.get("mode") == Mode.OBSERVE:
        seen.add(Kind.ONLY_OBSERVED, (), KINDS[Kind.ONLY_OBSERVED].meaning)
    _of_drift(seen, status.drift)
    _of_others(seen, status, condition_of(over, ConditionType.OTHERS_UNSEEN))
    _of_policies(seen, status)
    _of_validity(seen, status)
    _of_readiness(seen, status, ready, condition_of(over, ConditionType.READY))
    for kind, finding in _WARNINGS.items():
        if (found := condition_of(status, kind)) and found.status == "True":
            seen.add_condition(finding, found)
    return seen


def _unreported(seen: Seen) -> Seen:
    seen.add(Kind.NOT_REPORTED, (), "there is no status: the operator has not reported on it")
    seen.open |= _ALL
    return seen


def _needs_somebody(reason: str) -> bool:
    """Return whether somebody has to act; a newer operator may have reasons that are not known here."""
    known = _DOCS.get(reason)
    return known is None or known.who is not Who.NOBODY


def _of_drift(seen: Seen, drift: Drift | None) -> None:
    items = drift.items if drift else []
    reported = [item for item in items if item.action == "Reported"]
    for item in items:
        if item.action != "Corrected":
            kind = Kind.DRIFT if item.action == "Reported" else Kind.NOT_APPLIED
            values = (f"want {item.want or 'nothing'}", f"have {item.have or 'nothing'}")
            seen.add(kind, (item.object, item.path), describe_differences([item]), *values, since=item.first_seen)
    if drift and drift.open > len(reported):
        seen.add(Kind.MORE_DRIFT, (), "there are more differences than status.drift.items lists")
        seen.open |= {Kind.DRIFT, Kind.NOT_APPLIED}


def _of_others(seen: Seen, status: SearchAccessStatus, unseen: Condition | None) -> None:
    found = condition_of(status, ConditionType.EXCLUSIVE)
    sources = status.exclusive.sources if status.exclusive else []
    for each in sources:
        kind = _BY_REASON.get(each.reason, Kind.UNSEEN)
        seen.add(kind, (each.kind, each.name, each.role or ""), each.message, each.message)
    if status.exclusive and status.exclusive.unlisted:
        seen.add(Kind.MORE_SOURCES, (), "more give the caller rights than status.exclusive lists")
        seen.open |= {*_FROM_OTHERS, Kind.UNSEEN}
    hidden = unseen is not None and unseen.status == "True"
    if found and found.status != "True" and not sources and not (hidden and found.message == UNSEEN):
        # An earlier operator, which does not list them; or nobody in particular.
        kind = _BY_REASON.get(found.reason, Kind.UNSEEN)
        seen.add(kind, (), found.message, found.message, since=found.last_transition_time)
        seen.open |= _FROM_OTHERS
    unknown = found is not None and (found.status == "Unknown" or UNSEEN in found.message)
    if hidden or unknown or any(each.reason == Reason.CANNOT_BE_SEEN for each in sources):
        seen.open |= {*_FROM_OTHERS, Kind.UNSEEN} if hidden or unknown else _FROM_OTHERS


def _of_policies(seen: Seen, status: SearchAccessStatus) -> None:
    policies = status.effective_policy or []
    for each in policies:
        kind = _BY_OUTCOME.get(each.outcome)
        if kind is not None:
            title = f"SearchAccessPolicy {each.name}: {'; '.join(each.reasons) or kind.doc.meaning}"
            seen.add(kind, (each.name,), title, *each.reasons)
    condition = condition_of(status, ConditionType.POLICY_ACCEPTED)
    named = {kind for kind in _BY_OUTCOME.values() if any(each.kind is kind for each in seen.findings)}
    by_reason = {Reason.POLICY_VIOLATION: Kind.POLICY_VIOLATION, Reason.PENDING_APPROVAL: Kind.APPROVAL_MISSING}
    for reason, kind in by_reason.items():
        if condition and condition.status == "False" and condition.reason == reason and kind not in named:
            # None applies, although the SearchCluster wants one.
            title, since = condition.message or kind.doc.meaning, condition.last_transition_time
            seen.add(kind, (), title, condition.message, since=since)
    if len(policies) >= POLICIES_LIMIT or (condition and condition.status == "Unknown"):
        seen.open |= {*_BY_OUTCOME.values()}


def _of_validity(seen: Seen, status: SearchAccessStatus) -> None:
    if status.validity is None or status.validity.state != "Expired":
        return
    ready = condition_of(status, ConditionType.READY)
    message = ready.message if ready else ""
    if status.elasticsearch is None:
        seen.add(Kind.EXPIRED, (), KINDS[Kind.EXPIRED].meaning)
    else:
        seen.add(Kind.EXPIRED_IN_FORCE, (), KINDS[Kind.EXPIRED_IN_FORCE].meaning, message)


def _of_readiness(seen: Seen, status: SearchAccessStatus, ready: Condition, above: Condition | None) -> None:
    stalled = condition_of(status, ConditionType.STALLED)
    if ready.status == "True" or stalled is None or ready.reason in _SAID_OTHERWISE:
        return
    if above and above.status != "True" and above.reason == ready.reason:
        # Said once, of the SearchCluster.
        return
    kept = status.elasticsearch is not None or condition_of(status, ConditionType.HELD) is not None
    kind = Kind.NOT_PROTECTED if kept or ready.reason in _NOT_OURS else Kind.STALLED
    seen.add(kind, (ready.reason,), f"{ready.reason}: {ready.message}", ready.message, since=ready.last_transition_time)
