"""Wakes a background task when there may be something to do."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn

from searchaccess.engine.pacing.agenda import NEVER

IDLE: Final = 1.0
"""Minimum of seconds between two rounds."""


class Wakeup:
    """Reports to one waiting task that there may be something to do."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the task, now or as soon as it waits."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether it was set, and the task has not noticed yet."""
        return self._event.is_set()

    async def wait(self, seconds: float = NEVER) -> None:
        """Wait until it is set, or for a time.

        Args:
            seconds: the time; infinity: no limit.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == NEVER else max(0.0, seconds)):
                await self._event.wait()
        self._event.clear()

    async def rounds(self, do_due: Callable[[], Awaitable[float]]) -> NoReturn:
        """Do what is due whenever it is set, and when it is time, until cancelled.

        Args:
            do_due: does what is due, and returns the seconds until something is due again; infinity: not before it is
                set again.
        """
        delay = NEVER
        while True:
            await self.wait(delay)
            delay = await do_due()
            if delay < NEVER:
                await asyncio.sleep(IDLE)
                delay -= IDLE
