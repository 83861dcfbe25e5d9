"""Work side by side."""

import asyncio

import pytest

from searchaccess.engine.concurrency.tasks import both, with_background
from searchaccess.ports.errors import Unreachable
from tests.support.failures.faults import Crash
from tests.support.loop.clocks import run_virtually


async def give(value: str) -> str:
    await asyncio.sleep(1)
    return value


def test_both_run_at_the_same_time() -> None:
    async def play() -> None:
        began = asyncio.get_running_loop().time()
        assert await both(give("one"), give("other")) == ("one", "other")
        assert asyncio.get_running_loop().time() - began == 1

    run_virtually(play())


@pytest.mark.parametrize(
    "error", [Unreachable("away"), KeyError("odd"), Crash()], ids=lambda error: type(error).__name__
)
def test_when_one_fails_the_other_has_ended_and_the_error_is_as_it_was(error: BaseException) -> None:
    done: list[str] = []

    async def fail() -> None:
        raise error

    async def go_on() -> None:
        try:
            await asyncio.sleep(60)
            done.append("went on")
        finally:
            done.append("ended")

    async def play() -> None:
        with pytest.raises(type(error)) as raised:
            await both(go_on(), fail())
        assert raised.value is error
        assert done == ["ended"]

    run_virtually(play())


def test_what_runs_beside_ends_with_the_other() -> None:
    ended: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("ended")

    async def play() -> None:
        assert await with_background(give("one"), for_ever()) == "one"
        assert ended == ["ended"]

    run_virtually(play())


@pytest.mark.parametrize(
    "error", [Unreachable("away"), KeyError("odd"), Crash()], ids=lambda error: type(error).__name__
)
def test_an_error_of_either_ends_both_and_is_as_it_was(error: BaseException) -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise error

    async def play() -> None:
        for one, other in ((fail(), asyncio.sleep(60)), (asyncio.sleep(60), fail())):
            with pytest.raises(type(error)) as caught:
                await with_background(one, other)
            assert caught.value is error

    run_virtually(play())
