"""Reports in a SearchAccess's status when its rights are in force."""

from searchaccess.api.status import ValidityStatus
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import shown_time


def build_validity(access: Access) -> ValidityStatus | None:
    """Return whether the time allows the rights of an access, and when that changes; None: nothing limits it."""
    if not access.bounded_box.is_limited:
        return None
    changes_at = access.validity.changes_at
    removed_at = access.time_box.removed_at
    # What has expired does not change any more, except that it is deleted.
    return ValidityStatus(
        state=access.validity.term,
        next_change=None if changes_at is None or changes_at == removed_at else shown_time(changes_at),
        deleted_after=None if removed_at is None else shown_time(removed_at),
    )
