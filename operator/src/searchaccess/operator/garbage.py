"""Collects garbage at quiet times: a collection goes through all that lives, and holds the event loop meanwhile.

Almost everything is freed when its last reference goes. What is in cycles is found by collections: the frequent ones go
through what is new and take a millisecond. A full one takes 60 ms when 10,000 SearchAccesses are known, and up to
200 ms while their roles are read. https://docs.python.org/3.11/library/gc.html
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

EVERY: Final = 60.0
"""Seconds between two full collections."""
RETRY: Final = 1.0
"""Seconds after which one is tried again while there is work."""
TRIES: Final = 600
"""After so many, it is due in any case."""
NEVER: Final = 1_000_000
"""Collections of the middle generation before Python begins a full one by itself."""


def freeze_live_objects() -> None:
    """Leave what lives now out of all collections: it was listed, and stays. From now on none is full by itself."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)


async def collect_when_quiet(is_busy: Callable[[], bool]) -> None:
    """Collect garbage now and then, until cancelled.

    Args:
        is_busy: says whether there is work.
    """
    while True:
        await asyncio.sleep(EVERY)
        for _ in range(TRIES):
            if not is_busy():
                break
            await asyncio.sleep(RETRY)
        gc.collect()
