"""Reports who in Elasticsearch gives a SearchAccess's principal more than is declared (docs/adr/0052)."""

from typing import Final

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, Truth, condition_of
from searchaccess.core.model.access import Access
from searchaccess.core.rights.foreign.exclusive import Exclusivity
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions
from searchaccess.core.status.events import Note, note

_STATUS: Final[dict[Reason, Truth]] = {
    Reason.NOT_BROADER: TRUE,
    Reason.BROADER_THAN_DECLARED: FALSE,
    Reason.ROLE_GIVEN_TO_OTHERS: FALSE,
    Reason.CANNOT_BE_SEEN: UNKNOWN,
}
_EVENTS: Final = (EventReason.BROADER_THAN_DECLARED, EventReason.ROLE_GIVEN_TO_OTHERS)


def mark_exclusive(conditions: Conditions, access: Access, found: Exclusivity | None) -> None:
    """Set the condition that says who else gives a principal rights; absent if nobody is known.

    Args:
        conditions: of the new status.
        access: the SearchAccess. With a credential of its own, it has no principal to whom others could give rights.
        found: what is known; None: nothing was examined, so the condition stays.
    """
    if access.has_credential or access.deleted_at:
        return
    if found is None:
        conditions.keep(ConditionType.EXCLUSIVE)
    elif found.reason is not None:
        conditions.mark(ConditionType.EXCLUSIVE, _STATUS[found.reason], found.reason, found.message)


def exclusive_notes(previous: SearchAccessStatus, status: SearchAccessStatus) -> list[Note]:
    """Return the event about somebody who gives the principal more, or its role to others: once for each message."""
    found, before = (condition_of(each, ConditionType.EXCLUSIVE) for each in (status, previous))
    if found is None or (before is not None and (before.reason, before.message) == (found.reason, found.message)):
        return []
    return [note(kind, found.message) for kind in _EVENTS if kind == found.reason]
