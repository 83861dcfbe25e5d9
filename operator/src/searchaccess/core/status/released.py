"""Events about released rights, on their SearchCluster."""

from searchaccess.api.clusters.status import RELEASED_LIMIT, ReleasedRights
from searchaccess.api.conditions.events import EventReason
from searchaccess.core.ownership.released import shown
from searchaccess.core.status.events import Note, note

_REVOCABLE = "spec.orphans.revoke revokes them"


def released(item: ReleasedRights) -> Note:
    """Return the event that rights stay although their SearchAccess is deleted."""
    return note(EventReason.RELEASED, f"{shown(item)}, stay for {item.principal} after its deletion; {_REVOCABLE}")


def taken_over(item: ReleasedRights) -> Note:
    """Return the event that rights count as released, as the metadata of their role says."""
    return note(EventReason.RELEASED, f"{shown(item)}, were released by an earlier version and stay; {_REVOCABLE}")


def left_out(number: int) -> Note:
    """Return the event that more rights are marked as released in roles than count as released."""
    text = f"{number} more in the metadata of roles do not count as released: at most {RELEASED_LIMIT} are listed"
    return note(EventReason.RELEASED_ENDED, text)


def revoked(item: ReleasedRights) -> Note:
    """Return the event that released rights were revoked."""
    return note(EventReason.RELEASED_ENDED, f"{shown(item)}, were revoked")


def gone(item: ReleasedRights, *, some: bool) -> Note:
    """Return the event that somebody else removed released rights, or some of them, from Elasticsearch."""
    text = f"{shown(item)}, are no longer in Elasticsearch: somebody else changed or removed them"
    return note(EventReason.RELEASED_ENDED, f"some of {text}" if some else text)
