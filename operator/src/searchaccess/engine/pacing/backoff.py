"""Back-off with jitter and a cap, and how long a refusal is retried because a new right takes time to spread."""

import random
from collections.abc import Callable
from typing import Final

from searchaccess.ports.errors import ExternalError, LoginRefused, PermissionDenied

FIRST: Final = 0.25
CAP: Final = 5.0
"""Seconds. Small, so that the loop is back within seconds after an outage."""
SPREADING: Final = 10.0
"""Seconds within which every API server knows a new right or login."""
SPREADING_CAP: Final = 1.0
"""Limit of the delays in seconds meanwhile."""


class Backoff:
    """Delays that double up to a cap; each is drawn from the upper half of its range."""

    def __init__(self, first: float = FIRST, cap: float = CAP) -> None:
        self._first = first
        self._cap = cap
        self.failures = 0

    def next(self, cap: float | None = None) -> float:
        """Count a failure and return the seconds to wait.

        Args:
            cap: limit of this delay; None: the limit of all.
        """
        top = min(self._cap if cap is None else cap, self._first * float(1 << min(self.failures, 16)))
        self.failures += 1
        return top * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography

    def reset(self) -> None:
        """Reset after a success."""
        self.failures = 0


class Spreading:
    """Decides which refusals are retried, because a right that was just granted takes time to spread.

    Args:
        now: returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since: float | None = None

    def may_pass(self, error: ExternalError) -> bool:
        """Return whether to retry after an error."""
        if not isinstance(error, LoginRefused | PermissionDenied):
            return False
        now = self._now()
        self._since = now if self._since is None else self._since
        return now - self._since < SPREADING
