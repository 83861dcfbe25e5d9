"""Follows the service accounts behind subjects: asks Google now and then, and tells the inventory."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from searchaccess.api.durations import seconds
from searchaccess.api.searchcluster import CloudRunSettings
from searchaccess.core.model.access import Subject
from searchaccess.core.model.identity import Identity, missing, resolved, unknown, users_of, with_known_ids
from searchaccess.core.model.workload import Account, Found, Workload
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.identities.lookup import Lookup, Read
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, NotFound, Unexpected, WaitingError
from searchaccess.ports.google import GooglePort

GATHER: Final = 0.1
"""Seconds to wait for more subjects after a new one."""
TOGETHER: Final = 0.2
"""Share of the interval by which a read may come early, so that one read serves many."""
JITTER: Final = 0.1
FIRST_RETRY: Final = 2.0
LONGEST_RETRY: Final = 60.0
"""Seconds between reads of what could not be read."""
IDLE: Final = 3600.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What SearchClusters say about one subject."""

    every: float
    grace: float


class Identities:
    """Keeps what is known of subjects up to date.

    Args:
        inventory: whom SearchAccesses are for.
        google: Google Cloud.
        clock: the time.
    """

    def __init__(self, inventory: Inventory, google: GooglePort, clock: Clock) -> None:
        self._inventory = inventory
        self._clock = clock
        self._lookup = Lookup(google, clock)
        self._due: dict[Subject, float] = {}
        self._backoffs: dict[Subject, Backoff] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        subjects = self._inventory.subjects
        while True:
            subjects.changed.clear()
            asked = set(subjects.asked)
            try:
                await self.step()
            except Exception:  # a fault of ours must not end the process: all that is known stays in force
                log.exception("identities failed")
                subjects.asked |= asked
                await asyncio.sleep(LONGEST_RETRY)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay()):
                    await subjects.changed.wait()
                    await asyncio.sleep(GATHER)

    def _delay(self) -> float:
        now = self._clock.monotonic()
        return max(0.0, min((self._due.get(subject, now) for subject in self._subjects()), default=now + IDLE) - now)

    def _subjects(self) -> list[Subject]:
        return self._inventory.subjects.all()

    async def step(self) -> None:
        """Ask for what is due. Never raises for trouble outside."""
        now = self._clock.monotonic()
        every = self._subjects()
        self._due = {subject: self._due.get(subject, now) for subject in every}
        asked, self._inventory.subjects.asked = self._inventory.subjects.asked, set()
        if not asked and all(due > now for due in self._due.values()):
            return
        terms = {subject: self._terms(subject) for subject in every}
        batch = [
            subject
            for subject in every
            if subject in asked or self._due[subject] <= now + TOGETHER * terms[subject].every
        ]
        if not batch:
            return
        found = await self._ask(batch, asked, terms)
        for subject, (identity, trouble) in found.items():
            self._plan_next(subject, terms[subject].every, trouble)
            self._inventory.identify(subject, identity, look=subject in asked)

    def _terms(self, subject: Subject) -> _Terms:
        """Give the shortest interval and the longest grace period of the clusters concerned."""
        inventory = self._inventory
        names = {inventory.accesses[uid].access.cluster for uid in inventory.subjects.users(subject)}
        specs = [inventory.clusters[name].cluster.spec for name in names if name in inventory.clusters]
        said = [spec.identity.cloud_run for spec in specs if spec] or [CloudRunSettings()]
        every = min(seconds(item.refresh_every) for item in said)
        return _Terms(every, max(seconds(item.grace_period) for item in said))

    def _plan_next(self, subject: Subject, every: float, trouble: ExternalError | None) -> None:
        now = self._clock.monotonic()
        if trouble is None:
            self._backoffs.pop(subject, None)
            self._due[subject] = now + every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter
            return
        # What a person must mend is asked for as often as ever, in the end.
        longest = every if isinstance(trouble, WaitingError) else min(LONGEST_RETRY, every)
        backoff = self._backoffs.setdefault(subject, Backoff(FIRST_RETRY, longest))
        self._due[subject] = now + backoff.next()

    async def _ask(
        self, batch: Iterable[Subject], asked: set[Subject], terms: Mapping[Subject, _Terms]
    ) -> dict[Subject, tuple[Identity, ExternalError | None]]:
        read = await self._lookup.workloads(subject for subject in batch if isinstance(subject, Workload))
        emails: dict[Subject, list[str] | ExternalError] = {}
        for subject in batch:
            emails[subject] = await self._emails(subject, read)
        wanted = {email for some in emails.values() if not isinstance(some, ExternalError) for email in some}
        urgent = {
            email
            for subject in asked
            if not isinstance(some := emails.get(subject, []), ExternalError)
            for email in some
        }
        every = min((item.every for item in terms.values()), default=0.0)
        missing_ids = await self._lookup.ids(wanted, self._clock.monotonic() - every / 2, urgent)
        shared = self._shared()
        return {
            subject: self._conclude(subject, some, read, missing_ids, shared, terms[subject].grace)
            for subject, some in emails.items()
        }

    async def _emails(self, subject: Subject, read: Read) -> list[str] | ExternalError:
        if isinstance(subject, str):
            return [subject]
        found = read[subject]
        if isinstance(found, ExternalError):
            return found
        try:
            return await self._lookup.emails(found, self._inventory.subjects.known(subject).accounts)
        except ExternalError as error:
            # Also where it is something that does not exist: the workload itself does.
            return Unexpected(error.message) if isinstance(error, NotFound) else error

    def _shared(self) -> dict[str, tuple[str, ...]]:
        emails: dict[Workload, str] = {}
        for listed in self._lookup.listed.values():
            for workload, found in listed.items():
                emails[workload] = found.service_account or self._lookup.known_default(workload.place.project)
        return users_of(emails)

    def _conclude(
        self,
        subject: Subject,
        emails: list[str] | ExternalError,
        read: Read,
        missing_ids: Mapping[str, ExternalError],
        shared: Mapping[str, tuple[str, ...]],
        grace: float,
    ) -> tuple[Identity, ExternalError | None]:
        known = self._inventory.subjects.known(subject)
        if isinstance(emails, NotFound):
            return missing(known, self._clock.now(), grace), None
        if isinstance(emails, ExternalError):
            return unknown(known, emails.message), emails
        first_trouble = missing_ids.get(emails[0])
        if isinstance(subject, str) and first_trouble is not None:
            if isinstance(first_trouble, NotFound):
                return missing(known, self._clock.now(), grace), None
            return unknown(known, first_trouble.message), first_trouble
        ids = {account.email: account for account in known.accounts}
        ids |= {email: account for email, (account, _) in self._lookup.accounts.items()}
        accounts = with_known_ids((Account(email) for email in emails), ids)
        others = [path for path in shared.get(emails[0], ()) if path != getattr(subject, "path", "")]
        found = read.get(subject) if isinstance(subject, Workload) else None
        message = f"its unique id cannot be read: {first_trouble.message}" if first_trouble else ""
        workload = found if isinstance(found, Found) else None
        return resolved(workload, accounts, others, message), first_trouble if not accounts[0].unique_id else None
