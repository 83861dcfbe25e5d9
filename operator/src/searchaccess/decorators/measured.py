"""Counts requests to the outside, and their answers."""

import functools
import inspect
import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

from searchaccess.ports.errors import ExternalError

T = TypeVar("T")

Count = Callable[[str, str, float], None]
"""Takes an operation, its result (``ok`` or a reason) and seconds."""


class Measured:
    """Does what something else does, and counts its asynchronous operations.

    Args:
        real: what does it.
        count: counts.
        guard: called before each of the guarded operations; what it raises keeps that from being done.
        guarded: names of operations.
    """

    def __init__(
        self, real: Any, count: Count, guard: Callable[[], None] | None = None, guarded: Collection[str] = ()
    ) -> None:
        self._real = real
        self._count = count
        self._guard = guard
        self._guarded = guarded

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not inspect.iscoroutinefunction(found):
            return found
        wrapped = self._wrap(name, found)
        # So that it is looked up once.
        self.__dict__[name] = wrapped
        return wrapped

    def _wrap(self, name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(operation)
        async def call(*arguments: Any, **named: Any) -> Any:
            if self._guard is not None and name in self._guarded:
                self._guard()
            began, result = time.monotonic(), "ok"
            try:
                return await operation(*arguments, **named)
            except ExternalError as error:
                result = str(error.reason)
                raise
            except BaseException as error:  # raised again: what was cancelled, or is a fault of ours, counts too
                result = type(error).__name__
                raise
            finally:
                self._count(name, result, time.monotonic() - began)

        return call


def measured(real: T, count: Count, guard: Callable[[], None] | None = None, guarded: Collection[str] = ()) -> T:
    """Give something that does the same, and is counted and guarded."""
    return cast("T", Measured(real, count, guard, guarded))
