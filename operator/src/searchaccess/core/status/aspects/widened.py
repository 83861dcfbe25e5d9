"""Reports in a SearchAccess's status that another one of the same principal shows what it hides, or the reverse."""

from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.core.model.access import Access
from searchaccess.core.rights.widened import Widened
from searchaccess.core.status.conditions import FALSE, UNKNOWN, Conditions

_REASONS: Final = frozenset(map(str, Reason))


def mark_widened(conditions: Conditions, access: Access, widened: Widened | None) -> None:
    """Set the condition that names the others, beside what was found of it already; absent if there are none.

    Args:
        conditions: of the new status.
        access: the SearchAccess.
        widened: what was found; None: its role was not planned, so the condition stays.
    """
    kind = ConditionType.EXCLUSIVE
    found = conditions.made(kind)
    if widened is None:
        if found is None and not access.has_credential:
            conditions.keep(kind)
        return
    if found is not None and found.reason == Reason.WIDENED_BY:
        # It was kept, and is about an earlier state.
        conditions.drop(kind)
        found = None
    if not widened:
        return
    if found is not None and found.status == FALSE:
        if widened.message not in found.message:
            # A later version may have written a reason that this one does not know.
            reason = Reason(found.reason) if found.reason in _REASONS else Reason.WIDENED_BY
            conditions.mark(kind, FALSE, reason, f"{found.message}; {widened.message}")
    elif widened.by or widened.others:
        conditions.mark(kind, FALSE, Reason.WIDENED_BY, widened.message)
    else:
        conditions.mark(kind, UNKNOWN, Reason.CANNOT_BE_SEEN, widened.message)
