"""Events to write: made here alone, so that each has its entry in ``EVENT_DOCS``."""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.events import EVENT_DOCS, STALLED_EVENT, EventReason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Status, condition_of
from searchaccess.core.status.conditions import shorten

EVENT_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True)
class Note:
    """An event to write."""

    warning: bool
    reason: str
    message: str


def note(reason: EventReason, message: str) -> Note:
    """Return an event of a documented reason."""
    return Note(EVENT_DOCS[reason].warning, reason, shorten(message, EVENT_LIMIT))


def stalled_notes(previous: Status, status: Status) -> list[Note]:
    """Return the event that a person must act on an object now, or for another cause than before.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
    """
    stalled, before = stalled_of(status), stalled_of(previous)
    if stalled is None or stalled == before:
        return []
    reason, message = stalled
    return [Note(STALLED_EVENT.warning, reason, shorten(message, EVENT_LIMIT))]


def stalled_of(status: Status) -> tuple[str, str] | None:
    """Return reason and message where a person must act on a status; None: nobody must."""
    condition = condition_of(status, ConditionType.STALLED)
    return (condition.reason, condition.message) if condition else None
