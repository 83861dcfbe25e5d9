"""Going through many items lets other tasks run."""

import asyncio

from searchaccess.engine.concurrency.chunks import CHUNK, in_chunks


async def test_others_run_now_and_then_while_many_items_are_gone_through() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    found = [item async for item in in_chunks(range(10_000))]
    task.cancel()
    assert found == list(range(10_000))
    assert turns >= 10_000 // CHUNK - 1
