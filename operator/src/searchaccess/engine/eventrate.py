"""How many events about one object may be written."""

from dataclasses import dataclass, field
from typing import Final

BURST: Final = 25
"""Events about one object that may be written at once: client-go's limit of events about one object."""
REFILL: Final = 300.0
"""Seconds after which one more may."""
FORGET_AT: Final = 1000
"""Objects of which it is remembered before those that may have a whole burst again are forgotten."""


@dataclass(slots=True)
class EventRate:
    """Limits the events about each object, so that what comes and goes all the time does not fill the API server."""

    _spent: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By uid, how much of its burst is spent, and when that was so."""
    _forget_at: int = FORGET_AT

    def take(self, uid: str, number: int, now: float) -> int:
        """Return how many of some events about an object may be written now; they count as written.

        Args:
            uid: of the object.
            number: how many there are.
            now: the monotonic clock.
        """
        if not number:
            return 0
        spent = self._spent_now(uid, now)
        allowed = min(number, int(BURST - spent))
        self._spent[uid] = (spent + allowed, now)
        if len(self._spent) > self._forget_at:
            self._spent = {one: known for one, known in self._spent.items() if self._spent_now(one, now) > 0}
            self._forget_at = max(FORGET_AT, 2 * len(self._spent))
        return allowed

    def _spent_now(self, uid: str, now: float) -> float:
        spent, since = self._spent.get(uid, (0.0, now))
        return max(0.0, spent - (now - since) / REFILL)
