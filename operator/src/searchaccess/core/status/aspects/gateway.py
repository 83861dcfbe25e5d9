"""What a SearchCluster's status says about its gateway."""

from collections.abc import Iterable
from typing import Final

from searchaccess.api.clusters.status import PLACES_LIMIT, GatewayStatus
from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchClusterStatus, Truth, condition_of
from searchaccess.core.gateway.facts import GatewayFacts, Judgement
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions
from searchaccess.core.status.events import Note, note

_TRUTH: Final[dict[bool | None, Truth]] = {True: TRUE, False: FALSE, None: UNKNOWN}
CONDITIONS: Final = (ConditionType.GATEWAY_IN_SYNC, ConditionType.GATEWAY_VERIFIED, ConditionType.RUN_AS_ENABLED)

_EVENTS: Final = (
    EventReason.GATEWAY_OUT_OF_DATE,
    EventReason.GATEWAY_MISSING,
    EventReason.GATEWAY_INCOMPLETE,
    EventReason.GATEWAY_ACCEPTS_OTHERS,
    EventReason.GATEWAY_REFUSES,
    EventReason.GATEWAY_LOGIN_REFUSED,
    EventReason.RUN_AS_DISABLED,
    EventReason.RUN_AS_TOO_WIDE,
)
"""Reasons of these conditions that are emitted as events."""


def mark_gateway(
    conditions: Conditions, facts: GatewayFacts | None, *, declared: bool, former_mappings: str = ""
) -> None:
    """Mark the conditions about a gateway.

    Args:
        conditions: of the status under construction.
        facts: what is known; None: nothing in this run yet.
        declared: whether the SearchCluster declares a gateway; if not, there are no such conditions.
        former_mappings: which role mappings of a realm its callers keep meanwhile, and until when; empty: none.
    """
    if not declared:
        return
    for kind, judgement in zip(CONDITIONS, _judgements(facts), strict=True):
        if judgement is None:
            conditions.keep(kind)
        else:
            truth, reason, message = judgement
            if former_mappings and kind is ConditionType.GATEWAY_IN_SYNC:
                message = f"{message}; {former_mappings}"
            conditions.mark(kind, _TRUTH[truth], reason, message)


def _judgements(facts: GatewayFacts | None) -> Iterable[Judgement | None]:
    return (facts.in_sync, facts.verified, facts.run_as) if facts else (None, None, None)


def gateway_status(
    facts: GatewayFacts | None, previous: GatewayStatus | None, *, declared: bool
) -> GatewayStatus | None:
    """Return the part about the gateway; None: there is none.

    Args:
        facts: what is known; None: nothing in this run yet.
        previous: the part as it was.
        declared: whether the SearchCluster declares a gateway.
    """
    if facts is None:
        return previous
    if not declared:
        return GatewayStatus(places=list(facts.places[:PLACES_LIMIT])) if facts.places else None
    before, login = previous or GatewayStatus(), facts.login
    return GatewayStatus(
        places=list(facts.places[:PLACES_LIMIT]),
        version=facts.version or before.version,
        pods=before.pods if facts.pods is None else len(facts.pods.answers),
        loaded=before.loaded if facts.pods is None else facts.pods.loaded(facts.version),
        login_user=login.user if login else before.login_user,
        rotated_at=login.since if login else before.rotated_at,
    )


def gateway_notes(previous: SearchClusterStatus, status: SearchClusterStatus, facts: GatewayFacts | None) -> list[Note]:
    """Return the events about a gateway: each new problem once, and each new login.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
        facts: what is known.
    """
    notes = []
    if facts and facts.rotated:
        notes.append(note(EventReason.GATEWAY_LOGIN_ROTATED, facts.rotated))
    for kind in CONDITIONS:
        now, before = condition_of(status, kind), condition_of(previous, kind)
        if now is None or now.status != FALSE or (before is not None and before.reason == now.reason):
            continue
        notes += [note(reason, now.message) for reason in _EVENTS if reason == now.reason]
    return notes


def passwords_reset(count: int) -> Note:
    """Return the event about the passwords of callers' users, which somebody may have set.

    Args:
        count: of users with new hashes.
    """
    text = (
        "somebody else wrote security objects, and no change of a role, role mapping or user explains it: passwords "
        f"may have been set. {count} users of principals got new hashes that nobody knows"
    )
    return note(EventReason.PASSWORDS_RESET, text)
