"""Collects garbage at quiet times: a collection traverses all live objects, and blocks the event loop meanwhile.

Almost everything is freed with its last reference. Cycles are found by collections: the frequent ones traverse only new
objects and take a millisecond. A full one takes 60 ms with 10,000 SearchAccesses, and up to 200 ms while their roles
are read. https://docs.python.org/3.11/library/gc.html
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

EVERY: Final = 60.0
"""Seconds between two full collections."""
RETRY: Final = 1.0
"""Seconds after which it is tried again while there is work."""
TRIES: Final = 600
"""Tries after which it runs in any case."""
NEVER: Final = 1_000_000
"""Collections of the middle generation before Python starts a full one by itself."""


def freeze_live_objects() -> None:
    """Exclude the current objects from all collections, as listed objects stay; disable automatic full collections."""
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)


async def collect_when_quiet(is_busy: Callable[[], bool]) -> None:
    """Collect garbage periodically until cancelled.

    Args:
        is_busy: returns whether there is work.
    """
    while True:
        await asyncio.sleep(EVERY)
        for _ in range(TRIES):
            if not is_busy():
                break
            await asyncio.sleep(RETRY)
        gc.collect()
