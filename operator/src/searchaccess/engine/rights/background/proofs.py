"""Has Elasticsearch try each ``where``, in the background: no rights wait for it (docs/adr/0038)."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import inf
from operator import itemgetter
from typing import Final
from urllib.parse import quote

import structlog

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.admission import Admission
from searchaccess.core.policy.presence import is_addressable, matching
from searchaccess.core.policy.proofs import Question, Tried, Verdict, judged, not_seen, not_tried, questions_of
from searchaccess.core.status.aspects.proofs import recalled_proof
from searchaccess.engine.barrier import caught
from searchaccess.engine.beside import Beside
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.engine.questions import Known
from searchaccess.engine.rights.background.presence import PresenceReader
from searchaccess.engine.rights.background.visibility import Visibility
from searchaccess.engine.rights.members import Members
from searchaccess.engine.state import NAMES_LIMIT, ClusterState, Session
from searchaccess.ports.errors import ExternalError, NotHolder, PermissionDenied, Rejected, TransientError
from searchaccess.ports.tasks import first_error_alone

TRICKLE: Final = 6.0
"""Seconds between two retries of queries that were tried before: ten a minute."""
AGAIN: Final = 600.0
"""Seconds after which a proven query is tried again, if the cluster's state has changed since."""
AGAIN_SOON: Final = 60.0
"""The same for one that failed or has no index yet; and, in any case, for one that could not be tried."""
CHECK_EVERY: Final = 30.0
"""Seconds after which the end of a reconcile triggers a check of what is due."""
CHECK_SOON: Final = 10.0
"""The same if the cluster's state has changed."""
LEAST: Final = 0.05
"""Minimum of seconds to wait: a timer may end a moment too early."""
SLOTS: Final = 2
"""Queries that are tried at once: half of the connections remain for the loop."""
BATCH: Final = 200
"""Queries that are tried before results are reported and other work is checked."""
MOST_FAILURES: Final = 3
"""Reads of where aliases lead that fail before rights are granted by names alone: nobody is locked out by one read."""
MOST_NAMES: Final = 1_000
"""Indices on which a query is tried at most, for patterns that do not fit into a URL."""
_SOON: Final = frozenset({Reason.QUERY_FAILS, Reason.NO_INDEX_YET})
_DECIDED: Final = _SOON | {Reason.QUERIES_PROVEN}
"""Verdicts that only a change of the cluster's state changes."""
_FIXED: Final = frozenset({Reason.CANNOT_BE_TRIED, Reason.LOGIN_CANNOT_PROVE})
"""Verdicts that no retry changes."""
_ANSWERED: Final = _DECIDED | _FIXED | {Reason.REJECTED}


log = structlog.get_logger(__name__)


def ask_early(state: ClusterState, members: Members, principals: Iterable[str]) -> None:
    """Request tries of queries while roles are read and written, so that one status reports both.

    Args:
        state: what the reconciler knows about its cluster.
        members: SearchAccesses of the current reconcile.
        principals: the principals concerned.
    """
    for principal in principals:
        for record in members.records(principal):
            access = record.access
            if not questions_of(access.share) or access.deleted_at or access.invalid or access.fault:
                continue
            known = state.questions.known(access) or recalled_proof(record.status, access, state.uuid)
            if known is None and access.admission is Admission.ALLOWED:
                state.questions.ask(access)


class QueryProver:
    """Tries the queries of one cluster: new ones at once, others again if their indices may have changed.

    Args:
        beside: the SearchCluster.
    """

    def __init__(self, beside: Beside) -> None:
        context = beside.context
        self._context = context
        self._name = beside.name
        self._questions = beside.state.questions
        self._session = beside.settled_session
        self._visibility = Visibility(context.clock)
        self._presence = PresenceReader(context, beside.name, self._visibility)
        self._uuid = ""
        self._failures = 0
        """How often in a row it could not be read where aliases lead."""
        self._checked_at, self._checked_state = float("-inf"), ""
        """When due queries were last checked, and the cluster's state then."""
        self._began = context.clock.monotonic()
        self._fault: Verdict | None = None
        """The verdict on all waiting queries after an internal error."""
        self._next = float("-inf")
        """When the next retry may happen."""
        self._outdated: set[str] = set()
        """The uids of SearchAccesses whose status has another verdict than is known now."""

    @property
    def is_busy(self) -> bool:
        """Whether new queries wait to be tried or reported."""
        return bool(self._questions.waiting or self._outdated)

    async def run(self) -> None:
        """Try queries until cancelled. An internal error delays them, and affects nothing else."""
        backoff = Backoff(cap=CHECK_EVERY)
        while True:
            try:
                await self._loop()
            except Exception as error:  # noqa: BLE001 - the barrier: rights do not depend on proofs
                failure = caught(self._context.meter, self._name, "prove queries", error)
                self._fault = not_tried(failure.reason, failure.message)
            await asyncio.sleep(backoff.next())

    async def _loop(self) -> None:
        if self._fault:
            fault, self._fault = self._fault, None
            self._give_up(fault)
        while True:
            self._questions.asked.clear()
            session = self._session()
            if session is not None:
                self._checked_at, self._checked_state = self._now(), _state_of(session)
                try:
                    await self._step(session)
                except NotHolder:
                    pass
                except ExternalError as error:
                    log.info("cannot try queries", error=str(error))
                    self._give_up(not_tried(error.reason, error.message))
                    self._next = self._now() + AGAIN_SOON
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay(session)):
                    await self._questions.asked.wait()

    def wake(self) -> None:
        """Check what is due after a reconcile, if anything may be. When idle there is no other timer."""
        state, since = _state_of(self._session()), self._now() - self._checked_at
        if self.is_busy or since >= CHECK_EVERY or (state != self._checked_state and since >= CHECK_SOON):
            self._questions.asked.set()

    def _delay(self, session: Session | None) -> float | None:
        """Return the seconds until something is due; None: nothing before something changes."""
        state = _state_of(session)
        due = min((self._due_at(known, state) for known in self._questions.all.values()), default=inf)
        return None if session is None or due == inf else max(LEAST, max(due, self._next) - self._now())

    async def _step(self, session: Session) -> None:
        """Try what is due.

        Raises:
            ExternalError: nothing can be tried now.
        """
        self._follow(session)
        if self._visibility.is_stale() and (self._questions.all or self._presence.patterns):
            self._drop_unused()
            await self._visibility.refresh(
                session, (*_patterns(self._questions.all), *self._presence.patterns), refresh_all=True
            )
            self._apply_visibility(session)
        while self._questions.waiting:
            await self._visibility.refresh(session, _patterns(self._questions.waiting))
            await self._try_waiting(session)
        await self._presence.refresh(session, _state_of(session))
        await self._try_again(session)

    def _follow(self, session: Session) -> None:
        """Forget what is known of another cluster."""
        if session.state.uuid != self._uuid:
            if self._uuid:
                self._questions.ask_all_again()
            self._visibility.forget()
            self._presence.forget()
            self._uuid = session.state.uuid

    async def read_aliases(self, session: Session) -> None:
        """Read where aliases lead, once, before anything is granted that a policy may deny (docs/adr/0054).

        Raises:
            TransientError: it could not be read now; not if it failed several times in a row.
        """
        self._follow(session)
        if self._presence.knows_aliases or not self._context.inventory.policies.deny:
            return
        try:
            await self._presence.read_aliases(session)
        except ExternalError as error:
            self._failures += 1
            if isinstance(error, NotHolder) or (isinstance(error, TransientError) and self._failures < MOST_FAILURES):
                raise
            log.warning("cannot read where aliases lead: policies compare names alone", error=str(error))
            await self._presence.give_up_aliases()
        self._failures = 0

    def _drop_unused(self) -> None:
        for question in tuple(self._questions.all):
            if not self._is_used(question):
                del self._questions.all[question]
                self._questions.waiting.pop(question, None)
        for uid in self._questions.published.keys() - self._context.inventory.accesses.keys():
            del self._questions.published[uid]

    def _now(self) -> float:
        return self._context.clock.monotonic()

    def _apply_visibility(self, session: Session) -> None:
        """Apply the login's current visibility, which may have changed."""
        for question, known in list(self._questions.all.items()):
            hidden = self._visibility.hidden_of(question.indices)
            if known.verdict is None or known.verdict.reason is Reason.CANNOT_BE_TRIED:
                continue
            if hidden:
                self._take(question, not_seen(hidden), _state_of(session))
            elif known.verdict.reason is Reason.LOGIN_CANNOT_PROVE:
                self._questions.waiting[question] = None
        self._report()

    # New queries

    async def _try_waiting(self, session: Session) -> None:
        """Try some of the waiting queries.

        Raises:
            ExternalError: nothing can be tried now.
        """
        some = islice(tuple(self._questions.waiting), BATCH)
        with first_error_alone():
            async with asyncio.TaskGroup() as group:
                for _ in range(SLOTS):
                    group.create_task(self._try_each(session, some))
        self._report()

    async def _try_each(self, session: Session, questions: Iterator[Question]) -> None:
        for question in questions:
            await self._try(session, question)

    # Retries

    async def _try_again(self, session: Session) -> None:
        """Retry the query that has been due longest, if it is time; requeue those that could not be tried."""
        now, state, due = self._now(), _state_of(session), list[tuple[float, Question]]()
        for question, known in tuple(self._questions.all.items()):
            if (since := self._due_at(known, state)) > now:
                continue
            if not self._is_used(question):
                del self._questions.all[question]
                self._questions.waiting.pop(question, None)
            elif _is_untried(known):
                # If trying still fails, the first of them shows it.
                self._questions.waiting[question] = None
                self._questions.asked.set()
            else:
                due.append((since, question))
        if due and now >= self._next:
            question = min(due, key=itemgetter(0))[1]
            self._next = now + TRICKLE * await self._try(session, question)
            self._report()

    def _due_at(self, known: Known, state: str) -> float:
        """Return when a query that was tried before is due again; infinite: not unless something changes."""
        # A verdict known only from a status counts as tried at the start, so that a start triggers no try.
        at = max(known.at, self._began)
        reason = known.verdict.reason if known.verdict else Reason.QUERIES_PROVEN
        same = bool(state) and known.state == state
        if reason in _FIXED or (same and reason in _DECIDED):
            return inf
        return at + (AGAIN_SOON if reason in _SOON or _is_untried(known) else AGAIN)

    def _is_used(self, question: Question) -> bool:
        """Return whether any SearchAccess of this cluster still uses a query."""
        known, accesses = self._questions.all[question], self._context.inventory.accesses
        known.users = {
            uid
            for uid in known.users
            if (record := accesses.get(uid)) and record.declared.cluster == self._name
            if question in questions_of(record.access.share)
        }
        return bool(known.users)

    # One query

    async def _try(self, session: Session, question: Question) -> int:
        """Try one query, record the verdict, and return how many requests it took.

        Raises:
            ExternalError: nothing can be tried now.
        """
        state, requests = _state_of(session), 1
        try:
            verdict, requests = await self._ask(session, question)
        except PermissionDenied:
            verdict = not_seen(question.indices)
        except Rejected as error:
            verdict = not_tried(error.reason, error.message)
        except ExternalError:
            raise
        except Exception as error:  # noqa: BLE001 - the barrier between one query and all others
            failure = caught(self._context.meter, self._name, "prove queries", error)
            verdict = not_tried(failure.reason, failure.message)
        self._take(question, verdict, state)
        return requests

    async def _ask(self, session: Session, question: Question) -> tuple[Verdict, int]:
        if hidden := self._visibility.hidden_of(question.indices):
            return not_seen(hidden), 0
        tried, chunks = Tried(0), _in_addresses(await self._addressable(session, question.indices))
        for names in chunks:
            tried = tried.and_also(await session.port.try_query(names, question.query))
        return judged(question, tried), len(chunks)

    async def _addressable(self, session: Session, patterns: Sequence[str]) -> list[str]:
        found = [pattern for pattern in patterns if is_addressable(pattern)]
        if others := [pattern for pattern in patterns if not is_addressable(pattern)]:
            names = await self._visibility.names(session)
            if names is None:
                raise PermissionDenied("the operator's login may not read the names of indices")
            found += islice(dict.fromkeys(name for each in others for name in matching(each, names.names)), MOST_NAMES)
        return found

    def _give_up(self, verdict: Verdict) -> None:
        """Give all waiting queries a verdict, as they cannot be tried now."""
        for question in tuple(self._questions.waiting):
            self._take(question, verdict, "")
        self._report()

    def _take(self, question: Question, verdict: Verdict, state: str) -> None:
        """Record the verdict on a query."""
        questions = self._questions
        questions.waiting.pop(question, None)
        known = questions.all[question]
        known.verdict, known.at, known.state = verdict, self._now(), state
        for uid in known.users:
            record = self._context.inventory.accesses.get(uid)
            published = questions.published.get(uid)
            if record and published and question in questions_of(record.access.share):
                whole = questions.known(record.access)
                if whole is not None and whole != published:
                    self._outdated.add(uid)

    def _report(self) -> None:
        """Requeue SearchAccesses whose status is outdated."""
        outdated, self._outdated = self._outdated, set()
        for uid in outdated:
            if record := self._context.inventory.accesses.get(uid):
                self._context.inventory.marks.mark_access(record.access)


def _patterns(questions: Iterable[Question]) -> Iterator[str]:
    return (name for question in questions if not question.remote for name in question.indices)


def _state_of(session: Session | None) -> str:
    """Return the id of the cluster's state, which changes with every mapping; empty: not known."""
    return session.state.fingerprint.state if session and session.state.fingerprint else ""


def _is_untried(known: Known) -> bool:
    return known.verdict is not None and known.verdict.reason not in _ANSWERED


def _in_addresses(names: Sequence[str]) -> list[list[str]]:
    """Split names into parts that each fit into a URL."""
    parts: list[list[str]] = []
    room = 0
    for name in names:
        size = len(quote(name)) + 1
        if size > room:
            parts.append([])
            room = NAMES_LIMIT
        parts[-1].append(name)
        room -= size
    return parts
