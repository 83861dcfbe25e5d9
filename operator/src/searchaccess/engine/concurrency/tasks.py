"""Runs coroutines concurrently; after an error none of them continues."""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

from searchaccess.ports.tasks import first_error_alone

A = TypeVar("A")
B = TypeVar("B")


async def with_background(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, Any]) -> A:
    """Run a coroutine, and another in the background until the first ends.

    Raises:
        BaseException: the first error, unchanged.
    """
    with first_error_alone():
        async with asyncio.TaskGroup() as group:
            second = group.create_task(other)
            result = await one
            second.cancel()
    return result


async def both(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Run two coroutines concurrently; when one fails, the other is cancelled and has ended before this raises.

    Raises:
        BaseException: the first error, unchanged.
    """
    with first_error_alone():
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    return first.result(), second.result()


async def all_of(work: Sequence[Awaitable[A]]) -> list[A]:
    """Do some work concurrently; return the results in order.

    Raises:
        BaseException: the first error, unchanged; the others are cancelled and have ended before this raises.
    """

    async def one(each: Awaitable[A]) -> A:
        return await each

    with first_error_alone():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in work]
    return [task.result() for task in tasks]


async def together(*coroutines: Coroutine[Any, Any, object]) -> None:
    """Run coroutines concurrently; when one fails, the others are cancelled and have ended before this raises.

    Raises:
        BaseException: the first error, unchanged.
    """
    with first_error_alone():
        async with asyncio.TaskGroup() as group:
            for each in coroutines:
                group.create_task(each)
