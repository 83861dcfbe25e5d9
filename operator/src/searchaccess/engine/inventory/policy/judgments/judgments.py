"""What policies say of SearchAccesses where that takes longer than a turn of the event loop (docs/adr/0067, 0069).

Such a judgment begins where somebody asks for it, and is continued in the background, a part in each turn. Until it is
finished, the answer is that it is not known: nothing new is granted, and nothing revoked. What was refused before stays
so, and so does what is edited again and again before it is judged.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import PolicyVerdict
from searchaccess.core.policy.guardrails.verdicts import Basis
from searchaccess.core.work import Tally, Work
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.allowance import LEAST, Allowance, Unfinished
from searchaccess.engine.inventory.policy.judgments.edits import Edits, Name
from searchaccess.engine.inventory.policy.judgments.queue import FairQueue
from searchaccess.ports.meter import Meter

RETRY: Final = 30.0
"""Seconds after which a judgment is begun anew that an internal error ended."""
CROWD: Final = 20
"""Judgments of one namespace that wait, from which on another one of it waits, too, before it begins."""
ACTED_ON: Final = 10.0
"""Seconds after which an answer had its effect: an edit before that may have discarded it."""
EACH_TURN: Final = 20
"""Judgments that are continued in one turn at most: each that is finished has its SearchAccess looked at."""
UNFINISHED: Final = PolicyVerdict(
    unknown="the policies are still being compared with it, which takes long: write fewer patterns, or simpler ones"
)
REFUSED_BEFORE: Final = PolicyVerdict(
    unknown="policies refused it before, and are still being compared with it as it is now, which takes long: it has "
    "no rights until that is finished; write fewer patterns, or simpler ones",
    revoked=True,
)
EDITED_TOO_OFTEN: Final = PolicyVerdict(
    unknown="it, or the labels of its namespace, were edited again and again before the policies could be compared "
    "with it: it has no rights until that is finished. Leave it unchanged for some seconds, and find out who edits it",
    revoked=True,
)
MEANWHILE: Final = (UNFINISHED, REFUSED_BEFORE)
"""Verdicts on a SearchAccess that nobody edited while it is judged again."""
PLACE: Final = "policies"


class Key(NamedTuple):
    """What a judgment is about: a SearchAccess, by uid, on a SearchCluster."""

    uid: str
    cluster: str
    namespace: str
    name: str

    @property
    def named(self) -> Name:
        """The SearchAccess, whether it was recreated or not."""
        return Name(self.namespace, self.name)


class _Open(NamedTuple):
    basis: Basis
    work: Work[PolicyVerdict]
    tally: Tally
    excused: bool
    """Whether it was answered as it is: only what others changed is why it is judged again."""


class _Known(NamedTuple):
    basis: Basis
    verdict: PolicyVerdict | Exception
    tally: Tally
    at: float


class Judgments:
    """Judgments that take long.

    Args:
        meter: counts internal errors.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.allowance = Allowance()
        """Shared with all else that judges."""
        self._open = FairQueue[Key, _Open]()
        self._known: dict[Key, _Known] = {}
        """What took longer than usual, so that it is not done again whenever something else changes."""
        self._edits = Edits(_now)
        self._waiting = asyncio.Event()
        self._failed = dict[str, Callable[[], None] | None]()
        """By uid of a SearchAccess at which an internal error occurred, what is done before it is asked about again."""
        self._retry_at: float | None = None
        """When these are to be asked about again, by the event loop's clock; None: there are none."""
        self._retried = dict[str, Callable[[], None] | None]()
        """Those of which the time has come, some in each turn: one fault may concern all SearchAccesses."""

    @property
    def is_open(self) -> bool:
        """Whether any judgment is not finished."""
        return bool(self._open)

    def ask(
        self,
        key: Key,
        basis: Callable[[], Basis],
        begin: Callable[[Tally], Work[PolicyVerdict]],
        may_revoke: Callable[[], bool],
    ) -> PolicyVerdict:
        """Return what policies say; or ``UNFINISHED``, ``REFUSED_BEFORE`` or ``EDITED_TOO_OFTEN``.

        It is judged anew only if what the answer depends on changed.

        Args:
            key: what is judged.
            basis: returns all that the answer depends on.
            begin: begins to judge; it counts the steps that no other SearchAccess needs.
            may_revoke: returns whether the answer may be that rights are revoked.

        Raises:
            Exception: an internal error ended the judgment.
        """
        self._edits.come(key.named)
        known, begun = self._known.get(key), self._open.get(key)
        now = basis() if known or begun else None
        if now and known and known.basis.all == now.all:
            if isinstance(known.verdict, Exception):
                raise known.verdict
            return known.verdict
        if now and begun and begun.basis.all == now.all:
            return self._meanwhile(key, may_revoke, excused=begun.excused)
        excused, tally = self._discard(key, now), Tally()
        work = begin(tally)
        if self._must_wait(key):
            self._put(key, _Open(basis(), work, tally, excused))
            return self._meanwhile(key, may_revoke, excused=excused)
        before = self.allowance.taken
        try:
            verdict = self.allowance.advance(work)
        except Unfinished:
            self._put(key, _Open(basis(), work, tally, excused))
            return self._meanwhile(key, may_revoke, excused=excused)
        if self.allowance.taken - before > LEAST:
            self._known[key] = _Known(basis(), verdict, tally, _now())
        self._note(key, verdict)
        return verdict

    def _must_wait(self, key: Key) -> bool:
        """Return whether a judgment begins only when its turn comes: others of its namespace wait, or it was edited."""
        is_late = self._open.of(key.namespace) >= CROWD or self._edits.are_too_many(key.named)
        return is_late and self.allowance.is_shared()

    def _meanwhile(self, key: Key, may_revoke: Callable[[], bool], *, excused: bool) -> PolicyVerdict:
        """Return the verdict that counts while it is judged."""
        was_refused = self._edits.was_refused(key.named, key.cluster)
        if not excused and self._edits.are_too_many(key.named) and (was_refused or may_revoke()):
            return EDITED_TOO_OFTEN
        return REFUSED_BEFORE if was_refused else UNFINISHED

    def _put(self, key: Key, begun: _Open) -> None:
        self._open.put(key, key.namespace, begun)
        self._waiting.set()

    def _note(self, key: Key, verdict: PolicyVerdict) -> None:
        if not verdict.unknown:
            self._edits.note(key.named, key.cluster, revokes=verdict.revokes)

    def _discard(self, key: Key, basis: Basis | None) -> bool:
        """Discard what is known or begun about a SearchAccess on a SearchCluster; count that if it was its own edit.

        Args:
            key: what was judged.
            basis: what the answer depends on now; None: there is none, as it is gone.

        Returns:
            Whether it was answered since its own last edit.
        """
        begun, known = self._open.pop(key), self._known.pop(key, None)
        former = begun or known
        if former is None:
            return False
        if basis is not None and former.basis.own == basis.own:
            return begun.excused if begun else known is not None and not isinstance(known.verdict, Exception)
        if begun or (known and _now() - known.at <= ACTED_ON):
            self._edits.discard(key.named, former.tally.steps)
        return False

    def leave(self, access: Access) -> None:
        """Discard what is known or begun about a SearchAccess on a SearchCluster that it does not name any more."""
        key = Key(access.uid, access.cluster, access.namespace, access.name)
        self._discard(key, None)
        self._edits.note(key.named, key.cluster, revokes=False)

    def forget_all(self, access: Access) -> None:
        """Discard what is known or begun about a SearchAccess that is gone."""
        self._failed.pop(access.uid, None)
        self._retried.pop(access.uid, None)
        for key in [key for key in (*self._known, *self._open) if key.uid == access.uid]:
            self._discard(key, None)
        self._edits.leave(Name(access.namespace, access.name))

    async def run(self, finished: Callable[[str], None]) -> None:
        """Continue judgments until cancelled, each in its turn.

        Args:
            finished: called with the uid of a SearchAccess that is to be asked about again.
        """
        while True:
            if self._open or self._retried:
                self._continue(finished)
                await asyncio.sleep(0)
            else:
                self._waiting.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._retry_at):
                        await self._waiting.wait()
            self._retry(finished)

    def retry(self, uid: str, before: Callable[[], None] | None = None) -> None:
        """Have a SearchAccess asked about again after a while: an internal error occurred.

        Args:
            uid: of the SearchAccess.
            before: called then before it is asked about: takes it in anew, where that failed. It never raises.
        """
        self._failed[uid] = before or self._failed.get(uid)
        if self._retry_at is None:
            self._retry_at = _now() + RETRY
            self._waiting.set()

    def _retry(self, finished: Callable[[str], None]) -> None:
        """Have those asked about again at which internal errors occurred, once it is time, whatever else there is."""
        if self._retry_at is not None and _now() >= self._retry_at:
            self._retried.update(self._failed)
            self._retry_at, self._failed = None, {}
            for key in [key for key, known in self._known.items() if isinstance(known.verdict, Exception)]:
                del self._known[key]
        for uid in list(islice(self._retried, EACH_TURN)):
            if (before := self._retried.pop(uid)) is not None:
                before()
            finished(uid)

    async def finish(self, finished: Callable[[str], None]) -> None:
        """Continue judgments until none is left, each in its turn; see ``run``."""
        while self._open:
            self._continue(finished)
            await asyncio.sleep(0)

    def _continue(self, finished: Callable[[str], None]) -> None:
        """Continue some judgments: of each namespace one, and one after the other, within what is left of this turn."""
        for _ in range(EACH_TURN):
            if (turn := self._open.take_turn()) is None:
                return
            self._advance(*turn, finished)
            if self.allowance.is_spent:
                return

    def _advance(self, key: Key, begun: _Open, finished: Callable[[str], None]) -> None:
        try:
            verdict: PolicyVerdict | Exception = self.allowance.advance(begun.work, waits=True)
        except Unfinished:
            return
        except Exception as error:  # noqa: BLE001 - the barrier between one judgment and all others
            caught(self._meter, key.cluster, PLACE, error)
            verdict = error
            self.retry(key.uid)
        self._open.pop(key)
        self._known[key] = _Known(begun.basis, verdict, begun.tally, _now())
        if not isinstance(verdict, Exception):
            self._note(key, verdict)
        finished(key.uid)


def _now() -> float:
    """Return the time of the event loop; 0 without one: then nothing is left unfinished."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0
