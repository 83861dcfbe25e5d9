"""Back-off with jitter and a cap."""

import random
from typing import Final

FIRST: Final = 0.25
CAP: Final = 5.0
"""Seconds. Small, so that the loop is back within seconds after an outage."""


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
