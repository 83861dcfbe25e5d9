"""When kopf's lists are taken to have begun."""

import asyncio
import subprocess
import sys

import pytest

from searchaccess.operator.events import ONE_LIST, Beginnings
from tests.support.clocks import run_virtually
from tests.unit.builders import a_search_access

LISTED = {"type": None, "object": a_search_access()}
CHANGED = {"type": "MODIFIED", "object": a_search_access()}


def counted() -> tuple[Beginnings, list[str]]:
    calls: list[str] = []
    return Beginnings(lambda: calls.append("began")), calls


def test_all_that_one_list_has_is_one_beginning() -> None:
    async def play() -> None:
        beginnings, calls = counted()
        for _ in range(5):
            beginnings.see(LISTED)
            await asyncio.sleep(ONE_LIST)
        beginnings.presume()
        assert calls == ["began"]

    run_virtually(play())


def test_a_list_after_trouble_is_another_beginning() -> None:
    async def play() -> None:
        beginnings, calls = counted()
        beginnings.see(LISTED)
        await asyncio.sleep(ONE_LIST + 1)
        beginnings.see(CHANGED)
        assert calls == ["began"]
        beginnings.see(LISTED)
        assert calls == ["began"] * 2

    run_virtually(play())


@pytest.mark.parametrize("changes", [0, 3])
def test_a_list_of_nothing_is_presumed(changes: int) -> None:
    async def play() -> None:
        beginnings, calls = counted()
        for _ in range(changes):
            beginnings.see(CHANGED)
        assert not calls
        beginnings.presume()
        assert calls == ["began"]

    run_virtually(play())


def test_the_kubernetes_client_does_not_bring_googles_library_along() -> None:
    code = "import sys, searchaccess.cli.main; assert 'google.auth' not in sys.modules; import google.auth"
    subprocess.run([sys.executable, "-c", code], check=True)
