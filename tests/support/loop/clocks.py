"""Time for tests: set by hand, or virtual, so that nobody waits."""

import asyncio
import functools
import selectors
from collections.abc import Coroutine
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, 10, tzinfo=UTC)

MOMENT = 0.001
MOST_ROUNDS = 200_000
"""Rounds of an event loop within so many seconds of virtual time at most; the largest tests need a tenth of them."""


@functools.lru_cache(maxsize=1024)
def rfc3339(seconds: float) -> str:
    """Return the time so many seconds after the tests' epoch."""
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self.seconds = seconds
        self.offset = 0.0
        """By how much the time of day is wrong."""

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> str:
        return rfc3339(self.seconds + self.offset)

    def monotonic(self) -> float:
        return self.seconds


class LoopClock:
    """The time of the running event loop: virtual under ``run_virtually``."""

    offset: float = 0.0
    """Seconds by which the wall clock was moved; what is monotonic does not show it."""

    def now(self) -> str:
        return rfc3339(self.monotonic() + self.offset)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait: it moves the time to when the next timer is due."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1000.0
        self._moment, self._rounds = 0.0, 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._count()
        # While tasks are ready, the system is not asked: in virtual time they soon rest.
        if timeout == 0:
            return []
        if found := super().select(0):
            return found
        if timeout is None:
            raise RuntimeError("nothing is due and nothing will ever happen: a task waits forever")
        self.seconds += max(timeout, 0)
        return []

    def _count(self) -> None:
        """Fail if time stands still: a task that waits for less than the clock can show would run forever."""
        if self.seconds - self._moment > MOMENT:
            self._moment, self._rounds = self.seconds, 0
        self._rounds += 1
        if self._rounds > MOST_ROUNDS:
            self._rounds = 0  # For what is cancelled then.
            raise RuntimeError(f"time stands still at {self.seconds}: a task runs again and again without waiting")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which sleeping takes no time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds


class VirtualRunner:
    """Runs one coroutine after the other on a loop that lives on between them, in virtual time.

    An ``asyncio.Runner`` installs a handler of signals for each, which costs more than most of them.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        self._loop = self._runner.get_loop()
        self._context = copy_context()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self._loop.run_until_complete(self._loop.create_task(main, context=self._context))

    def close(self) -> None:
        """Cancel what still runs, and close the loop."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def virtual_runner() -> VirtualRunner:
    """Return a runner whose loop lives on between runs, in virtual time."""
    return VirtualRunner()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with virtual_runner() as runner:
        return runner.run(main)
