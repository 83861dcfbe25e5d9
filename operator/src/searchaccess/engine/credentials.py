"""Carries out what is decided about credentials, one after the other step, each from what is there then."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from searchaccess.api.credentials import PayloadFormat
from searchaccess.core.access import Access
from searchaccess.core.credential import Key, Seen, Wish
from searchaccess.core.credentialreport import rfc3339
from searchaccess.core.keys import key_metadata, key_name
from searchaccess.core.ownership import Operator
from searchaccess.core.payload import build_payload
from searchaccess.core.pins import Pins
from searchaccess.core.rotation import (
    AskUsers,
    Decision,
    Destroy,
    Disable,
    Issue,
    Note,
    Read,
    RemoveSecret,
    Revoke,
    Roll,
    Step,
    Update,
    decide,
    withdraw,
)
from searchaccess.core.workload import Workload
from searchaccess.engine.consumers import find_pins
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    NotFound,
    PermissionDenied,
    Rejected,
    TerminalError,
    WaitingError,
)
from searchaccess.ports.google import GooglePort
from searchaccess.ports.stores import Owner, Place, SecretStore

MOST_STEPS: Final = 20
"""Decisions in one go. Far fewer are needed; what is left over is done by the next look."""

_CHANGED: Final = "a key was invalidated while it was being changed"


@dataclass(frozen=True, slots=True)
class Job:
    """The credential of one SearchAccess."""

    access: Access
    wish: Wish
    form: PayloadFormat
    place: Place
    store: SecretStore
    store_name: str
    url: str
    """Where consumers use the key."""

    @property
    def owner(self) -> Owner:
        """Whom the secret is for."""
        return Owner(self.access.uid, self.access.namespace, self.access.name)


@dataclass(slots=True)
class Outcome:
    """What became of a credential."""

    decision: Decision
    seen: Seen
    done: list[Step] = field(default_factory=list)
    """What was done, in this order."""


class Credentials:
    """Credentials of one Elasticsearch cluster.

    Args:
        operator: this operator.
        port: the cluster.
        google: tells which versions Cloud Run hands out.
        now: gives seconds since the epoch.
    """

    def __init__(
        self, operator: Operator, port: ElasticsearchPort, google: GooglePort, now: Callable[[], float]
    ) -> None:
        self._google = google
        self._operator = operator
        self._port = port
        self._now = now
        self.operations = 0
        """Writes to the security index so far, as far as they are known to have happened."""

    async def keep(self, job: Job, keys: Sequence[Key]) -> Outcome:
        """Make a credential as it is wished.

        Args:
            job: the credential.
            keys: its keys that work, as Elasticsearch says.

        Raises:
            ExternalError: a step could not be done, or it is not known whether it was. The next look goes on there.
        """
        return await self._run(job, keys, lambda seen: decide(job.wish, seen, self._now()))

    async def withdraw(self, job: Job, keys: Sequence[Key]) -> Outcome:
        """Take a credential away: the keys, then the secret.

        Raises:
            ExternalError: as above.
        """
        seen = Seen(tuple(keys))
        # Before the store is asked: it may be away, and the rights must not stay for that.
        for step in withdraw(job.access.uid, seen, self._now()).steps:
            seen = await self._perform(job, step, seen)
        return await self._run(job, seen.keys, lambda seen: withdraw(job.access.uid, seen, self._now()))

    async def look(self, job: Job, keys: Sequence[Key]) -> Outcome:
        """Say what would be done next, and do nothing.

        Raises:
            ExternalError: it cannot be looked at.
        """
        seen = await self._see(job, Seen(tuple(keys)))
        return Outcome(decide(job.wish, seen, self._now()), seen)

    async def _run(self, job: Job, keys: Sequence[Key], decision_of: Callable[[Seen], Decision]) -> Outcome:
        seen = await self._see(job, Seen(tuple(keys)))
        done: list[Step] = []
        for _ in range(MOST_STEPS):
            decision = decision_of(seen)
            for step in decision.steps:
                seen = await self._perform(job, step, seen)
                if not isinstance(step, AskUsers):
                    done.append(step)
            if not decision.steps:
                break
        return Outcome(decision, seen, done)

    async def _see(self, job: Job, seen: Seen) -> Seen:
        with at_store():
            found = await job.store.look(job.place)
        if found is None:
            return replace(seen, secret=None, holds={})
        same = seen.secret is not None and seen.secret.identity == found.secret.identity
        return replace(seen, secret=found.secret, holds={**(seen.holds if same else {}), **found.holds})

    async def _perform(self, job: Job, step: Step, seen: Seen) -> Seen:
        match step:
            case Issue():
                return await self._issue(job, step, seen)
            case Read() | AskUsers():
                return await self._learn(job, step, seen)
            case Note(key):
                return await self._note(job, step, _without(seen, (key,)))
            case Revoke(keys):
                await self.revoke(keys)
                return _without(seen, keys)
            case Update(keys):
                return await self._update(job, keys, seen)
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
            # Whatever the workload has goes on to work, and it is tried again by the next look.
            return replace(seen, pins=Pins({}, error.message))
        pins = seen.pins or Pins({})
        return replace(seen, pins=replace(pins, template=frozenset({number}), failed="", rolled=True))

    async def _clear_up(self, job: Job, step: Step, seen: Seen) -> None:
        match step:
            case Disable(numbers) if seen.secret:
                await job.store.disable(job.place, seen.secret, numbers)
            case Destroy(numbers) if seen.secret:
                await job.store.destroy(job.place, seen.secret, numbers)
            case RemoveSecret() if seen.secret:
                await job.store.remove(job.place, seen.secret)
            case _:
                pass

    async def _issue(self, job: Job, step: Issue, seen: Seen) -> Seen:
        access, requested = job.access, job.wish.requested
        await self._expect_rights(job)
        now = self._now()
        metadata = key_metadata(self._operator, access, step.sequence, requested)
        name = key_name(self._operator, access.namespace, access.name, step.sequence)
        made = await self._port.create_key(name, step.lifetime, job.wish.rights, metadata)
        self.operations += 1
        expires = now + step.lifetime
        value = build_payload(job.form, made.id, made.secret, job.url, rfc3339(expires))
        key = Key(made.id, access.uid, step.sequence, now, expires, job.wish.rights, requested=requested)
        key = replace(key, namespace=access.namespace, place=(job.store_name, job.place.name))
        try:
            with at_store():
                slot = await job.store.add(job.place, job.owner, seen.secret, step.sequence, value)
        except (TerminalError, WaitingError):
            # It is sure that the value was not stored, so nobody can use the key. After any other error it may be
            # stored: then consumers read it already, and the next look finds out.
            await self._discard(key)
            raise
        return await self._note(job, Note(key, slot), await self._see(job, seen))

    async def revoke(self, keys: Sequence[Key]) -> None:
        """Invalidate keys.

        Raises:
            ExternalError: it is not known whether they are.
        """
        await self._port.revoke_keys([key.id for key in keys])
        self.operations += len(keys)

    async def _expect_rights(self, job: Job) -> None:
        """Make sure that a key would have its rights: it has at most those of the login that makes it.

        Raises:
            PermissionDenied: it would not.
        """
        if lacking := await self._port.lacks(job.wish.rights):
            raise PermissionDenied(f"the operator's login lacks {'; '.join(lacking)}: a key has at most its rights")

    async def _discard(self, key: Key) -> None:
        try:
            await self.revoke((key,))
        except ExternalError:
            return  # The next look finds a key that is stored nowhere.

    async def _note(self, job: Job, step: Note, others: Seen) -> Seen:
        key = replace(step.key, slot=step.slot)
        if not key.ours:
            # What another login made cannot be changed: it is found out anew at each look.
            return replace(others, keys=(*others.keys, key))
        metadata = key_metadata(self._operator, job.access, key.sequence, key.requested, key.slot)
        try:
            await self._port.note_key(key.id, metadata)
        except (NotFound, Rejected):
            raise Conflict(_CHANGED) from None
        self.operations += 1
        return replace(others, keys=(*others.keys, key))

    async def _update(self, job: Job, keys: Sequence[Key], seen: Seen) -> Seen:
        await self._expect_rights(job)
        written = await self._port.update_keys([key.id for key in keys], job.wish.rights)
        self.operations += len(written.changed)
        refused = next(iter(written.refused.values()), None)
        if refused is not None:
            raise Conflict(_CHANGED) if isinstance(refused, NotFound) else refused
        changed = tuple(replace(key, rights=job.wish.rights) for key in keys)
        return replace(seen, keys=(*_without(seen, keys).keys, *changed))


@contextmanager
def at_store() -> Iterator[None]:
    """Mark errors of what is done within as the store's."""
    try:
        yield
    except ExternalError as error:
        error.at_store = True
        raise


def _without(seen: Seen, keys: Sequence[Key]) -> Seen:
    ids = {key.id for key in keys}
    return replace(seen, keys=tuple(key for key in seen.keys if key.id not in ids))
