"""When kopf's lists are taken to have begun."""

import asyncio
import subprocess
import sys
from typing import Any

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kopf._cogs.aiokits.aiotasks import create_guarded_task

from searchaccess.api.constants import ANNOTATION_BREAK_GLASS
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.sources.events import (
    ONE_LIST,
    NotOfKopf,
    UnderWay,
    WatchStarts,
    register_accesses,
    session_of,
    sieve_of,
)
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


SECOND_PAGE = "/apis/searchaccess.dev/v1alpha1/searchaccesses?continue=x"
MANY = 50


def _version(number: int, version: int, **more: Any) -> dict[str, Any]:
    raw = a_search_access(f"orders-{number}", **more)
    raw["metadata"]["resourceVersion"] = str(version)
    return raw


def _known() -> Inventory:
    inventory = Inventory()
    for number in range(MANY):
        inventory.see_access(_version(number, 100))
        inventory.wrote(f"uid-orders-{number}", "200")
    return inventory


def test_kopf_gets_nothing_that_our_own_writes_caused() -> None:
    async def play() -> None:
        watch_starts, calls = counted()
        passes = sieve_of(_known(), watch_starts, UnderWay())
        own = [_version(number, 200, status={"access": "r"}) for number in range(MANY)]
        assert not any(passes("SearchAccess", event, raw) for event in ("ADDED", "MODIFIED") for raw in own)
        assert not calls, "nothing was listed"
        assert not any(passes("SearchAccess", None, raw) for raw in own)
        assert calls == ["began"], "a list is noticed although kopf gets nothing of it"

    run_virtually(play())


def test_kopf_gets_all_that_is_new() -> None:
    async def play() -> None:
        passes = sieve_of(_known(), counted()[0], UnderWay())
        assert passes("SearchAccess", "MODIFIED", _version(1, 201))
        assert passes("SearchAccess", "MODIFIED", _version(1, 200, generation=2))
        assert passes("SearchAccess", "ADDED", _version(MANY, 1))
        assert passes("SearchAccess", None, _version(MANY, 1))
        for event in ("DELETED", "BOOKMARK", "ERROR"):
            assert passes("SearchAccess", event, _version(1, 200)), "it ends, or says where the watch goes on"
        assert passes("SearchCluster", "MODIFIED", _version(1, 200))

    run_virtually(play())


def test_kopf_gets_what_undoes_a_change_that_it_was_just_given() -> None:
    """All lines of a chunk are sifted before kopf handles the first: one chunk may have all that a watch missed."""

    async def play() -> None:
        inventory, under_way = _known(), UnderWay()
        passes = sieve_of(inventory, counted()[0], under_way)
        asked, withdrawn = _version(1, 150, annotations={ANNOTATION_BREAK_GLASS: "outage"}), _version(1, 160)
        own = _version(1, 200, status={"access": "r"})
        given = [raw for raw in (asked, withdrawn, own) if passes("SearchAccess", "MODIFIED", raw)]
        registry = kopf.OperatorRegistry()
        register_accesses(registry, inventory, under_way)
        (handler,) = registry._watching.get_all_handlers()
        handle: Any = handler.fn
        for raw in given:
            await handle(event={"type": "MODIFIED", "object": raw})
        assert not inventory.accesses["uid-orders-1"].access.break_glass
        assert withdrawn not in under_way, "the next own write is dropped again"
        assert passes("SearchAccess", "MODIFIED", _version(1, 201))
        await handle(event={"type": "DELETED", "object": withdrawn})
        assert withdrawn not in under_way

    run_virtually(play())


def test_a_list_for_kopf_has_only_what_is_new() -> None:
    async def play() -> None:
        async def answer(_: web.Request) -> web.Response:
            items = [*(_version(number, 200) for number in range(MANY)), _version(MANY, 1)]
            return web.json_response({"kind": "SearchAccessList", "metadata": {"resourceVersion": "7"}, "items": items})

        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        async with TestServer(application) as server:
            made = session_of(kopf.ConnectionInfo(server="x"), sieve=sieve_of(_known(), counted()[0], UnderWay()))
            async with made.aiohttp_session as session, session.get(server.make_url(SECOND_PAGE)) as response:
                found = await response.json()
        assert [item["metadata"]["name"] for item in found["items"]] == [f"orders-{MANY}"]
        assert found["metadata"] == {"resourceVersion": "7"}

    asyncio.run(play())


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
