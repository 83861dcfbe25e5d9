"""Time, as the loop uses it."""

from typing import Protocol


class Clock(Protocol):
    """A clock."""

    def now(self) -> str:
        """Return the time as RFC 3339, UTC, whole seconds."""

    def monotonic(self) -> float:
        """Return seconds from some point on; never runs backwards."""
