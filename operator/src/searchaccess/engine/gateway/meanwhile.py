"""Reconciles a gateway while something else is done that may take long, such as to write thousands of users."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from searchaccess.engine.concurrency.tasks import both
from searchaccess.engine.gateway.reconcile import SOONEST, GatewayReconciler
from searchaccess.engine.state import Scope, Session

AGAIN: Final = 5.0
"""Seconds after which limits that were declared meanwhile are searched for; that takes no request."""

T = TypeVar("T")


async def reconcile_meanwhile(
    gateway: GatewayReconciler,
    session: Session,
    scope: Scope,
    changed: Callable[[], None],
    work: Coroutine[Any, Any, T],
) -> T:
    """Do some work, and reconcile a gateway whenever something about it is due, until the work is done.

    Args:
        gateway: of the SearchCluster.
        session: the connected cluster.
        scope: what changed.
        changed: called after each reconcile of the gateway but the last.
        work: what may take long. If it fails, the gateway is not continued.

    Raises:
        BaseException: what the work raised.
        NotHolder: another replica owns the SearchCluster.
    """
    done = asyncio.Event()

    async def do() -> T:
        try:
            return await work
        finally:
            done.set()

    async def keep() -> None:
        await gateway.reconcile(session, scope)
        while not done.is_set():
            changed()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(SOONEST, min(AGAIN, gateway.delay()))):
                    await done.wait()
            if not done.is_set():
                await gateway.reconcile(session, Scope())

    try:
        result, _ = await both(do(), keep())
    finally:
        # A shutdown may come before it began.
        work.close()
    return result
