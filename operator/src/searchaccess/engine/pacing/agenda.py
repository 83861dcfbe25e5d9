"""When items are due again: at a known time, or with back-off after a failure. Rights and credentials use it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.ports.clock import Clock

NEVER: Final = float("inf")


@dataclass(slots=True)
class _Item:
    at: float
    backoff: Backoff
    failing: bool = False


@dataclass(slots=True)
class Agenda:
    """Items by key, each with the time at which it is due. Times are the clock's monotonic seconds.

    Args:
        clock: gives the time.
        first: seconds of the first back-off.
        cap: seconds of the longest back-off.
    """

    clock: Clock
    first: float
    cap: float
    _items: dict[str, _Item] = field(default_factory=dict)

    def plan(self, key: str, after: float) -> None:
        """Record a success: the item is due again after so many seconds."""
        self._items[key] = _Item(self.clock.monotonic() + after, Backoff(self.first, self.cap))

    def fail(self, key: str, cap: float | None = None) -> float:
        """Record a failure; return the seconds after which the item is due again.

        Args:
            key: of the item.
            cap: limit of this delay in seconds; None: the limit of all.
        """
        item = self._items.setdefault(key, _Item(NEVER, Backoff(self.first, self.cap)))
        delay = item.backoff.next(cap)
        item.at, item.failing = self.clock.monotonic() + delay, True
        return delay

    def forget(self, key: str) -> None:
        """Remove an item."""
        self._items.pop(key, None)

    def keep(self, keys: Collection[str]) -> None:
        """Forget all other items."""
        for key in self._items.keys() - keys:
            del self._items[key]

    def is_backing_off(self, key: str) -> bool:
        """Return whether an item failed and is not due yet."""
        item = self._items.get(key)
        return item is not None and item.failing and item.at > self.clock.monotonic()

    def failing(self) -> frozenset[str]:
        """Return the items that fail."""
        return frozenset(key for key, item in self._items.items() if item.failing)

    def due(self) -> frozenset[str]:
        """Return the items that are due."""
        now = self.clock.monotonic()
        return frozenset(key for key, item in self._items.items() if item.at <= now)

    def delay(self) -> float:
        """Return the seconds until an item is due; infinity: there is none."""
        first = min((item.at for item in self._items.values()), default=NEVER)
        return max(0.0, first - self.clock.monotonic())
