"""Steps that a shutdown should not interrupt: if it does, the next run has to clean up."""

import asyncio
from contextlib import suppress
from types import TracebackType


class Steps:
    """Counts the running steps; once closed, it lets no new one begin."""

    def __init__(self) -> None:
        self._running = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> None:
        if self._closed:
            # All tasks are cancelled soon after it is closed.
            await asyncio.get_running_loop().create_future()
        self._running += 1
        self._idle.clear()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    async def close(self, within: float) -> None:
        """Let no new steps begin, and wait for the running ones.

        Args:
            within: seconds to wait at most.
        """
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._idle.wait()
