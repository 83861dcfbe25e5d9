"""Follows the service accounts behind subjects: resolves them periodically, and reports to the inventory."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from searchaccess.api.searchcluster import CloudRunSettings
from searchaccess.api.times.durations import seconds
from searchaccess.core.model.identities.identity import (
    Identity,
    State,
    grace_left,
    is_settled,
    missing,
    missing_for,
    resolved,
    unknown,
    with_known_ids,
)
from searchaccess.core.model.identities.workload import Account, Found, Workload
from searchaccess.engine.identities.batches import Batch, share_out
from searchaccess.engine.identities.calls import PLACE, Lane
from searchaccess.engine.identities.lookup import Lookup, Read
from searchaccess.engine.inventory.indexes.subjects import Absence, SubjectRecord
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, NotFound, Unexpected, WaitingError
from searchaccess.ports.google import GooglePort
from searchaccess.ports.meter import Meter

GATHER: Final = 0.1
"""Seconds to wait for more subjects after a new one."""
TOGETHER: Final = 0.2
"""Share of the interval by which a read may be early, so that one read serves many."""
RETRY_TOGETHER: Final = 0.5
"""The same for a retry's delay: the spread of back-off."""
JITTER: Final = 0.1
FIRST_RETRY: Final = 2.0
LONGEST_RETRY: Final = 60.0
"""Seconds between retries of a failed read."""
IDLE: Final = 3600.0
LEAST_SEEN: Final = 300.0
"""Seconds for which this process must see a workload missing before its rights are revoked, whatever its status."""
URGENT_ROUND_WAIT: Final = 0.5
ROUND_WAIT: Final = 60.0
"""Seconds that a subject waits for other reads of its round, so that ``sharedWith`` is complete and does not flap."""
FIRST_ANSWER: Final = 1.0
"""Seconds after which the status of an access without rights reports that the first result is late."""
WAITING: Final = "Google has not answered yet"
CHUNK: Final = 50
"""Subjects that are concluded before other tasks may run."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The settings of SearchClusters for one subject."""

    every: float
    grace: float


class Identities:
    """Keeps the identities of subjects up to date.

    Args:
        inventory: has the subjects of SearchAccesses.
        google: Google Cloud.
        clock: the time.
        meter: counts internal errors.
        least_seen: seconds for which this process must have seen a workload missing before its rights are revoked.
    """

    def __init__(
        self, inventory: Inventory, google: GooglePort, clock: Clock, meter: Meter, least_seen: float = LEAST_SEEN
    ) -> None:
        self._inventory = inventory
        self._clock = clock
        self._least_seen = least_seen
        self._lookup = Lookup(google, clock, meter)
        self._wakes_at = 0.0
        self._concluding = asyncio.Lock()

    async def run(self) -> None:
        """Resolve what is due until cancelled."""
        changed, backoff = self._inventory.subjects.changed, Backoff()
        async with asyncio.TaskGroup() as group:
            while True:
                changed.clear()
                try:
                    self._start_due(group)
                    delay = self._delay()
                except Exception as error:  # noqa: BLE001 - the barrier: what is due stays due
                    self._lookup.calls.fault(error)
                    await asyncio.sleep(backoff.next())
                    continue
                backoff.reset()
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await changed.wait()
                        await asyncio.sleep(GATHER)

    def _start_due(self, group: asyncio.TaskGroup) -> None:
        for batch in self._take_due():
            group.create_task(self._guarded(batch, batch.records, partial(self._resolve, batch)))
            if any(first for _, first in batch.members):
                group.create_task(self._guarded(batch, (), partial(self._report_waiting, batch)))

    def _delay(self) -> float:
        now = self._clock.monotonic()
        waiting = (record.due for record in self._inventory.subjects.all() if not record.reading)
        self._wakes_at = max(now, min(waiting, default=now + IDLE))
        return self._wakes_at - now

    # Due subjects

    def _take_due(self) -> list[Batch]:
        """Return the subjects to resolve now, and mark them as being resolved."""
        now = self._clock.monotonic()
        every = self._inventory.subjects.all()
        waiting = [record for record in every if not record.reading]
        if not any(record.requested or record.due <= now for record in waiting):
            return []
        due = [record for record in waiting if record.requested or record.early <= now]
        self._lookup.keep({record.subject.place for record in every if isinstance(record.subject, Workload)})
        batches = share_out(due, self._namespaces)
        known = {account.email for record in due for account in record.known.accounts}
        oldest = self._lookup.accounts.oldest(known, now - min(record.every for record in due) / 2)
        for batch in batches:
            batch.ids_again = oldest
        for record in due:
            record.reading, record.requested = True, False
        return batches

    def _namespaces(self, record: SubjectRecord) -> set[str]:
        accesses = self._inventory.accesses
        return {accesses[uid].access.namespace for uid in record.users if uid in accesses}

    def _terms(self, record: SubjectRecord) -> _Terms:
        """Return the shortest interval and the longest grace period of the clusters concerned."""
        inventory = self._inventory
        names = {inventory.accesses[uid].access.cluster for uid in record.users if uid in inventory.accesses}
        specs = [inventory.clusters[name].cluster.spec for name in names if name in inventory.clusters]
        settings = [spec.identity.cloud_run for spec in specs if spec] or [CloudRunSettings()]
        every = min(seconds(item.refresh_every) for item in settings)
        return _Terms(every, max(seconds(item.grace_period) for item in settings))

    # Resolving

    async def _guarded(
        self, batch: Batch, records: Sequence[SubjectRecord], work: Callable[[], Awaitable[None]]
    ) -> None:
        """Resolve some of a batch. An internal error is reported on those that are not concluded yet."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the barrier: others are resolved, and these are retried
            trouble = self._lookup.calls.fault(error)
            for record in records:
                if record.reading:
                    self._conclude(batch, record, trouble, {}, {})

    async def _report_waiting(self, batch: Batch) -> None:
        """Report those of a batch that still wait for their first result after a while."""
        await asyncio.sleep(FIRST_ANSWER)
        await self._in_turns(batch.records, self._report_if_waiting)

    async def _in_turns(self, records: Sequence[SubjectRecord], do: Callable[[SubjectRecord], None]) -> None:
        """Process records in chunks: one batch at a time, with other tasks in between."""
        for start in range(0, len(records), CHUNK):
            async with self._concluding:
                for record in records[start : start + CHUNK]:
                    do(record)
                await asyncio.sleep(0)

    def _report_if_waiting(self, record: SubjectRecord) -> None:
        known = record.known
        waits = known.state is State.RECALLED and not known.accounts and not known.message
        if record.reading and waits and self._inventory.subjects.has(record):
            self._inventory.identify(record.subject, replace(known, message=WAITING), force=False)

    async def _resolve(self, batch: Batch) -> None:
        listed: Read = {}
        if batch.place is not None:
            wanted = [record.subject for record in batch.records if isinstance(record.subject, Workload)]
            every = min(self._every(record) for record in batch.records)
            # The namespace with the fewest requests pays for the list, so that it arrives first.
            payer = min(batch.members, key=lambda lane: (len(batch.members[lane]), lane))
            listed = await self._lookup.list_place(batch.place, wanted, every, payer)
        async with asyncio.TaskGroup() as group:
            for lane, records in batch.members.items():
                work = partial(self._resolve_some, batch, lane, records, listed)
                group.create_task(self._guarded(batch, records, work))

    def _every(self, record: SubjectRecord) -> float:
        if record.every:
            return record.every
        try:
            return self._terms(record).every
        except Exception as error:  # noqa: BLE001 - the barrier: it is reported when this one is concluded
            log.debug("the interval of a subject cannot be computed", place=PLACE, error=type(error).__name__)
            return LONGEST_RETRY

    async def _resolve_some(
        self,
        batch: Batch,
        lane: Lane,
        records: Sequence[SubjectRecord],
        listed: Read,
    ) -> None:
        # Subjects that are no longer used need no read.
        alive = [record for record in records if self._inventory.subjects.has(record)]
        try:
            read = await self._read_workloads(alive, listed, lane)
        finally:
            batch.round.end()
        emails: dict[SubjectRecord, list[str] | ExternalError] = {}
        async with asyncio.TaskGroup() as group:
            for record in alive:
                plain = self._plain_email(record, read)
                if plain is None:
                    group.create_task(self._read_emails(record, read, emails, lane))
                else:
                    emails[record] = plain
        wanted = {email for some in emails.values() if not isinstance(some, ExternalError) for email in some}
        urgent = {
            email
            for record, some in emails.items()
            if record in batch.requested and not isinstance(some, ExternalError)
            for email in some
        }
        failed = await self._lookup.accounts.read_ids(wanted, urgent | batch.ids_again, lane)
        urgent_records = [record for record in records if record in batch.requested or not record.known.accounts]
        ahead = set(urgent_records)
        rest = [record for record in records if record not in ahead]
        for wait, some in ((URGENT_ROUND_WAIT, urgent_records), (ROUND_WAIT, rest)):
            if some:
                await batch.round.wait(wait)
            await self._in_turns(
                some, lambda record: self._conclude(batch, record, emails.get(record, []), read, failed)
            )

    async def _read_workloads(self, records: Sequence[SubjectRecord], listed: Read, lane: Lane) -> Read:
        wanted = [record.subject for record in records if isinstance(record.subject, Workload)]
        left = [workload for workload in wanted if workload not in listed]
        if not left:
            return listed
        every = min(self._every(record) for record in records)
        return {**listed, **await self._lookup.get_each(left, every, lane)}

    def _plain_email(self, record: SubjectRecord, read: Read) -> list[str] | ExternalError | None:
        """Return the accounts of a subject if nothing more must be read for them; None: more must be read."""
        if isinstance(record.subject, str):
            return [record.subject]
        found = read[record.subject]
        if isinstance(found, ExternalError):
            return found
        return [found.service_account] if found.service_account and is_settled(found) else None

    async def _read_emails(
        self, record: SubjectRecord, read: Read, emails: dict[SubjectRecord, list[str] | ExternalError], lane: Lane
    ) -> None:
        found = read[record.subject] if isinstance(record.subject, Workload) else None
        if isinstance(found, Found):
            answer = await self._lookup.calls.attempt(self._lookup.emails(found, record.known.accounts, lane))
            # NotFound here is about something else: the workload itself exists.
            emails[record] = Unexpected(answer.message) if isinstance(answer, NotFound) else answer

    # Conclusions

    def _conclude(
        self,
        batch: Batch,
        record: SubjectRecord,
        emails: list[str] | ExternalError,
        read: Mapping[Workload, Found | ExternalError],
        failed: Mapping[str, ExternalError],
    ) -> None:
        """Report what was read about a subject, and schedule the next read. Never raises."""
        record.reading = False
        if not self._inventory.subjects.has(record):
            # It is no longer used, or was recreated: then the other record is resolved separately.
            return
        try:
            identity, trouble = self._judge(record, emails, read, failed)
            self._plan_next(record, identity, trouble)
        except Exception as error:  # noqa: BLE001 - the barrier: reported on this subject alone, which keeps its rights
            trouble = self._lookup.calls.fault(error)
            identity = unknown(record.known, trouble.message)
            self._back_off(record, trouble)
        force, record.reconcile_pending = record.reconcile_pending or record in batch.requested, True
        try:
            self._inventory.identify(record.subject, identity, force=force)
        except Exception as error:  # noqa: BLE001 - the barrier: its SearchAccesses are reconciled at the next try
            self._back_off(record, self._lookup.calls.fault(error))
        else:
            record.reconcile_pending = False
        if record.requested or record.due < self._wakes_at:
            self._inventory.subjects.changed.set()

    def _judge(
        self,
        record: SubjectRecord,
        emails: list[str] | ExternalError,
        read: Mapping[Workload, Found | ExternalError],
        failed: Mapping[str, ExternalError],
    ) -> tuple[Identity, ExternalError | None]:
        """Return what is known about a subject now, and the error that prevented more."""
        subject, known = record.subject, record.known
        if isinstance(emails, NotFound):
            return self._missing(record), None
        if isinstance(emails, ExternalError):
            return unknown(known, emails.message), emails
        first_trouble = failed.get(emails[0])
        if isinstance(subject, str) and first_trouble is not None:
            if isinstance(first_trouble, NotFound):
                return self._missing(record), None
            return unknown(known, first_trouble.message), first_trouble
        record.absence = None
        ids = {account.email: account for account in known.accounts}
        ids |= {
            email: account for email in emails if (account := self._lookup.accounts.with_id(Account(email))).unique_id
        }
        accounts = with_known_ids((Account(email) for email in emails), ids)
        others = [path for path in self._lookup.users_of(emails[0]) if path != getattr(subject, "path", "")]
        found = read.get(subject) if isinstance(subject, Workload) else None
        message = f"its unique id cannot be read: {first_trouble.message}" if first_trouble else ""
        workload = found if isinstance(found, Found) else None
        return resolved(workload, accounts, others, message), first_trouble if not accounts[0].unique_id else None

    def _missing(self, record: SubjectRecord) -> Identity:
        now = self._clock.now()
        if record.absence is None:
            record.absence = Absence(self._clock.monotonic(), missing_for(record.known, now))
        return missing(record.known, now, over=self._grace_left(record, record.absence) <= 0)

    def _grace_left(self, record: SubjectRecord, absence: Absence) -> float:
        seen = self._clock.monotonic() - absence.seen_at
        return grace_left(seen, absence.credit, self._terms(record).grace, self._least_seen)

    def _plan_next(self, record: SubjectRecord, identity: Identity, trouble: ExternalError | None) -> None:
        record.every = self._terms(record).every
        if trouble is not None:
            self._back_off(record, trouble)
            return
        now = self._clock.monotonic()
        record.backoff = None
        record.due = now + record.every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter
        record.early = record.due - TOGETHER * record.every
        if identity.state is State.MISSING and identity.accounts and record.absence:
            # Its rights are revoked when the grace period ends, not some time later.
            record.due = min(record.due, now + self._grace_left(record, record.absence))
            record.early = min(record.early, record.due)

    def _back_off(self, record: SubjectRecord, trouble: ExternalError) -> None:
        if record.backoff is None:
            # What a person must fix is eventually read at the normal interval.
            longest = record.every or LONGEST_RETRY
            cap = longest if isinstance(trouble, WaitingError) else min(LONGEST_RETRY, longest)
            record.backoff = Backoff(FIRST_RETRY, cap)
        delay = record.backoff.next()
        record.due = self._clock.monotonic() + delay
        record.early = record.due - RETRY_TOGETHER * delay
