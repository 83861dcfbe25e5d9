"""Splits long work into small parts, so that it does not block the event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

CHUNK: Final = 100
"""SearchAccesses or principals processed before other tasks may run: a few milliseconds."""


class Pace:
    """Lets other tasks run after a certain amount of work, where items differ in size.

    Args:
        size: of a chunk.
    """

    def __init__(self, size: int = CHUNK) -> None:
        self._size = size
        self._done = 0

    async def spent(self, amount: int) -> None:
        """Record how much was done since the last call."""
        self._done += max(amount, 1)
        if self._done >= self._size:
            self._done = 0
            await asyncio.sleep(0)


async def in_chunks(items: Iterable[T], size: int = CHUNK) -> AsyncIterator[T]:
    """Yield items one by one, and let other tasks run after each chunk.

    Args:
        items: read lazily: copy a collection that may change meanwhile.
        size: of a chunk.
    """
    for number, item in enumerate(items, 1):
        yield item
        if not number % size:
            await asyncio.sleep(0)
