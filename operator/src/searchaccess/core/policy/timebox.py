"""Says why rights are not in force now."""

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import Term, shown_time


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
            return Reason.EXPIRED, f"its rights ended at {ended}: delete it, or set a later spec.validUntil"
        case Term.OUTSIDE:
            at = access.validity.changes_at
            begins = f"before {shown_time(at)}" if at is not None and at != box.ends else "any more"
            return Reason.OUTSIDE_SCHEDULE, f"it has no rights {begins} (spec.schedule)"
        case Term.UNREADABLE:
            return Reason.INVALID_SPEC, f"{box.problem}. Nothing is granted until it can be read"
    return None
