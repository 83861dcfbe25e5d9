"""Virtual time passes, or the test fails."""

import asyncio
import itertools

import pytest

from tests.support.loop import clocks
from tests.support.loop.clocks import run_virtually


async def wait_forever(seconds: float) -> None:
    for _ in itertools.count():
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("seconds", [0.0, 1e-13, 1e-9])
def test_a_task_that_never_really_waits_is_a_failure(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "MOST_ROUNDS", 1000)
    with pytest.raises(RuntimeError, match="time stands still at 1000"):
        run_virtually(wait_forever(seconds))


def test_many_short_waits_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "MOST_ROUNDS", 1000)

    async def waits() -> None:
        for _ in range(5000):
            await asyncio.sleep(0.01)

    run_virtually(waits())
