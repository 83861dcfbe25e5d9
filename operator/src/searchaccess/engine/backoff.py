"""Back-off with jitter and a cap, and how long a refusal may pass by itself."""

import random
from collections.abc import Callable
from typing import Final

from searchaccess.ports.errors import ExternalError, LoginRefused, PermissionDenied

FIRST: Final = 0.25
CAP: Final = 5.0
"""Seconds. Small, so that the loop is back within seconds after an outage."""
SPREADING: Final = 10.0
"""Seconds within which every API server knows a right, or a login, that was just granted."""
SPREADING_CAP: Final = 1.0
"""Seconds of the longest back-off meanwhile."""


class Backoff:
    """Delays that double up to a cap; each is drawn from the upper half of its range."""

    def __init__(self, first: float = FIRST, cap: float = CAP) -> None:
        self._first = first
        self._cap = cap
        self.failures = 0

    def next(self, cap: float | None = None) -> float:
        """Count a failure and return the seconds to wait.

        Args:
            cap: of this delay alone; None: that of all.
        """
        top = min(self._cap if cap is None else cap, self._first * float(1 << min(self.failures, 16)))
        self.failures += 1
        return top * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography

    def reset(self) -> None:
        """Reset after a success."""
        self.failures = 0


class Spreading:
    """Tells refusals that may pass, as what was granted a moment ago is still spreading, from those that do not.

    Args:
        now: gives the time, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since: float | None = None

    def may_pass(self, error: ExternalError) -> bool:
        """Return whether what was refused is to be tried again."""
        if not isinstance(error, LoginRefused | PermissionDenied):
            return False
        now = self._now()
        self._since = now if self._since is None else self._since
        return now - self._since < SPREADING
