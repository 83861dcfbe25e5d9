"""Time for the engine."""

from typing import Protocol


class Clock(Protocol):
    """A clock."""

    def now(self) -> str:
        """Return the time as RFC 3339, UTC, whole seconds."""

    def monotonic(self) -> float:
        """Return seconds since some point; never runs backwards."""
