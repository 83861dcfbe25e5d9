"""Says why rights are not in force now."""

from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchaccess import Mode
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import Term, shown_time

OR_PROLONG: Final = "delete it, or set a later spec.validUntil"


def keeps_itself(access: Access) -> bool:
    """Return whether a SearchAccess is never deleted by the operator: that is paused."""
    return access.suspend or access.mode is Mode.OBSERVE


def _next_step(access: Access) -> str:
    removed_at = access.time_box.removed_at
    if removed_at is None:
        return OR_PROLONG
    if keeps_itself(access):
        what = "it is suspended" if access.suspend else "mode is Observe"
        return f"{OR_PROLONG}; spec.ttlAfterExpired has no effect while {what}"
    return (
        f"it is deleted after {shown_time(removed_at)} (spec.ttlAfterExpired), unless you set a later spec.validUntil"
    )


def not_in_force(access: Access) -> tuple[Reason, str] | None:
    """Return why the time does not allow the rights of a SearchAccess; None: it does, or that is not known yet."""
    box = access.time_box
    match access.validity.term:
        case Term.NOT_YET:
            begins = shown_time(access.validity.changes_at or 0)
            return Reason.NOT_YET_VALID, f"it has no rights before {begins} (spec.validFrom)"
        case Term.EXPIRED if (approved := access.consent.ends) is not None and access.bounded_box != box:
            return Reason.PENDING_APPROVAL, f"its approval ended at {shown_time(approved)}"
        case Term.EXPIRED:
            ended = shown_time(box.ends or 0)
            return Reason.EXPIRED, f"its rights ended at {ended}: {_next_step(access)}"
        case Term.OUTSIDE:
            at = access.validity.changes_at
            begins = f"before {shown_time(at)}" if at is not None and at != box.ends else "any more"
            return Reason.OUTSIDE_SCHEDULE, f"it has no rights {begins} (spec.schedule)"
        case Term.UNREADABLE:
            return Reason.INVALID_SPEC, f"{box.problem}. Nothing is granted until it can be read"
    return None
