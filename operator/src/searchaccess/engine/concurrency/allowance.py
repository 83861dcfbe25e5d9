"""How much pure work is done in one turn of the event loop, by all who share it."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from searchaccess.core.work import Work

T = TypeVar("T")

TURN: Final = 10_000
"""Steps of one turn, a microsecond or two each. The last comparison may exceed them by 6,000."""
LEAST: Final = 1_000
"""Steps that each may take in any case: usual work is finished at once, whatever others did in this turn."""


class Unfinished(Exception):
    """Work has parts left, for later turns."""


class Replaced(Exception):
    """The work is outdated: what it is about has changed."""


class Allowance:
    """The steps that are left in this turn of the event loop.

    Without an event loop nobody waits, and work is done at once.

    Args:
        steps: of each turn.
    """

    def __init__(self, steps: int = TURN) -> None:
        self._steps = steps
        self._left = steps
        self._renews = False
        self.taken = 0
        """Steps taken in total."""

    @property
    def is_low(self) -> bool:
        """Whether little is left: longer work waits for the next turn."""
        return self._left < self._steps // 2

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left of this turn for work that began in an earlier one."""
        return self._left <= self._steps // 2

    @staticmethod
    def is_shared() -> bool:
        """Return whether there is an event loop, so that there are other turns."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return False
        return True

    def advance(self, work: Work[T], *, waits: bool = False) -> T:
        """Do some work within what is left of this turn; return its result if that is all of it.

        Args:
            work: what to do; it continues where it was.
            waits: whether it began in an earlier turn: then it leaves half of each turn to new work.

        Raises:
            Unfinished: parts of it are left.
        """
        most = self._begin(self._steps // 2 if waits else 0)
        taken = 0
        try:
            while most is None or taken < most:
                taken += next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            self.taken += taken
            self._left -= taken
        raise Unfinished

    async def complete(self, work: Work[T], is_current: Callable[[], bool] = lambda: True) -> T:
        """Do some work in as many turns as it takes; return its result.

        Args:
            work: what to do.
            is_current: whether its result still counts; asked before each turn.

        Raises:
            Replaced: it does not.
        """
        while is_current():
            try:
                return self.advance(work, waits=True)
            except Unfinished:
                await asyncio.sleep(0)
        raise Replaced

    def _begin(self, spare: int) -> int | None:
        """Return how many steps are left in this turn; None: any number."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if not self._renews:
            self._renews = True
            loop.call_soon(self._renew)
        return max(LEAST, self._left - spare)

    def _renew(self) -> None:
        self._left, self._renews = self._steps, False
