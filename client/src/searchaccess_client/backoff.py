"""How long to wait before a retry when Elasticsearch is too busy for a request."""

import asyncio
import random
import time
from typing import Final

_FIRST: Final = 0.5
_LONGEST: Final = 8.0


def pause(retries: int) -> float:
    """Return the seconds to wait before the next retry; random, so that callers do not retry at the same time.

    Args:
        retries: number of earlier retries.
    """
    return min(_FIRST * 2.0 ** min(retries, 10), _LONGEST) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret.


def wait(retries: int) -> None:
    """Wait before the next retry.

    Args:
        retries: number of earlier retries.
    """
    time.sleep(pause(retries))


async def wait_async(retries: int) -> None:
    """Wait before the next retry, with asyncio.

    Args:
        retries: number of earlier retries.
    """
    await asyncio.sleep(pause(retries))
