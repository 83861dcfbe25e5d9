"""What policies say of SearchAccesses where that takes longer than a turn of the event loop (docs/adr/0067).

Such a judgment begins where somebody asks for it, and is continued in the background, a part in each turn. Until it is
finished, the answer is that it is not known: nothing new is granted, and nothing revoked.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Final, NamedTuple

from searchaccess.core.model.verdict import PolicyVerdict
from searchaccess.core.work import Work
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.allowance import LEAST, Allowance, Unfinished
from searchaccess.ports.meter import Meter

RETRY: Final = 30.0
"""Seconds after which a judgment is begun anew that an internal error ended."""
UNFINISHED: Final = PolicyVerdict(
    unknown="the policies are still being compared with it, which takes long: write fewer patterns, or simpler ones"
)
PLACE: Final = "policies"


class Key(NamedTuple):
    """What a judgment is about: a SearchAccess, by uid, on a SearchCluster."""

    uid: str
    cluster: str


class _Open(NamedTuple):
    question: Hashable
    work: Work[PolicyVerdict]


class _Known(NamedTuple):
    question: Hashable
    verdict: PolicyVerdict | Exception


class Judgments:
    """Judgments that take long.

    Args:
        meter: counts internal errors.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.allowance = Allowance()
        """Shared with all else that judges."""
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._known: dict[Key, _Known] = {}
        """What took longer than usual, so that it is not done again whenever something else changes."""
        self._waiting = asyncio.Event()
        self._retry_at: float | None = None
        """When those are begun anew that internal errors ended, by the event loop's clock; None: there are none."""

    @property
    def is_open(self) -> bool:
        """Whether any judgment is not finished."""
        return bool(self._open)

    def ask(
        self, key: Key, question: Callable[[], Hashable], begin: Callable[[], Work[PolicyVerdict]]
    ) -> PolicyVerdict:
        """Return what policies say, or ``UNFINISHED``. It is judged anew only if the question is another one.

        Args:
            key: what is judged.
            question: returns all that the answer depends on.
            begin: begins to judge.

        Raises:
            Exception: an internal error ended the judgment.
        """
        asked = question() if key in self._known or key in self._open else None
        known, begun = self._known.get(key), self._open.get(key)
        if known is not None and known.question == asked:
            if isinstance(known.verdict, Exception):
                raise known.verdict
            return known.verdict
        if begun is not None and begun.question == asked:
            return UNFINISHED
        self.forget(key)
        work, before = begin(), self.allowance.taken
        try:
            verdict = self.allowance.advance(work)
        except Unfinished:
            self._open[key] = _Open(question(), work)
            self._waiting.set()
            return UNFINISHED
        if self.allowance.taken - before > LEAST:
            self._known[key] = _Known(question(), verdict)
        return verdict

    def forget(self, key: Key) -> None:
        """Discard what is known or begun about a SearchAccess on a SearchCluster."""
        self._known.pop(key, None)
        self._open.pop(key, None)

    def forget_all(self, uid: str) -> None:
        """Discard what is known or begun about a SearchAccess that is gone."""
        for key in [key for key in (*self._known, *self._open) if key.uid == uid]:
            self.forget(key)

    async def run(self, finished: Callable[[str], None]) -> None:
        """Continue judgments until cancelled, each in its turn.

        Args:
            finished: called with the uid of a SearchAccess that is to be asked about again.
        """
        while True:
            if self._open:
                self._continue(finished)
                await asyncio.sleep(0)
            else:
                self._waiting.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._retry_at):
                        await self._waiting.wait()
            self._begin_failed_anew(finished)

    def _begin_failed_anew(self, finished: Callable[[str], None]) -> None:
        """Begin judgments anew that internal errors ended, once it is time, whatever else there is to do."""
        if self._retry_at is None or asyncio.get_running_loop().time() < self._retry_at:
            return
        self._retry_at = None
        for key in [key for key, known in self._known.items() if isinstance(known.verdict, Exception)]:
            self.forget(key)
            finished(key.uid)

    async def finish(self, finished: Callable[[str], None]) -> None:
        """Continue judgments until none is left, each in its turn; see ``run``."""
        while self._open:
            self._continue(finished)
            await asyncio.sleep(0)

    def _continue(self, finished: Callable[[str], None]) -> None:
        key, begun = next(iter(self._open.items()))
        try:
            verdict: PolicyVerdict | Exception = self.allowance.advance(begun.work, waits=True)
        except Unfinished:
            # The next one: nobody waits for another one's long judgment to end.
            self._open.move_to_end(key)
            return
        except Exception as error:  # noqa: BLE001 - the barrier between one judgment and all others
            caught(self._meter, key.cluster, PLACE, error)
            verdict = error
            self._retry_at = self._retry_at or asyncio.get_running_loop().time() + RETRY
        del self._open[key]
        self._known[key] = _Known(begun.question, verdict)
        finished(key.uid)
