"""Wakes a task that looks for something to do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn

from searchaccess.engine.pacing.agenda import NEVER

IDLE: Final = 1.0
"""Seconds between two rounds at least."""


class News:
    """Says that there may be something to do."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Say so."""
        self._event.set()

    @property
    def is_told(self) -> bool:
        """Whether that was said, and nobody has waited for it yet."""
        return self._event.is_set()

    async def wait(self, seconds: float = NEVER) -> None:
        """Wait until somebody says so, or for a time.

        Args:
            seconds: the time; infinity: no end.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == NEVER else max(0.0, seconds)):
                await self._event.wait()
        self._event.clear()

    async def rounds(self, look: Callable[[], Awaitable[float]]) -> NoReturn:
        """Look for something to do, when somebody says so and when it is time, until cancelled.

        Args:
            look: does what is due, and returns the seconds until something is again; infinity: not before news.
        """
        delay = NEVER
        while True:
            await self.wait(delay)
            delay = await look()
            if delay < NEVER:
                await asyncio.sleep(IDLE)
                delay -= IDLE
