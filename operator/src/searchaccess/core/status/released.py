"""Events about released rights, on their SearchCluster."""

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.status import RELEASED_LIMIT, ReleasedRights
from searchaccess.core.ownership.released import shown
from searchaccess.core.status.events import Note, note

_REVOCABLE = "spec.orphans.revoke takes them away"


def released(item: ReleasedRights) -> Note:
    """Return the event that rights stay although their SearchAccess is deleted."""
    return note(EventReason.RELEASED, f"{shown(item)}, stay for {item.principal} after its deletion; {_REVOCABLE}")


def taken_over(item: ReleasedRights) -> Note:
    """Return the event that rights count as released, as the metadata of their role says."""
    return note(EventReason.RELEASED, f"{shown(item)}, were released by an earlier version and stay; {_REVOCABLE}")


def left_out(number: int) -> Note:
    """Return the event that so many more parts of roles that say they were released do not count as that."""
    text = f"{number} more in the metadata of roles do not count as released: {RELEASED_LIMIT} are listed at most"
    return note(EventReason.RELEASED_ENDED, text)


def revoked(item: ReleasedRights) -> Note:
    """Return the event that released rights were revoked."""
    return note(EventReason.RELEASED_ENDED, f"{shown(item)}, were revoked")


def gone(item: ReleasedRights, *, some: bool) -> Note:
    """Return the event that somebody else took released rights, or some of them, out of Elasticsearch."""
    text = f"{shown(item)}, are not in Elasticsearch any more: somebody else changed or removed them"
    return note(EventReason.RELEASED_ENDED, f"some of {text}" if some else text)
