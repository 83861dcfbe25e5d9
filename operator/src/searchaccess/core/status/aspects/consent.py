"""Reports in a SearchAccess's status, and in an event, that it has its rights without a required approval."""

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, condition_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.consent import ConsentState
from searchaccess.core.status.conditions import TRUE, Conditions
from searchaccess.core.status.events import Note, note


def mark_break_glass(conditions: Conditions, access: Access) -> None:
    """Set the condition that says that an approval is bypassed; absent where none is."""
    if access.consent.state is ConsentState.BREAK_GLASS and not access.deleted_at:
        conditions.mark(ConditionType.BREAK_GLASS, TRUE, Reason.BREAK_GLASS, access.consent.message)


def break_glass_notes(previous: SearchAccessStatus, status: SearchAccessStatus) -> list[Note]:
    """Return the event about a bypassed approval: one for each generation, and for each new reason."""
    found, before = (condition_of(each, ConditionType.BREAK_GLASS) for each in (status, previous))
    if found is None:
        return []
    if before and (before.message, before.observed_generation) == (found.message, found.observed_generation):
        return []
    return [note(EventReason.BREAK_GLASS, found.message)]
