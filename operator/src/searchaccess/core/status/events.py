"""Builds all events, so that each has its entry in ``EVENT_DOCS``."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.events import EVENT_DOCS, STALLED_EVENT, EventReason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Status, condition_of
from searchaccess.core.status.conditions import TRUE, shorten_message

EVENT_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True)
class Note:
    """An event to write."""

    warning: bool
    reason: str
    message: str


def note(reason: EventReason, message: str) -> Note:
    """Return an event of a documented reason."""
    return Note(EVENT_DOCS[reason].warning, reason, shorten_message(message, EVENT_LIMIT))


def trouble_notes(previous: Status, status: Status, kinds: Collection[EventReason]) -> list[Note]:
    """Return the event about a new problem of an object.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
        kinds: reasons of Ready that are emitted although the object is not Stalled. A new message alone makes no new
            event: it may change with each attempt.
    """
    stalled = stalled_of(status)
    if stalled is not None:
        if stalled == stalled_of(previous):
            return []
        reason, message = stalled
        return [Note(STALLED_EVENT.warning, reason, shorten_message(message, EVENT_LIMIT))]
    ready, before = condition_of(status, ConditionType.READY), condition_of(previous, ConditionType.READY)
    if ready is None or ready.status == TRUE or (before is not None and before.reason == ready.reason):
        return []
    return [note(kind, ready.message) for kind in kinds if kind == ready.reason]


def stalled_of(status: Status) -> tuple[str, str] | None:
    """Return the reason and message of Stalled; None: no person must act."""
    condition = condition_of(status, ConditionType.STALLED)
    return (condition.reason, condition.message) if condition else None
