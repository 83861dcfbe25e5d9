"""Watches the namespaces that may be read, and restarts when others may."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

from searchaccess.engine.inventory.inventory import Inventory

Watch: TypeAlias = Callable[[list[str] | None, asyncio.Event], Awaitable[None]]
"""Takes the namespaces (None: all) and an event that ends it."""


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for the first of several to be over, and cancel the others."""
    waiters = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


async def watch_readable(inventory: Inventory, watch: Watch, stop: asyncio.Event) -> None:
    """Watch until stopped; whenever other namespaces may be read than before, end the watch and begin another.

    Args:
        inventory: knows which may be read.
        watch: watches some. If it ends by itself, this ends too.
        stop: set to end it.
    """
    while not stop.is_set():
        inventory.rewatch.clear()
        end = asyncio.Event()
        watching = asyncio.ensure_future(watch(inventory.watched.readable, end))
        await first_of(asyncio.wait([watching]), stop.wait(), inventory.rewatch.wait())
        by_itself = watching.done()
        end.set()
        await watching
        if by_itself:
            return
