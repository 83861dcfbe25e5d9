"""Keeps requests below a quota."""

import asyncio

from searchaccess.ports.clock import Clock


class TokenBucket:
    """Lets so many requests through at once, and then so many a second.

    Args:
        clock: the time.
        rate: requests a second in the long run.
        burst: requests that may be made at once after a rest.
    """

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled: float | None = None
        self._queue = asyncio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be made."""
        async with self._queue:
            self._fill()
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self._rate)
                self._fill()
            self._tokens -= 1

    def _fill(self) -> None:
        now = self._clock.monotonic()
        if self._filled is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
