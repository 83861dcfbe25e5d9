"""Whether a SearchAccess may be created or changed: the loop's own decision, asked before it is stored."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.consent import NOT_NEEDED, ConsentState
from searchaccess.core.model.timeboxes.timebox import ALWAYS, Term, is_during
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.policy.consent.messages import whose_request
from searchaccess.core.policy.decision import AccessDecision, Gate, decide
from searchaccess.core.policy.guardrails.messages import described
from searchaccess.core.policy.guardrails.ruling import MOST_REASONS, UNEXPLAINED
from searchaccess.core.policy.timebox import not_in_force
from searchaccess.core.webhook.narrowing import narrows
from searchaccess.core.webhook.smells import smells
from searchaccess.core.work import Work

REFUSED: Final = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.LIMITS_NOT_SUPPORTED,
        Reason.NAMESPACE_NOT_ALLOWED,
        Reason.ORPHAN_NOT_ALLOWED,
        Reason.POLICY_VIOLATION,
        Reason.RESTRICTIONS_WOULD_WIDEN,
    }
)
"""Why a SearchAccess would get no rights whatever the state of Elasticsearch, until somebody changes what is declared.

All else may pass without a change of the SearchAccess, such as a workload that is deployed after it."""

_NARROWED: Final = frozenset({Reason.POLICY_VIOLATION, Reason.RESTRICTIONS_WOULD_WIDEN})
"""Of these, fewer grants are no further violation, whatever numbers the message gives them."""


class Undecided(Exception):
    """An internal error prevents a ruling."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is answered.

    Args:
        allowed: whether the object may be stored.
        message: why not, and what to write instead.
        warnings: what the user is warned of although it is allowed.
    """

    allowed: bool
    message: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A SearchAccess, and what the specs of SearchClusters allow.

    Args:
        access: the SearchAccess, with what namespaces and policies say of it.
        gate: what the spec of its SearchCluster allows.
        spec: its spec, as Kubernetes gives it.
    """

    access: Access
    gate: Gate
    spec: Mapping[str, Any]

    @property
    def decision(self) -> AccessDecision:
        """What the loop would decide about it, as far as only what is declared matters.

        Its time and its approval come without another admission, so that they count as come.
        """
        access = self.access if self.access.consent == NOT_NEEDED else replace(self.access, consent=NOT_NEEDED)
        waits = access.validity.term in {Term.NOT_YET, Term.OUTSIDE}
        return decide(replace(access, validity=ALWAYS) if waits else access, self.gate)


@dataclass(frozen=True, slots=True)
class Stored:
    """A SearchAccess as it is stored, which is judged only if that matters: it takes as long as to judge the new one.

    Args:
        outline: what is read without its spec.
        spec: its spec, as Kubernetes gives it.
        judged: judges it.
    """

    outline: Access
    spec: Mapping[str, Any]
    judged: Callable[[], Work[Judged]]


def ruling_on(new: Judged, stored: Stored | None) -> Work[Ruling]:
    """Decide, in parts, whether a SearchAccess may be stored.

    Args:
        new: as it would be.
        stored: as it is; None: it is new.

    Raises:
        Undecided: it could not be read because of an internal error.
    """
    access = new.access
    if access.deleted_at or (stored and _says_the_same(new, stored)):
        return ALLOWED
    decision = new.decision
    if decision.reason is Reason.INTERNAL_ERROR:
        raise Undecided
    if decision.reason not in REFUSED:
        return Ruling(allowed=True, warnings=tuple(_warnings(access)))
    if stored and not (yield from _is_worse(new, (yield from stored.judged()))):
        return Ruling(allowed=True, warnings=(f"it was refused before, and still is: {decision.message}",))
    return Ruling(allowed=False, message=decision.message)


ALLOWED: Final = Ruling(allowed=True)


def _says_the_same(new: Judged, stored: Stored) -> bool:
    """Return whether an update changes nothing that is judged, such as only a finalizer."""
    return new.spec == stored.spec and _marks(new.access) == _marks(stored.outline)


def _marks(access: Access) -> tuple[object, ...]:
    return access.labels, access.annotated, access.adopt


def _is_worse(new: Judged, old: Judged) -> Work[bool]:
    """Find out whether an update violates what the SearchAccess did not violate before."""
    if new.decision.reason == old.decision.reason == Reason.INVALID_SPEC:
        # Nothing is granted until it is valid, but rights that it has would stay for longer if it ended later.
        was = old.access.time_box
        return not was.problem and not is_during(new.access.time_box, was)
    before, after = _violations(old), _violations(new)
    if before and after <= before and not _has_more(new.access):
        return False
    is_comparable = new.decision.reason == old.decision.reason and new.decision.reason in _NARROWED
    return not (is_comparable and (yield from narrows(new.access, old.access)))


def _violations(judged: Judged) -> frozenset[tuple[str, str]]:
    decision = judged.decision
    if decision.reason not in REFUSED:
        return frozenset()
    if decision.reason is Reason.POLICY_VIOLATION and (denied := judged.access.verdict.denied_by):
        return frozenset((outcome.policy, reason) for outcome in denied for reason in outcome.reasons)
    return frozenset({(str(decision.reason), decision.message)})


def _has_more(access: Access) -> bool:
    """Return whether not all violations are known."""
    denied = access.verdict.denied_by
    return any(len(outcome.reasons) > MOST_REASONS or UNEXPLAINED in outcome.reasons for outcome in denied)


def _warnings(access: Access) -> Iterator[str]:
    for outcome in access.verdict.outcomes:
        if outcome.outcome is Outcome.WOULD_DENY:
            yield f"it would be refused: {described(outcome)}"
    if access.admission is Admission.UNKNOWN or access.verdict.unknown:
        why = access.verdict.unknown or f"the labels of the namespace {access.namespace} are not known"
        yield f"it is not known yet whether it is accepted, and it gets no rights until then: {why}"
    if (out := not_in_force(access)) and out[0] is Reason.EXPIRED:
        yield out[1]
    if access.consent.state is ConsentState.MISSING:
        yield f"it gets no rights until another person approves it: {whose_request(access)}"
    yield from smells(access)
