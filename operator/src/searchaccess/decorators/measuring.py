"""Counts operations on external systems."""

import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeAlias, TypeVar

from searchaccess.ports.errors import ExternalError

P = ParamSpec("P")
T = TypeVar("T")

Count: TypeAlias = Callable[[str, str, float], None]
"""Takes an operation, its result (``ok``, a reason, or the kind of a fault) and seconds."""

Guard: TypeAlias = Callable[[], None]


class Measured:
    """Counts operations, and guards writes.

    Args:
        count: counts operations.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(self, count: Count, guard: Guard | None) -> None:
        self._count = count
        self._guard = guard

    async def _write(self, name: str, operation: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        if self._guard is not None:
            self._guard()
        return await self._do(name, operation, *args, **named)

    async def _do(self, name: str, operation: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        began, result = time.monotonic(), "ok"
        try:
            return await operation(*args, **named)
        except ExternalError as error:
            result = str(error.reason)
            raise
        except BaseException as error:  # raised again: cancellations and internal errors count too
            result = type(error).__name__
            raise
        finally:
            self._count(name, result, time.monotonic() - began)
