"""How long to wait before a request is sent again that Elasticsearch was too busy for."""

import asyncio
import random
import time
from typing import Final

_FIRST: Final = 0.5
_LONGEST: Final = 8.0


def pause(retries: int) -> float:
    """Return the seconds to wait before one more retry; random, so that callers do not return all at once.

    Args:
        retries: how many there were before.
    """
    return min(_FIRST * 2.0 ** min(retries, 10), _LONGEST) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret.


def wait(retries: int) -> None:
    """Wait before one more retry.

    Args:
        retries: how many there were before.
    """
    time.sleep(pause(retries))


async def wait_async(retries: int) -> None:
    """Wait before one more retry, with asyncio.

    Args:
        retries: how many there were before.
    """
    await asyncio.sleep(pause(retries))
