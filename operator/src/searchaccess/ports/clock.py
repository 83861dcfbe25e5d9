"""Time, as the loop sees it."""

from typing import Protocol


class Clock(Protocol):
    """A clock."""

    def now(self) -> str:
        """Give the time as RFC 3339, UTC, whole seconds."""

    def monotonic(self) -> float:
        """Give seconds from some point on; never runs backwards."""
