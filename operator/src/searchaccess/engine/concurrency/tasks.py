"""Concurrent work, of which nothing continues after an error."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def with_background(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, Any]) -> A:
    """Run a coroutine, and another beside it for as long as it takes.

    Raises:
        BaseException: what the first of them raised that did, as it is.
    """
    try:
        async with asyncio.TaskGroup() as group:
            second = group.create_task(other)
            result = await one
            second.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return result


async def both(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Run two coroutines at the same time; when one fails, the other is cancelled and has ended when this raises.

    Raises:
        BaseException: what the first of them raised, as it is.
    """
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return first.result(), second.result()
