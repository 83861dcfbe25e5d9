"""Carries out decisions about credentials step by step, observing after each."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

import structlog

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key, Seen, Wish
from searchaccess.core.credentials.ending import outliving
from searchaccess.core.credentials.payload import build_payload
from searchaccess.core.credentials.pins import Pins
from searchaccess.core.credentials.rotation import Decision, decide, withdraw
from searchaccess.core.credentials.steps import (
    AskUsers,
    Destroy,
    Disable,
    Issue,
    Note,
    Prolong,
    Read,
    RemoveSecret,
    Revoke,
    Rewrite,
    Roll,
    Step,
    Update,
)
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.workload import Workload
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.status.credential import rfc3339
from searchaccess.engine.concurrency.steps import Steps
from searchaccess.engine.credentials.consumers import find_pins
from searchaccess.engine.credentials.issuers import Issuer, discard, issuers
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import (
    ExternalError,
    LoginCannotIssue,
    Rejected,
    WaitingError,
)
from searchaccess.ports.google import GooglePort
from searchaccess.ports.stores import Owner, Place, SecretStore

log = structlog.get_logger(__name__)

MOST_STEPS: Final = 20
"""Decisions in one reconcile at most. Far fewer are needed; the next reconcile does the rest."""


Clear: TypeAlias = Callable[[Owner, Iterable[tuple[str, str]], Collection[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """The credential of one SearchAccess."""

    access: Access
    wish: Wish
    place: Place
    store: SecretStore
    store_name: str
    url: str
    """Where consumers use it."""

    @property
    def owner(self) -> Owner:
        """The SearchAccess that the secret is for."""
        return owner_of(self.access)


@dataclass(slots=True)
class Outcome:
    """The result of a reconcile of a credential."""

    decision: Decision
    seen: Seen
    done: list[Step] = field(default_factory=list)
    """The steps that were performed, in order."""


class Credentials:
    """Credentials of one Elasticsearch cluster.

    Args:
        operator: this operator.
        port: the cluster.
        google: reports which versions Cloud Run uses.
        clock: the cluster's time.
        clear: deletes our secrets by store and name, except those whose identity is in use.
        steps: what a shutdown must not interrupt.
        by_api_key: the operator logs in by an API key.
    """

    def __init__(
        self,
        operator: Operator,
        port: ElasticsearchPort,
        google: GooglePort,
        clock: SharedClock,
        clear: Clear | None = None,
        steps: Steps | None = None,
        *,
        by_api_key: bool = False,
    ) -> None:
        self._by_api_key = by_api_key
        self._clear = clear
        self._steps = steps or Steps()
        self._google = google
        self._issuers = issuers(operator, port, clock)
        self._clock = clock

    @property
    def operations(self) -> int:
        """Writes to the security index so far, as far as they are known to have happened."""
        return sum(issuer.operations for issuer in self._issuers.values())

    async def keep(self, job: Job, keys: Sequence[Key]) -> Outcome:
        """Reconcile a credential.

        Args:
            job: the credential.
            keys: its working keys, as Elasticsearch reports them.

        Raises:
            LoginCannotIssue: it needs an API key, and the operator's login can create and change none.
            ExternalError: a step failed, or its outcome is unknown. The next reconcile continues.
        """
        return await self._run(job, keys, partial(self._decide, job))

    async def withdraw(self, job: Job, keys: Sequence[Key]) -> None:
        """Withdraw a credential: revoke the keys, then delete the secret.

        Raises:
            ExternalError: as above.
        """
        seen = Seen(tuple(keys))
        # Before the store is read: if it is unavailable, the rights must still go.
        for step in withdraw(job.access.uid, seen).steps:
            seen = await self._perform(job, step, seen)
        await self._run(job, seen.keys, partial(withdraw, job.access.uid))

    async def preview(self, job: Job, keys: Sequence[Key]) -> Outcome:
        """Return the next decision without performing it.

        Raises:
            ExternalError: the store cannot be read.
        """
        seen = await self._see(job, Seen(tuple(keys)))
        return Outcome(self._decide(job, seen), seen)

    async def cut_short(self, access: Access, keys: Sequence[Key]) -> tuple[Key, ...]:
        """Let keys that are held end with their SearchAccess, so that Elasticsearch ends them if nobody else does.

        Returns:
            The keys as they are then.

        Raises:
            ExternalError: one could not be changed, or its outcome is unknown.
        """
        step = outliving(keys, access.bounded_box.ends, self._clock.now())
        if step is None or self._by_api_key:
            return tuple(keys)
        async with self._steps:
            for issuer, some in self._by_issuer(step.keys):
                await issuer.prolong(some, step.lifetime)
        ends = self._clock.now() + step.lifetime
        return tuple(replace(key, expires=ends) if key in step.keys else key for key in keys)

    def _decide(self, job: Job, seen: Seen) -> Decision:
        dated = replace(seen, ages=self._clock.ages(seen.keys))
        return decide(job.wish, dated, self._clock.now())

    async def _run(self, job: Job, keys: Sequence[Key], decision_of: Callable[[Seen], Decision]) -> Outcome:
        seen = await self._see(job, Seen(tuple(keys)))
        done: list[Step] = []
        for _ in range(MOST_STEPS):
            decision = decision_of(seen)
            if self._by_api_key and any(_takes_a_key(step, job.wish) for step in decision.steps):
                raise LoginCannotIssue("the operator logs in with an API key, which cannot create or change others")
            for step in decision.steps:
                seen = await self._perform(job, step, seen)
                if not isinstance(step, AskUsers):
                    done.append(step)
            if not decision.steps:
                break
        return Outcome(decision, seen, done)

    async def _see(self, job: Job, seen: Seen) -> Seen:
        with at_store():
            found = await job.store.find(job.place)
        if found is None:
            return replace(seen, secret=None, holds={})
        same = seen.secret is not None and seen.secret.identity == found.secret.identity
        return replace(seen, secret=found.secret, holds={**(seen.holds if same else {}), **found.holds})

    async def _perform(self, job: Job, step: Step, seen: Seen) -> Seen:
        async with self._steps:
            return await self._do(job, step, seen)

    async def _do(self, job: Job, step: Step, seen: Seen) -> Seen:
        match step:
            case Issue():
                return await self._issue(job, step, seen)
            case Read() | AskUsers():
                return await self._learn(job, step, seen)
            case Note(key):
                return await self._note(job, step, _without(seen, (key,)))
            case Revoke():
                return await self._retire(job, step, seen)
            case Update() | Prolong():
                return await self._change(job, step, seen)
            case Roll(number):
                seen = await self._roll(job, number, seen)
            case _:
                with at_store():
                    await self._clear_up(job, step, seen)
        return await self._see(job, seen)

    async def _learn(self, job: Job, step: Read | AskUsers, seen: Seen) -> Seen:
        if isinstance(step, Read):
            with at_store():
                held = await job.store.read(job.place, step.number)
            return replace(seen, holds={**seen.holds, step.number: held})
        subject = job.access.subject
        pins = Pins({})
        if isinstance(subject, Workload) and seen.secret:
            pins = await find_pins(self._google, subject, seen.secret)
        return replace(seen, pins=pins)

    async def _roll(self, job: Job, number: int, seen: Seen) -> Seen:
        subject = job.access.subject
        if not isinstance(subject, Workload) or seen.secret is None:
            return replace(seen, pins=Pins({}))
        try:
            await self._google.roll(subject, seen.secret.names, number)
        except ExternalError as error:
            # What the workload uses keeps working, and the next reconcile retries.
            return replace(seen, pins=Pins({}, error.message))
        pins = seen.pins or Pins({})
        return replace(seen, pins=replace(pins, template=frozenset({number}), failed="", rolled=True))

    async def _clear_up(self, job: Job, step: Step, seen: Seen) -> None:
        match step:
            case Rewrite(number) if seen.secret:
                await job.store.rewrite(job.place, job.owner, seen.secret, number)
            case Disable(numbers) if seen.secret:
                await job.store.disable(job.place, seen.secret, numbers)
            case Destroy(numbers) if seen.secret:
                await job.store.destroy(job.place, seen.secret, numbers)
            case RemoveSecret() if seen.secret:
                await job.store.remove(job.place, seen.secret)
            case _:
                pass

    async def _issue(self, job: Job, step: Issue, seen: Seen) -> Seen:
        access, wish = job.access, job.wish
        issuer = self._issuers[wish.auth]
        place = (job.store_name, job.place.name)
        # In whole milliseconds, as recorded, so that reading it back gives the same times.
        now = round(self._clock.now(), 3)
        new = Key("", access.uid, step.sequence, now, None, wish.rights, requested=wish.requested)
        new = replace(
            new, namespace=access.namespace, place=place, auth=wish.auth, replaces=step.replaces, form=wish.form
        )
        key, secret = await issuer.issue(access, new, step.lifetime)
        self._clock.made(key)
        ends = rfc3339(key.expires) if key.expires else ""
        value = build_payload(wish.form, wish.auth, key.id, secret, job.url, ends)
        try:
            with at_store():
                slot = await job.store.add(job.place, job.owner, seen.secret, step.sequence, value)
        except (Rejected, WaitingError):
            # The value was certainly not stored, so nobody can use the key. After any other error it may be
            # stored and in use: the next reconcile finds out.
            await discard(issuer, key)
            raise
        return await self._note(job, Note(key, slot), await self._see(job, seen))

    async def revoke_with_secrets(
        self, owner: Owner, keys: Sequence[Key], places: Iterable[tuple[str, str]], in_use: Collection[str] = ()
    ) -> None:
        """Delete secrets, then revoke the keys: after an interruption in between, the keys show what is left.

        Args:
            owner: the SearchAccess that they are for.
            keys: what to revoke, even if a store is unavailable.
            places: stores and names of the secrets.
            in_use: identities of secrets to keep: two stores may have the same place.

        Raises:
            ExternalError: something failed, or its outcome is unknown.
        """
        failure: Exception | None = None
        try:
            if self._clear is not None:
                await self._clear(owner, places, in_use)
        except Exception as error:  # noqa: BLE001 - raised below, once the rights are gone
            failure = error
        await self._revoke(keys)
        if failure is not None:
            raise failure

    async def _retire(self, job: Job, step: Revoke, seen: Seen) -> Seen:
        keys, left = step.keys, _without(seen, step.keys)
        if not step.may_fail:
            present = {(job.store_name, job.place.name), *(key.place for key in left.keys)}
            in_use = {key.slot.secret for key in left.keys} | ({seen.secret.identity} if seen.secret else set())
            await self.revoke_with_secrets(job.owner, keys, {key.place for key in keys} - present, in_use)
            return left
        try:
            # Their metadata about secrets is not trusted.
            await self._revoke(keys)
        except ExternalError as error:
            log.warning("cannot revoke keys of other logins", keys=[key.id for key in keys], error=error.message)
        return left

    async def _revoke(self, keys: Sequence[Key]) -> None:
        for issuer, some in self._by_issuer(keys):
            await issuer.revoke(some)

    def _by_issuer(self, keys: Sequence[Key]) -> list[tuple[Issuer, list[Key]]]:
        parts = [(issuer, [key for key in keys if key.auth is auth]) for auth, issuer in self._issuers.items()]
        return [(issuer, some) for issuer, some in parts if some]

    async def _note(self, job: Job, step: Note, others: Seen) -> Seen:
        key = replace(step.key, slot=step.slot)
        if key.ours:
            # Keys of other logins cannot be changed: their slot is determined each time.
            await self._issuers[key.auth].note(job.access, key)
        return replace(others, keys=(*others.keys, key))

    async def _change(self, job: Job, step: Update | Prolong, seen: Seen) -> Seen:
        changed: list[Key] = []
        for issuer, some in self._by_issuer(step.keys):
            if isinstance(step, Update):
                await issuer.update(job.access, some, job.wish.rights)
                changed += [replace(key, rights=job.wish.rights) for key in some]
            else:
                await issuer.prolong(some, step.lifetime)
                changed += [replace(key, expires=self._clock.now() + step.lifetime) for key in some]
        return replace(seen, keys=(*_without(seen, step.keys).keys, *changed))


def _takes_a_key(step: Step, wish: Wish) -> bool:
    """Return whether a step creates or changes an API key."""
    match step:
        case Issue():
            return wish.auth is Auth.API_KEY
        case Update(keys) | Prolong(keys):
            return any(key.auth is Auth.API_KEY for key in keys)
        case Note(key):
            return key.auth is Auth.API_KEY
        case _:
            return False


def owner_of(access: Access) -> Owner:
    """Return the owner of a SearchAccess's secrets."""
    return Owner(access.uid, access.namespace, access.name)


@contextmanager
def at_store() -> Iterator[None]:
    """Mark errors in this context as the store's."""
    try:
        yield
    except ExternalError as error:
        error.at_store = True
        raise


def _without(seen: Seen, keys: Sequence[Key]) -> Seen:
    ids = {key.id for key in keys}
    return replace(seen, keys=tuple(key for key in seen.keys if key.id not in ids))
