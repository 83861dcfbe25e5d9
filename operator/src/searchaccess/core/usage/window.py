"""From when on events are read, and what the status says then. Times are seconds since the epoch.

Nothing is remembered but what statuses have: of each SearchAccess its last use, and since when uses are known; of the
SearchCluster until when. What cannot be known is never taken for "not used".
"""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.accesses.usagestatus import UsageStatus
from searchaccess.api.times.moments import moment
from searchaccess.core.model.timeboxes.timebox import shown_time

LOOKBACK: Final = 30 * 86400.0
"""Seconds that the first read goes back."""
LATE: Final = 3600.0
"""Seconds by which an event may arrive in the index later than others and still count."""
STALE: Final = 86400.0
"""Seconds of age of the newest event from which something is wrong: the operator itself causes events all the time."""
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Window:
    """What one read covered.

    Attributes:
        since: the beginning.
        until: the end: when the newest event was, at most the time of the read.
        known_until: until when uses were known before; None: nothing was known.
    """

    since: float
    until: float
    known_until: float | None

    @property
    def continues(self) -> bool:
        """Whether nothing is missing between earlier reads and this one."""
        # Times in statuses are whole seconds.
        return self.known_until is not None and self.since <= self.known_until - LATE + 1


def begin_of(usage: UsageStatus | None, created: str, known_until: float | None, now: float, lookback: float) -> float:
    """Return from when on events matter for a SearchAccess.

    Args:
        usage: what its status says; None: nothing.
        created: when it was created (RFC 3339); empty: not known.
        known_until: until when uses are known; None: nothing is.
        now: the time.
        lookback: seconds that a first read goes back.
    """
    earliest = now - lookback
    if usage is not None and known_until is not None:
        return max(earliest, min(known_until, now) - LATE)
    return max(earliest, min(moment(created) or 0.0, now))


def needs_first(since: float, known_until: float | None, now: float) -> bool:
    """Return whether it matters when the first event was that the index still has: it may have deleted some meanwhile.

    Args:
        since: from when on events are read.
        known_until: until when uses are known; None: nothing is.
        now: the time.
    """
    return known_until is None or now - known_until > STALE or since < known_until - LATE - 1


def usage_after(usage: UsageStatus | None, used: float | None, window: Window, created: str, now: float) -> UsageStatus:
    """Return what a status says after a read; the same if that is not worth a write.

    Args:
        usage: what it says; None: nothing.
        used: the last use in the window; None: none.
        window: what was read.
        created: when the SearchAccess was created (RFC 3339); empty: not known.
        now: the time of the read.
    """
    known = moment(usage.last_used) if usage and usage.last_used else None
    newest = max((each for each in (known, used) if each is not None), default=None)
    begin = max(window.since, moment(created) or 0.0)
    since = usage.since if usage and window.continues else shown_time(int(begin))
    if usage and since == usage.since and _hour(newest) == _hour(known):
        return usage
    last = None if newest is None else shown_time(int(newest))
    return UsageStatus(last_used=last, observed_at=shown_time(int(now)), since=since)


def _hour(at: float | None) -> int | None:
    return None if at is None else int(at) // _HOUR
