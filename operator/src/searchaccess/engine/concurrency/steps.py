"""Steps that a stop should not interrupt: it may, but then the next run has to clean up."""

import asyncio
from contextlib import suppress
from types import TracebackType


class Steps:
    """Counts the running steps, and lets no more begin once it is closed."""

    def __init__(self) -> None:
        self._running = 0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> None:
        if self._closed:
            # Whoever closes it cancels everybody soon.
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
        """Let no more steps begin, and wait until those that are under way are done.

        Args:
            within: seconds after which they are waited for no longer.
        """
        self._closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._idle.wait()
