"""Limits how often something is written about one object."""

from dataclasses import dataclass, field
from typing import Final

FORGET_AT: Final = 1000
"""Objects to remember before those whose burst is full again are forgotten."""


@dataclass(slots=True)
class ObjectRate:
    """Limits what is written about each object, so that one that changes all the time does not flood the API server.

    Args:
        burst: writes that may happen at once.
        refill: seconds after which one more may happen.
    """

    burst: int
    refill: float
    _spent: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By uid, how much of its burst is spent, and since when."""
    _forget_at: int = FORGET_AT

    def take(self, uid: str, number: int, now: float) -> int:
        """Return how many writes about an object are allowed now; they count as done.

        Args:
            uid: of the object.
            number: how many are wanted.
            now: the monotonic clock.
        """
        if not number:
            return 0
        spent = self._spent_now(uid, now)
        allowed = min(number, int(self.burst - spent))
        self._spent[uid] = (spent + allowed, now)
        if len(self._spent) > self._forget_at:
            self._spent = {one: known for one, known in self._spent.items() if self._spent_now(one, now) > 0}
            self._forget_at = max(FORGET_AT, 2 * len(self._spent))
        return allowed

    def _spent_now(self, uid: str, now: float) -> float:
        spent, since = self._spent.get(uid, (0.0, now))
        return max(0.0, spent - (now - since) / self.refill)
