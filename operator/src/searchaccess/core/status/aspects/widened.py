"""Reports in a SearchAccess's status that another one of the same principal shows what it hides, or the reverse."""

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.core.model.access import Access
from searchaccess.core.rights.widened import Widened
from searchaccess.core.status.conditions import FALSE, UNKNOWN, Conditions


def mark_widened(conditions: Conditions, access: Access, widened: Widened | None) -> None:
    """Set the condition that names the others; absent if there are none.

    Args:
        conditions: of the new status.
        access: the SearchAccess.
        widened: what was found; None: its role was not planned, so the condition stays.
    """
    kind = ConditionType.EXCLUSIVE
    if widened is None:
        if not access.has_credential:
            conditions.keep(kind)
    elif widened.by or widened.others:
        conditions.mark(kind, FALSE, Reason.WIDENED_BY, widened.message)
    elif widened.unknown:
        conditions.mark(kind, UNKNOWN, Reason.CANNOT_BE_SEEN, widened.message)
