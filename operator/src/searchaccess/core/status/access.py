"""Computes a SearchAccess's status once, at the end of a pass, from facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.api.conditiontypes import ConditionType
from searchaccess.api.reasons import ADOPTED, Reason
from searchaccess.api.status import (
    DRIFT_ITEMS_LIMIT,
    Drift,
    DriftItem,
    ElasticsearchObjects,
    SearchAccessStatus,
    Truth,
    condition_of,
)
from searchaccess.core.model.access import Access, subject_summary
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.diff import Difference
from searchaccess.core.rights.plan import Finding
from searchaccess.core.rights.recollection import Seen
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions, shorten
from searchaccess.core.status.credential import (
    CredentialFacts,
    build_credential,
    conflict_message,
    credential_notes,
    mark_credential,
)
from searchaccess.core.status.events import Note
from searchaccess.core.status.identity import build_identity, identity_notes, mark_identity

VALUE_LIMIT: Final = 256
EVENT_LIMIT: Final = 1000

_NOT_OURS_TO_CHANGE: Final = frozenset({Reason.CHANGES_PENDING, Reason.DRIFT_DETECTED})
"""Observe: not Ready, but neither is the operator at work nor does it need anybody."""


_NOT_KNOWN: Final = frozenset({Reason.CLUSTER_UNREACHABLE, Reason.IDENTITY_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be done."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """All that a pass learned about one SearchAccess."""

    access: Access
    decision: AccessDecision
    finding: Finding = Finding()
    failure: Failure | None = None
    applied: bool = False
    """Something was written in Elasticsearch for it in this pass."""
    role: str = ""
    mapping: str = ""
    cluster_uuid: str = ""
    credential: CredentialFacts | None = None
    """What was found of its API key; None: it was not looked at, or has none."""
    released: bool = False
    """It was deleted and nothing of it is left in Elasticsearch; the failure is what keeps it from being gone."""


def merged(facts: Sequence[AccessFacts]) -> AccessFacts:
    """Give the facts of a SearchAccess that has rights in several roles, as one."""
    if len(facts) == 1:
        return facts[0]
    findings = [item.finding for item in facts]
    finding = Finding(
        pending=any(item.pending for item in findings),
        drift=tuple(difference for item in findings for difference in item.drift),
        differences=tuple(difference for item in findings for difference in item.differences),
        conflict=next((item.conflict for item in findings if item.conflict), ""),
        adopted=next((item.adopted for item in findings if item.adopted), ""),
        owned=any(item.owned for item in findings),
    )
    held = next((item for item in facts if item.decision.reason), facts[0])
    return replace(
        facts[0],
        decision=held.decision,
        finding=finding,
        failure=next((item.failure for item in facts if item.failure), None),
        applied=any(item.applied for item in facts),
    )


def seen_of(status: Mapping[str, Any] | None, cluster_uuid: str) -> Seen | None:
    """Give what a status says of an earlier pass on this cluster; None: nothing."""
    known = (status or {}).get("elasticsearch")
    if not known or known.get("clusterUuid") != cluster_uuid:
        return None
    return Seen(str(known.get("role", "")), str(known.get("specHash", "")))


def _verdict(facts: AccessFacts) -> tuple[Truth, Reason, str]:
    """Give Ready's status, reason and message."""
    access, decision, finding = facts.access, facts.decision, facts.finding
    failure = facts.failure
    if decision.do is Do.REMOVE and failure and not access.deleted_at:
        failure = Failure(failure.reason, f"{decision.message}; its rights are not confirmed gone: {failure.message}")
    elif decision.reason is not None:
        failure = Failure(decision.reason, decision.message)
    elif facts.credential and facts.credential.decision.conflict:
        failure = Failure(Reason.OWNERSHIP_CONFLICT, conflict_message(access))
    elif finding.conflict:
        text = (
            f"role {finding.conflict} exists and is not managed by this operator; it is not touched. Delete it, or "
            f"annotate with searchaccess.dev/adopt: {finding.conflict}"
        )
        failure = Failure(Reason.OWNERSHIP_CONFLICT, text)
    if access.deleted_at:
        return _deleted_verdict(failure, released=facts.released)
    if failure is not None:
        status: Truth = UNKNOWN if failure.reason in _NOT_KNOWN else FALSE
        return status, failure.reason, failure.message
    if finding.differences and not facts.applied:
        reason = Reason.DRIFT_DETECTED if finding.drift else Reason.CHANGES_PENDING
        if decision.do is Do.ENFORCE:
            reason = Reason.PENDING
        return FALSE, reason, f"{_count(len(finding.differences))}, see status.drift.items"
    return TRUE, Reason.IN_SYNC, f"{_holder(facts)} has {access.summary}"


def _deleted_verdict(failure: Failure | None, *, released: bool) -> tuple[Truth, Reason, str]:
    if failure is None:
        return FALSE, Reason.REVOKING, "rights are not confirmed gone yet"
    state = "nothing is left of it in Elasticsearch;" if released else "rights are not confirmed gone:"
    return FALSE, failure.reason, f"{state} {failure.message}"


def _holder(facts: AccessFacts) -> str:
    """Give who has the rights: a principal, or a key."""
    key = facts.credential.decision.current if facts.credential else None
    return f"key {key.id}" if key else facts.access.principal


def _items(
    differences: tuple[Difference, ...], previous: Mapping[str, Any], now: str, *, corrected: bool
) -> list[DriftItem]:
    before = {(item["object"], item["path"]): item for item in previous.get("items", [])}
    if not differences:
        # What was put right stays to be seen; what was only reported and is gone is no news any more.
        return [DriftItem.model_validate(item) for item in previous.get("items", []) if item["action"] == "Corrected"]
    items = []
    for difference in differences[:DRIFT_ITEMS_LIMIT]:
        path = shorten(difference.path, VALUE_LIMIT)
        old = before.get((difference.object, path))
        known = old is not None and old["action"] == "Reported"
        items.append(
            DriftItem(
                object=difference.object,
                path=path,
                want=shorten(difference.want, VALUE_LIMIT),
                have=shorten(difference.have, VALUE_LIMIT),
                first_seen=old["firstSeen"] if old and known else now,
                action="Corrected" if corrected else "Reported",
            )
        )
    return items


def _new_drift(drift: tuple[Difference, ...], previous: Mapping[str, Any]) -> list[Difference]:
    reported = [item for item in previous.get("items", []) if item["action"] == "Reported"]
    standing = {(item["object"], item["path"], item["have"]) for item in reported}
    unlisted = [
        item
        for item in drift
        if (item.object, shorten(item.path, VALUE_LIMIT), shorten(item.have, VALUE_LIMIT)) not in standing
    ]
    # Only so many are listed: as many as stood beyond them are no news either.
    known = max(0, previous.get("open", 0) - len(reported))
    return unlisted[: max(0, len(unlisted) - known)]


def advance_drift(
    drift: tuple[Difference, ...],
    shown: tuple[Difference, ...],
    previous: Mapping[str, Any] | None,
    now: str,
    *,
    corrected: bool,
) -> Drift:
    """Give the drift part of a status after a pass.

    Args:
        drift: what somebody changed; counted.
        shown: what is listed; under Observe also what is declared and not applied.
        previous: the drift part as it was.
        now: RFC 3339, UTC, whole seconds.
        corrected: whether the differences were put right in this pass.
    """
    before = previous or {}
    new = _new_drift(drift, before)
    return Drift(
        open=0 if corrected else len(shown),
        items=_items(shown, before, now, corrected=corrected),
        detected=before.get("detected", 0) + len(new),
        corrected=before.get("corrected", 0) + (len(drift) if corrected else 0),
        last_detected=now if new else before.get("lastDetected"),
        last_corrected=now if corrected and drift else before.get("lastCorrected"),
    )


def build_drift(facts: AccessFacts, previous: Mapping[str, Any] | None, now: str) -> Drift:
    """Give the drift part of a SearchAccess's status."""
    enforced = facts.decision.do is Do.ENFORCE
    # What is declared and not applied is listed where that is the answer: under Observe. Elsewhere Ready says why.
    observes = not enforced and facts.decision.reason is None
    shown = facts.finding.differences if observes else facts.finding.drift
    return advance_drift(facts.finding.drift, shown, previous, now, corrected=facts.applied and enforced)


def _mark_drifted(conditions: Conditions, drift: Drift, facts: AccessFacts) -> None:
    if facts.finding.drift and drift.open:
        first = facts.finding.drift[0]
        conditions.mark(ConditionType.DRIFTED, TRUE, Reason.DRIFT_DETECTED, f"{first.object} {first.path}")
    elif drift.corrected:
        conditions.mark(ConditionType.DRIFTED, FALSE, Reason.DRIFT_CORRECTED, f"last at {drift.last_corrected}")
    else:
        conditions.mark(ConditionType.DRIFTED, FALSE, Reason.NO_DRIFT)


def _elasticsearch(facts: AccessFacts, previous: Mapping[str, Any]) -> ElasticsearchObjects | None:
    enforced = facts.decision.do is Do.ENFORCE and facts.failure is None and not facts.finding.conflict
    if enforced and (facts.applied or not facts.finding.differences):
        return ElasticsearchObjects(
            role=facts.role or None,
            mapping=facts.mapping or None,
            spec_hash=facts.access.share.hash,
            cluster_uuid=facts.cluster_uuid,
        )
    if facts.access.has_nobody or (facts.decision.do is Do.REMOVE and facts.failure is None):
        # Its rights were taken away: to have them again is no drift.
        return None
    known = previous.get("elasticsearch")
    return ElasticsearchObjects.model_validate(known) if known else None


def _was_compared(facts: AccessFacts) -> bool:
    if not facts.decision.reports:
        return False
    return bool(facts.finding.differences) or (facts.failure is None and not facts.finding.conflict)


def build_access_status(facts: AccessFacts, previous: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
    """Give the status of a SearchAccess.

    Args:
        facts: what the pass learned.
        previous: the status as it is in Kubernetes.
        now: RFC 3339, UTC, whole seconds.
    """
    before = previous or {}
    access = facts.access
    conditions = Conditions(previous, access.generation, now)
    if facts.decision.reason is Reason.SUSPENDED:
        # Pausing is no news about the access: Ready stays what it was.
        if not conditions.keep(ConditionType.READY):
            conditions.mark(ConditionType.READY, UNKNOWN, Reason.SUSPENDED, facts.decision.message)
        conditions.keep(ConditionType.DRIFTED)
        conditions.mark(ConditionType.SYNCED, UNKNOWN, Reason.SUSPENDED, facts.decision.message)
        drift: Drift | None = Drift.model_validate(before["drift"]) if before.get("drift") else None
    elif not _was_compared(facts):
        # Nothing was observed: what was known of drift stays known.
        ready, reason, message = _verdict(facts)
        conditions.progress(ready=ready, reason=reason, message=message)
        conditions.mark(ConditionType.SYNCED, ready, reason, message)
        conditions.keep(ConditionType.DRIFTED)
        drift = Drift.model_validate(before["drift"]) if before.get("drift") else None
    else:
        ready, reason, message = _verdict(facts)
        if reason in _NOT_OURS_TO_CHANGE:
            conditions.mark(ConditionType.READY, ready, reason, message)
        else:
            conditions.progress(ready=ready, reason=reason, message=message)
        conditions.mark(ConditionType.SYNCED, ready, reason, message)
        drift = build_drift(facts, before.get("drift"), now)
        _mark_drifted(conditions, drift, facts)
    identity = build_identity(access, before.get("identity"), now)
    mark_identity(conditions, access, identity, now)
    failure = Failure(facts.decision.reason, facts.decision.message) if facts.decision.reason else facts.failure
    mark_credential(conditions, access, facts.credential, (failure.reason, failure.message) if failure else None)
    gone = not access.has_credential or (facts.decision.do is Do.REMOVE and facts.failure is None)
    credential = build_credential(access, facts.credential, before.get("credential"), withdrawn=gone)
    objects = _elasticsearch(facts, before)
    first_sync = objects is not None and not before.get("elasticsearch")
    applied = facts.applied and facts.decision.do is Do.ENFORCE
    status = SearchAccessStatus(
        observed_generation=access.generation,
        conditions=conditions.build(),
        subject=subject_summary(access.subject) or None,
        access=access.summary or before.get("access"),
        identity=identity,
        elasticsearch=objects,
        credential=credential,
        drift=drift,
        last_sync_time=now if applied or first_sync else before.get("lastSyncTime"),
        last_handled_reconcile_at=access.reconcile_requested or before.get("lastHandledReconcileAt"),
    )
    return status.to_json()


def _count(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"


def build_notes(facts: AccessFacts, previous: Mapping[str, Any] | None, status: Mapping[str, Any]) -> list[Note]:
    """Give the events that a new status is worth: drift, adoption, and what a person must act on."""
    notes = []
    before = previous or {}
    new = _new_drift(facts.finding.drift, before.get("drift") or {})
    if new:
        shown = "; ".join(
            f"{item.object} {item.path}: want {item.want or 'nothing'}, have {item.have or 'nothing'}" for item in new
        )
        notes.append(Note(warning=True, reason=Reason.DRIFT_DETECTED, message=shorten(shown, EVENT_LIMIT)))
        if facts.applied and facts.decision.do is Do.ENFORCE:
            where = f"role {facts.role}" if facts.role else "the API key"
            text = f"{_count(len(new))} in {where} put right"
            notes.append(Note(warning=False, reason=Reason.DRIFT_CORRECTED, message=text))
    if facts.finding.adopted and facts.applied:
        text = f"role {facts.role} was taken over; it was {facts.finding.adopted}"
        notes.append(Note(warning=False, reason=ADOPTED, message=shorten(text, EVENT_LIMIT)))
    notes += identity_notes(before, status)
    notes += credential_notes(before, status)
    stalled, was_stalled = stalled_of(status), stalled_of(before)
    if stalled and stalled != was_stalled:
        notes.append(Note(warning=True, reason=stalled[0], message=shorten(stalled[1], EVENT_LIMIT)))
    return notes


def stalled_of(status: Mapping[str, Any]) -> tuple[str, str] | None:
    """Give reason and message of a status that needs a person; None: it does not."""
    for condition in status.get("conditions", []):
        if condition["type"] == ConditionType.STALLED:
            return condition["reason"], condition["message"]
    return None


def is_ready(status: Mapping[str, Any] | None) -> bool:
    """Say whether a status says Ready."""
    return (condition_of(status, ConditionType.READY) or {}).get("status") == TRUE


def is_drifted(status: Mapping[str, Any] | None) -> bool:
    """Say whether a status says that somebody's change stands."""
    return (condition_of(status, ConditionType.DRIFTED) or {}).get("status") == TRUE
