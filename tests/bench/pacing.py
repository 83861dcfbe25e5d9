"""Clients that act at a steady pace: when each act is due, and how long each took."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

MILLISECONDS: Final = 1000


def due(phases: Sequence[float], every: float, times: int) -> list[float]:
    """Return the seconds after which each act begins, the earliest first.

    Args:
        phases: of each client, from 0 to 1: when it begins, as a share of ``every``.
        every: seconds between two acts of a client.
        times: how often each client acts.
    """
    return sorted((time + phase) * every for phase in phases for time in range(times))


async def paced(act: Callable[[], Awaitable[object]], begins: Sequence[float]) -> list[float]:
    """Begin each act when it is due, whether or not those before it ended; return the milliseconds that each took.

    They count from when it was due: a client that is held up by one act would otherwise begin the next one late, and
    hide how long it waited.

    Args:
        act: what to do.
        begins: the seconds from now after which each is due.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(begin: float) -> float:
        await asyncio.sleep(began + begin - loop.time())
        await act()
        return (loop.time() - began - begin) * MILLISECONDS

    return await asyncio.gather(*(one(begin) for begin in begins))
