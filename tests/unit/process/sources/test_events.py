"""When kopf's lists are taken to have begun."""

import asyncio
import subprocess
import sys

import kopf
import pytest
from kopf._cogs.aiokits.aiotasks import create_guarded_task

from searchaccess.operator.sources.events import ONE_LIST, NotOfKopf, WatchStarts
from tests.support.loop.clocks import run_virtually
from tests.unit.builders import a_search_access

LISTED = {"type": None, "object": a_search_access()}
CHANGED = {"type": "MODIFIED", "object": a_search_access()}


def counted() -> tuple[WatchStarts, list[str]]:
    calls: list[str] = []
    return WatchStarts(lambda: calls.append("began")), calls


def test_all_that_one_list_has_is_one_beginning() -> None:
    async def play() -> None:
        watch_starts, calls = counted()
        for _ in range(5):
            watch_starts.inspect(LISTED)
            await asyncio.sleep(ONE_LIST)
        watch_starts.assume_started()
        assert calls == ["began"]

    run_virtually(play())


def test_a_list_after_trouble_is_another_beginning() -> None:
    async def play() -> None:
        watch_starts, calls = counted()
        watch_starts.inspect(LISTED)
        await asyncio.sleep(ONE_LIST + 1)
        watch_starts.inspect(CHANGED)
        assert calls == ["began"]
        watch_starts.inspect(LISTED)
        assert calls == ["began"] * 2

    run_virtually(play())


@pytest.mark.parametrize("changes", [0, 3])
def test_a_list_of_nothing_is_presumed(changes: int) -> None:
    async def play() -> None:
        watch_starts, calls = counted()
        for _ in range(changes):
            watch_starts.inspect(CHANGED)
        assert not calls
        watch_starts.assume_started()
        assert calls == ["began"]

    run_virtually(play())


def test_kopf_ends_its_own_tasks_and_no_others() -> None:
    async def play() -> None:
        kopf_task = create_guarded_task(asyncio.sleep(3600), name="a worker of kopf")
        ours = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        await kopf.run_tasks([asyncio.create_task(asyncio.sleep(0))], ignored=(others := NotOfKopf()))
        assert kopf_task.cancelled()
        assert not ours.done()
        assert ours in others
        assert kopf_task not in others
        assert set(others) == {ours, asyncio.current_task()}
        assert len(others) == len(set(others))
        ours.cancel()

    run_virtually(play())


def test_the_kubernetes_client_does_not_bring_googles_library_along() -> None:
    code = "import sys, searchaccess.operator.app; assert 'google.auth' not in sys.modules; import google.auth"
    subprocess.run([sys.executable, "-c", code], check=True)
