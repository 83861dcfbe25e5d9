"""Which namespaces are watched, when others may be read than before."""

import asyncio

from searchaccess.core.model.watched import Watched
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.sources.rewatching import watch_readable
from tests.support.loop.clocks import run_virtually


def test_when_other_namespaces_may_be_read_a_watch_ends_and_another_begins() -> None:
    async def play() -> None:
        inventory, stop = Inventory(watched=Watched(frozenset({"shop", "billing"}))), asyncio.Event()
        watched: list[list[str] | None] = []
        ended: list[list[str] | None] = []

        async def watch(namespaces: list[str] | None, end: asyncio.Event) -> None:
            watched.append(namespaces)
            await end.wait()
            await asyncio.sleep(2)
            ended.append(namespaces)

        watching = asyncio.create_task(watch_readable(inventory, watch, stop))
        await asyncio.sleep(1)
        assert watched == [["billing", "shop"]]
        inventory.see_unlisted({"billing"})
        await asyncio.sleep(1)
        assert watched == [["billing", "shop"]], "the first one has not ended yet"
        await asyncio.sleep(2)
        inventory.see_unlisted({"billing"})
        assert watched == [["billing", "shop"], ["shop"]]
        inventory.see_unlisted(())
        await asyncio.sleep(3)
        assert watched[2:] == [["billing", "shop"]]
        stop.set()
        await watching
        assert ended == watched

    run_virtually(play())


def test_a_watch_that_ends_by_itself_ends_all() -> None:
    async def play() -> None:
        async def watch(namespaces: list[str] | None, _end: asyncio.Event) -> None:
            assert namespaces is None

        await watch_readable(Inventory(), watch, asyncio.Event())

    run_virtually(play())
