"""Long work in small parts, so that the event loop is never held: others run between two parts."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

CHUNK: Final = 100
"""SearchAccesses or principals that are dealt with before other tasks may run: a few milliseconds."""


async def in_chunks(items: Iterable[T], size: int = CHUNK) -> AsyncIterator[T]:
    """Yield items one by one, and let other tasks run after so many.

    Args:
        items: are read as they are given: a collection that others change meanwhile must be copied first.
        size: of a chunk.
    """
    for number, item in enumerate(items, 1):
        yield item
        if not number % size:
            await asyncio.sleep(0)
