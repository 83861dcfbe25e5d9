"""How fast Google is asked."""

import asyncio

from searchaccess.decorators.paced import TokenBucket
from tests.support.clocks import LoopClock, run_virtually


async def _take(bucket: TokenBucket, count: int) -> float:
    """Take so many at once; give the seconds that it took."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await asyncio.gather(*(bucket.take() for _ in range(count)))
    return loop.time() - begin


def test_a_burst_goes_through_at_once_and_the_rest_by_the_rate() -> None:
    async def play() -> None:
        bucket = TokenBucket(LoopClock(), rate=10, burst=100)
        assert await _take(bucket, 100) == 0
        assert round(await _take(bucket, 50), 3) == 5

    run_virtually(play())


def test_after_a_rest_no_more_than_a_burst_goes_through_at_once() -> None:
    async def play() -> None:
        bucket = TokenBucket(LoopClock(), rate=10, burst=20)
        await _take(bucket, 20)
        await asyncio.sleep(3600)
        assert await _take(bucket, 20) == 0
        assert round(await _take(bucket, 1), 3) == 0.1

    run_virtually(play())
