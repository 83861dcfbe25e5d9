"""Computes a SearchAccess's status once, at the end of a reconcile, from facts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.conditions.docs import doc_of
from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.meaning import Who
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import (
    PREMATURE_LIMIT,
    Condition,
    Drift,
    ElasticsearchObjects,
    SearchAccessStatus,
    Status,
    Truth,
    condition_of,
)
from searchaccess.core.gateway.sharing import InForce
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.summaries import shown_subject
from searchaccess.core.policy.bypass import bypasses
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.policy.proofs import Verdict
from searchaccess.core.rights.elsewhere import describe_elsewhere
from searchaccess.core.rights.foreign.exclusive import Exclusivity, worst_of
from searchaccess.core.rights.plan import Finding
from searchaccess.core.rights.widened import Widened, together
from searchaccess.core.status.aspects.consent import break_glass_notes, mark_break_glass
from searchaccess.core.status.aspects.exclusive import build_exclusive, exclusive_notes, mark_exclusive
from searchaccess.core.status.aspects.expiry import UNDELETED, is_deletable
from searchaccess.core.status.aspects.hints import mark_hints
from searchaccess.core.status.aspects.identity import build_identity, identity_notes, mark_identity
from searchaccess.core.status.aspects.limits import build_limits, mark_limits
from searchaccess.core.status.aspects.policy import build_effective_policy, mark_policy
from searchaccess.core.status.aspects.proofs import mark_proof, ready_with
from searchaccess.core.status.aspects.usage import kept_usage
from searchaccess.core.status.aspects.validity import build_validity
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions
from searchaccess.core.status.credential import (
    CredentialFacts,
    build_credential,
    conflict_message,
    credential_notes,
    mark_credential,
)
from searchaccess.core.status.differences import describe_differences
from searchaccess.core.status.drift import NO_DRIFT, advance_drift, new_drift
from searchaccess.core.status.events import Note, note, trouble_notes

_NOT_OURS_TO_CHANGE: Final = frozenset({Reason.CHANGES_PENDING, Reason.DRIFT_DETECTED})
"""Observe: not Ready, but neither the operator nor anybody else has to act."""


_TROUBLE: Final = frozenset({EventReason.CLUSTER_NOT_FOUND, EventReason.EXPIRED, EventReason.PENDING_APPROVAL})
"""Reasons that are emitted as events although they do not make a SearchAccess Stalled. ServiceNotFound is emitted
elsewhere."""
_NOT_KNOWN: Final = frozenset({Reason.CLUSTER_UNREACHABLE, Reason.IDENTITY_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be done."""

    reason: Reason
    message: str
    of_cluster: bool = False
    """The cause is the SearchCluster, which has the event about it."""


@dataclass(frozen=True, slots=True)
class AccessFacts:
    """Everything that a reconcile found out about one SearchAccess."""

    access: Access
    decision: AccessDecision
    finding: Finding = Finding()
    failure: Failure | None = None
    applied: bool = False
    """Something was written in Elasticsearch for it in this reconcile."""
    role: str = ""
    mapping: str = ""
    cluster_uuid: str = ""
    credential: CredentialFacts | None = None
    """State of its API key; None: it was not observed, or has none."""
    beside: tuple[Share, ...] = ()
    """What other SearchAccesses grant the same caller, where that matters."""
    copies: tuple[str, ...] | None = None
    """Which hidden fields mappings copy to readable ones, for messages; None: not known yet."""
    proof: Verdict | None = None
    """Result of testing its queries; None: it has none, or they were not examined."""
    absent: tuple[str, ...] | None = None
    """Which of its patterns match no index, alias or data stream; None: not known yet."""
    elsewhere: tuple[str, ...] = ()
    """Which SearchAccesses in other namespaces also grant rights to its principal."""
    widened: Widened | None = None
    """Which SearchAccesses of its principal show what others hide; None: its role was not planned."""
    exclusive: Exclusivity | None = None
    """Who in Elasticsearch also gives its principal rights; None: not known yet."""
    released: bool = False
    """It was deleted and has no rights left in Elasticsearch; only the failure blocks its deletion."""
    limits: InForce | None = None
    """What limits its caller; None: it was not found out."""
    undeleted: str = ""
    """Why the operator could not delete it although its ``ttlAfterExpired`` is over, in words; empty: it could."""
    stays: str = ""
    """Which previous rights stay although they are no longer declared, in words; empty: none."""


def merged(facts: Sequence[AccessFacts]) -> AccessFacts:
    """Return the facts of a SearchAccess that has rights in several roles, as one."""
    if len(facts) == 1:
        return facts[0]
    findings = [item.finding for item in facts]
    finding = Finding(
        pending=any(item.pending for item in findings),
        drift=tuple(difference for item in findings for difference in item.drift),
        differences=tuple(difference for item in findings for difference in item.differences),
        conflict=next((item.conflict for item in findings if item.conflict), ""),
        refusal=next((item.refusal for item in findings if item.conflict), None),
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
        beside=tuple(dict.fromkeys(share for item in facts for share in item.beside)),
        elsewhere=tuple(dict.fromkeys(other for item in facts for other in item.elsewhere)),
        widened=together(item.widened for item in facts),
        exclusive=worst_of(item.exclusive for item in facts),
    )


def _conflict(facts: AccessFacts) -> Failure | None:
    """Return the conflict with a foreign object."""
    if facts.credential and facts.credential.decision.conflict:
        return Failure(Reason.OWNERSHIP_CONFLICT, conflict_message(facts.access))
    if (refusal := facts.finding.refusal) is not None:
        return Failure(refusal.reason, refusal.message)
    if facts.finding.conflict:
        kind = "" if facts.finding.conflict.startswith("user ") else "role "
        text = (
            f"{kind}{facts.finding.conflict} exists and is not managed by this operator; it is not touched. Delete it"
        )
        return Failure(Reason.OWNERSHIP_CONFLICT, text)
    return None


def _cause(facts: AccessFacts) -> Failure | None:
    """Return the most important cause why an access is not as declared.

    A decision that somebody must act on takes precedence. A decision that only waits yields to a conflict or a failure,
    which may last and which somebody can fix.
    """
    decision, trouble = facts.decision, _conflict(facts) or facts.failure
    if decision.reason is None or (trouble and doc_of(decision.reason).who is Who.NOBODY):
        return trouble
    return Failure(decision.reason, decision.message, of_cluster=decision.of_cluster)


def _verdict(facts: AccessFacts) -> tuple[Truth, Reason, str]:
    """Return Ready's status, reason and message."""
    access, decision, finding = facts.access, facts.decision, facts.finding
    failure = _cause(facts)
    if decision.do is Do.REMOVE and facts.failure and not access.deleted_at:
        text = f"{decision.message}; the revocation of its rights is not confirmed: {facts.failure.message}"
        failure = replace(facts.failure, message=text)
    if access.deleted_at:
        return _deleted_verdict(facts, failure)
    if failure is not None and facts.undeleted:
        ended = failure.message.partition(": ")[0]
        failure = replace(failure, message=f"{ended}: {UNDELETED.format(facts.undeleted)}")
    if failure is not None:
        status: Truth = UNKNOWN if failure.reason in _NOT_KNOWN else FALSE
        return status, failure.reason, failure.message
    if finding.differences and not facts.applied:
        reason = Reason.DRIFT_DETECTED if finding.drift else Reason.CHANGES_PENDING
        if decision.do is Do.ENFORCE:
            reason = Reason.PENDING
        return FALSE, reason, describe_differences(finding.drift or finding.differences)
    return TRUE, Reason.IN_SYNC, f"{_holder(facts)} has {access.summary}"


def _deleted_verdict(facts: AccessFacts, failure: Failure | None) -> tuple[Truth, Reason, str]:
    if failure is None:
        return FALSE, Reason.REVOKING, "the revocation of its rights is not confirmed yet"
    state = "the revocation of its rights is not confirmed:"
    if facts.released:
        stays = facts.decision.do is Do.RELEASE
        state = "its rights stay, as declared;" if stays else "it has no rights left in Elasticsearch;"
    return FALSE, failure.reason, f"{state} {failure.message}"


def _holder(facts: AccessFacts) -> str:
    """Return who has the rights: a principal, or a key."""
    key = facts.credential.decision.current if facts.credential else None
    return f"key {key.id}" if key else facts.access.principal


def is_deletable_now(facts: AccessFacts) -> bool:
    """Return whether a SearchAccess has expired so long ago that it is deleted, and nothing of it is left."""
    is_revoked = facts.failure is None and _conflict(facts) is None and not facts.stays
    return is_deletable(facts, is_revoked=is_revoked)


def build_drift(facts: AccessFacts, previous: Drift | None, now: str) -> Drift:
    """Return the drift part of a SearchAccess's status."""
    enforced = facts.decision.do is Do.ENFORCE
    # Pending changes are listed under Observe only. Otherwise Ready says why they are not applied.
    observes = not enforced and facts.decision.reason is None
    drift = facts.finding.drift
    pending = [item for item in facts.finding.differences if item not in drift] if observes else []
    return advance_drift(drift, pending, previous, now, corrected=facts.applied and enforced)


def _mark_drifted(conditions: Conditions, drift: Drift, facts: AccessFacts) -> None:
    if facts.finding.drift and drift.open:
        conditions.mark(ConditionType.DRIFTED, TRUE, Reason.DRIFT_DETECTED, describe_differences(facts.finding.drift))
    elif drift.corrected:
        text = f"last corrected at {drift.last_corrected}"
        conditions.mark(ConditionType.DRIFTED, FALSE, Reason.DRIFT_CORRECTED, text)
    else:
        conditions.mark(ConditionType.DRIFTED, FALSE, Reason.NO_DRIFT)


def _mark_held(conditions: Conditions, facts: AccessFacts) -> None:
    """Set the condition that names previous rights which stay while the declared ones are not in force."""
    ready, reason, message = _verdict(facts)
    if facts.stays and ready != TRUE:
        text = f"{facts.stays} until the declared rights are in force, which they are not: {message}"
        conditions.mark(ConditionType.HELD, TRUE, reason, text)


def _mark_bypassable(conditions: Conditions, facts: AccessFacts, known: Condition | None) -> None:
    found = bypasses(facts.access.share, facts.beside, facts.copies or ())
    if found:
        text = "; ".join(bypass.message for bypass in found)
        conditions.mark(ConditionType.BYPASSABLE, TRUE, found[0].reason, text)
    elif facts.copies is None and known is not None and known.reason == Reason.FIELDS_REACHABLE:
        conditions.keep(ConditionType.BYPASSABLE)


def _elasticsearch(facts: AccessFacts, previous: ElasticsearchObjects | None) -> ElasticsearchObjects | None:
    enforced = facts.decision.do is Do.ENFORCE and facts.failure is None and _conflict(facts) is None
    issued = facts.credential is None or facts.credential.decision.current is not None
    if enforced and issued and (facts.applied or not facts.finding.differences):
        return ElasticsearchObjects(
            role=facts.role or None,
            mapping=facts.mapping or None,
            spec_hash=facts.access.share.hash,
            cluster_uuid=facts.cluster_uuid,
        )
    removed = facts.decision.do is Do.REMOVE and facts.failure is None
    if facts.released or removed or (facts.access.has_nobody and not facts.stays):
        # Its rights were revoked, so granting them again is not drift.
        return None
    return previous


def _was_compared(facts: AccessFacts) -> bool:
    if not facts.decision.reports:
        return False
    return bool(facts.finding.differences) or (facts.failure is None and not facts.finding.conflict)


def _mark_elsewhere(conditions: Conditions, facts: AccessFacts) -> None:
    if facts.elsewhere:
        message = describe_elsewhere(facts.access.principal, facts.elsewhere)
        conditions.mark(ConditionType.GRANTED_ELSEWHERE, TRUE, Reason.GRANTED_ELSEWHERE, message)
    elif not _was_compared(facts):
        conditions.keep(ConditionType.GRANTED_ELSEWHERE)


def build_access_status(facts: AccessFacts, previous: SearchAccessStatus, now: str) -> SearchAccessStatus:
    """Return the status of a SearchAccess.

    Args:
        facts: what the reconcile found out.
        previous: the status as it is in Kubernetes.
        now: RFC 3339, UTC, whole seconds.
    """
    access = facts.access
    conditions = Conditions(previous, access.generation, now)
    if facts.decision.reason is Reason.SUSPENDED:
        # Suspending changes nothing about the access: Ready stays as it was.
        if not conditions.keep(ConditionType.READY):
            conditions.mark(ConditionType.READY, UNKNOWN, Reason.SUSPENDED, facts.decision.message)
        conditions.keep(ConditionType.DRIFTED)
        conditions.keep(ConditionType.BYPASSABLE)
        conditions.mark(ConditionType.SYNCED, UNKNOWN, Reason.SUSPENDED, facts.decision.message)
        drift = previous.drift
    elif not _was_compared(facts):
        # Nothing was observed, so the known drift stays.
        ready, reason, message = _verdict(facts)
        conditions.progress(ready=ready, reason=reason, message=message)
        conditions.mark(ConditionType.SYNCED, ready, reason, message)
        conditions.keep(ConditionType.DRIFTED)
        conditions.keep(ConditionType.BYPASSABLE)
        drift = previous.drift
    else:
        verdict = _verdict(facts)
        was_ready = is_ready(previous) and previous.observed_generation == access.generation
        ready, reason, message = ready_with(verdict, facts.proof, was_ready=was_ready)
        if reason in _NOT_OURS_TO_CHANGE:
            conditions.mark(ConditionType.READY, ready, reason, message)
        else:
            conditions.progress(ready=ready, reason=reason, message=message)
        conditions.mark(ConditionType.SYNCED, *verdict)
        drift = build_drift(facts, previous.drift, now)
        _mark_drifted(conditions, drift, facts)
        _mark_bypassable(conditions, facts, condition_of(previous, ConditionType.BYPASSABLE))
    _mark_held(conditions, facts)
    mark_proof(conditions, access, facts.proof)
    _mark_elsewhere(conditions, facts)
    mark_limits(conditions, access, facts.limits)
    mark_exclusive(conditions, access, facts.exclusive, facts.widened, previous)
    objects = _elasticsearch(facts, previous.elasticsearch)
    identity = build_identity(access, previous, now, placed=objects is not None)
    mark_identity(conditions, access, identity, now)
    mark_policy(conditions, access)
    mark_break_glass(conditions, access)
    failure = _cause(facts)
    removed = facts.released or (facts.decision.do is Do.REMOVE and facts.failure is None)
    gone = not access.has_credential or removed
    credential = build_credential(access, facts.credential, previous.credential, withdrawn=gone)
    why = (failure.reason, failure.message) if failure else None
    mark_credential(conditions, access, facts.credential, why, credential)
    mark_hints(conditions, access, facts.absent, condition_of(previous, ConditionType.INEFFECTIVE))
    first_sync = objects is not None and previous.elasticsearch is None
    applied = facts.applied and facts.decision.do is Do.ENFORCE
    return SearchAccessStatus(
        observed_generation=access.generation,
        conditions=conditions.build(),
        reason=conditions.ready_reason,
        subject=shown_subject(access.subject) or None,
        access=access.summary or previous.access,
        mode="Suspended" if access.suspend else access.mode.value,
        identity=identity,
        elasticsearch=objects,
        credential=credential,
        validity=build_validity(access),
        exclusive=build_exclusive(access, facts.exclusive, facts.widened, previous),
        limits=build_limits(facts.limits, previous.limits),
        premature_approvals=list(access.consent.premature[:PREMATURE_LIMIT]) or None,
        effective_policy=build_effective_policy(access)
        or (previous.effective_policy if access.verdict.unknown else None),
        drift=drift,
        usage=kept_usage(previous, identity, facts.cluster_uuid, shown_subject(access.subject)),
        last_sync_time=now if applied or first_sync else previous.last_sync_time,
        last_handled_reconcile_at=access.reconcile_requested or previous.last_handled_reconcile_at,
    )


def _count(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"


def build_notes(facts: AccessFacts, previous: SearchAccessStatus, status: SearchAccessStatus) -> list[Note]:
    """Return the events for a new status: drift, adoption, and what a person must act on."""
    notes = break_glass_notes(previous, status)
    new = new_drift(facts.finding.drift, previous.drift or NO_DRIFT)
    if new:
        notes.append(note(EventReason.DRIFT_DETECTED, describe_differences(new)))
        if facts.applied and facts.decision.do is Do.ENFORCE:
            where = f"role {facts.role}" if facts.role else "the API key"
            notes.append(note(EventReason.DRIFT_CORRECTED, f"{_count(len(new))} in {where} corrected"))
    if facts.finding.adopted and facts.applied:
        text = f"role {facts.role} was adopted; its previous content was {facts.finding.adopted}"
        notes.append(note(EventReason.ADOPTED, text))
    notes += identity_notes(previous, status)
    notes += exclusive_notes(previous, status)
    notes += credential_notes(previous, status)
    cause = _cause(facts)
    if cause is None or not cause.of_cluster:
        notes += trouble_notes(previous, status, _TROUBLE)
    return notes


def is_ready(status: Status) -> bool:
    """Return whether a status says Ready."""
    return _is_true(status, ConditionType.READY)


def is_drifted(status: Status) -> bool:
    """Return whether a status reports open drift."""
    return _is_true(status, ConditionType.DRIFTED)


def _is_true(status: Status, kind: ConditionType) -> bool:
    condition = condition_of(status, kind)
    return condition is not None and condition.status == TRUE
