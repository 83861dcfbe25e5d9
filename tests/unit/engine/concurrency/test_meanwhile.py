"""What goes on beside a gateway's reconcile."""

import asyncio
import inspect
from typing import Any

import pytest

from searchaccess.engine.gateway.meanwhile import reconcile_meanwhile
from searchaccess.engine.state import Scope


async def test_work_that_a_shutdown_does_not_let_begin_is_closed() -> None:
    async def do() -> None:
        pytest.fail("it began")

    work = do()

    nothing: Any = None
    task = asyncio.create_task(reconcile_meanwhile(nothing, nothing, Scope(), nothing, work))
    await asyncio.sleep(0)
    for each in asyncio.all_tasks() - {asyncio.current_task()}:
        each.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
