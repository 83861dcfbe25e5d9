"""Runs coroutines concurrently; after an error none of them continues."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def with_background(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, Any]) -> A:
    """Run a coroutine, and another in the background until the first ends.

    Raises:
        BaseException: the first error, unchanged.
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
    """Run two coroutines concurrently; when one fails, the other is cancelled and has ended before this raises.

    Raises:
        BaseException: the first error, unchanged.
    """
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return first.result(), second.result()
