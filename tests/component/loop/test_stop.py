"""A stop: what was begun is finished, nothing more begins, and it does not take forever."""

import asyncio
from typing import Any

from searchaccess.engine.concurrency.steps import Steps
from searchaccess.engine.host import STEPS_TIMEOUT, run_until_stopped
from tests.component.credentials.common import STORES, live, read, with_key
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import Stage, on_stage, search_cluster


def test_no_step_begins_once_it_is_closed_and_those_under_way_are_waited_for() -> None:
    async def play() -> None:
        steps, order = Steps(), []

        async def step(name: str, seconds: float) -> None:
            async with steps:
                await asyncio.sleep(seconds)
                order.append(name)

        first, second = asyncio.create_task(step("first", 1)), asyncio.create_task(step("second", 2))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(steps.close(5))
        await asyncio.sleep(0.1)
        late = asyncio.create_task(step("late", 0))
        await closing
        assert order == ["first", "second"]
        await asyncio.sleep(60)
        assert not late.done()
        late.cancel()
        await asyncio.gather(first, second)

        stuck = Steps()
        async with stuck:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await stuck.close(5)
            assert loop.time() - began == 5

    run_virtually(play())


def slow(stage: Stage, seconds: float) -> asyncio.Event:
    """Let the store take its time to add a version; return what is set when it begins."""
    store, begun = stage.stores.by_name["main"], asyncio.Event()
    add = store.add

    async def add_slowly(*arguments: Any) -> Any:
        begun.set()
        await asyncio.sleep(seconds)
        return await add(*arguments)

    store.add = add_slowly  # type: ignore[assignment, method-assign]
    return begun


async def stop_while_storing(stage: Stage, seconds: float) -> float:
    """Stop the operator while it stores a new key; return the seconds that it took."""
    stage.apply(search_cluster(secretStores=STORES))
    await stage.quiet()
    await stage.stores.open(stage.process.inventory.clusters["prod"].cluster.spec.secret_stores[0])  # type: ignore[union-attr]
    process = stage.process
    assert process is not None
    begun, stop = slow(stage, seconds), asyncio.Event()
    process.task.cancel()
    await asyncio.wait([process.task])
    running = asyncio.create_task(run_until_stopped(process.host, stop))
    stage.apply(with_key())
    await begun.wait()
    loop = asyncio.get_running_loop()
    began = loop.time()
    stop.set()
    await running
    stage.process = None
    return loop.time() - began


@on_stage
async def test_a_key_that_was_made_is_stored_before_it_stops(stage: Stage) -> None:
    taken = await stop_while_storing(stage, 2)
    assert taken < STEPS_TIMEOUT
    [key] = live(stage)
    assert read(stage) == key["id"]


@on_stage
async def test_a_store_that_does_not_answer_is_not_waited_for(stage: Stage) -> None:
    taken = await stop_while_storing(stage, 3600)
    assert STEPS_TIMEOUT <= taken <= STEPS_TIMEOUT + 2
    assert len(live(stage)) == 1, "made, and stored nowhere"
    stage.stores.by_name["main"].__dict__.pop("add")
    stage.start()
    await stage.quiet()
    [key] = live(stage)
    assert read(stage) == key["id"], "the next process cleans up"
