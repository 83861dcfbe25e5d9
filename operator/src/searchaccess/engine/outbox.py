"""Writes to Kubernetes in the background: the newest status of each object, then what must follow it.

The loop never waits for the API server. Writes to one object are merged while they wait. A write that fails
waits for a delay of its own and holds no worker meanwhile: others pass it. It is retried until it succeeds or the
object is gone. Namespaces are served in turn, what failed before in a turn of its own.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from random import uniform
from typing import Final, TypeAlias

import structlog

from searchaccess.core.status.access import Failure
from searchaccess.core.status.events import Note
from searchaccess.engine.backoff import CAP, FIRST, Backoff
from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.turns import Turns
from searchaccess.ports.errors import Conflict, ExternalError, NotFound, TransientError
from searchaccess.ports.kubernetes import KubernetesPort, ObjectRef
from searchaccess.ports.meter import Meter

WORKERS: Final = 36
"""Writes at once. One namespace alone gets 24 of them."""
LONGEST: Final = 30.0
"""Seconds between two attempts of what is refused, such as by a webhook."""
RETRIES: Final = 20
"""Retries per second, at most, of all that failed in one namespace."""
RELEASED: Final = 2
"""So many retries of a namespace start at once when one succeeds: the trouble may be over."""
TRIES: Final = 5
"""After so many failures nobody waits for a write any longer; it is still retried."""
EVENTS_LIMIT: Final = 200
"""Events of one namespace that may wait; more are dropped (the statuses say the same) and counted."""

_Group: TypeAlias = tuple[str, bool]
"""A namespace, and whether it is about what failed before."""
_Failed: TypeAlias = tuple[str, ExternalError | Failure]
"""What of an object, and why."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Entry:
    ref: ObjectRef
    status: str | None = None
    """JSON: the same text that the inventory has."""
    status_at: float = 0.0
    """When it may be written, by the loop's clock."""
    finalizers: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """Before and after."""
    notes: list[Note] = field(default_factory=list)
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST, LONGEST))
    trouble: Failure | None = None
    """Why the last attempt failed."""
    outdated: bool = False
    """The object changed meanwhile: its event has until the next attempt to arrive."""
    writing: bool = False
    timer: asyncio.TimerHandle | None = None
    """Runs while it waits for its next attempt."""

    @property
    def is_done(self) -> bool:
        return self.status is None and self.finalizers is None and not self.notes

    @property
    def group(self) -> _Group:
        return self.ref.namespace, self.backoff.failures > 0


class Outbox:
    """Pending writes to Kubernetes.

    Args:
        kubernetes: the API server.
        inventory: receives what was written.
        meter: counts faults of ours, and events that were dropped.
    """

    def __init__(self, kubernetes: KubernetesPort, inventory: Inventory, meter: Meter | None = None) -> None:
        self._kubernetes = kubernetes
        self._inventory = inventory
        self._meter = meter or Meter()
        self._entries: dict[str, _Entry] = {}
        self._delayed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By namespace, uids of what waits for its next attempt."""
        self._given_up: set[str] = set()
        """Uids of what failed so often that nobody waits for it any longer. It is still retried."""
        self._turns: Turns[_Group, str] = Turns(WORKERS)
        self._wake = asyncio.Event()
        self._events: Counter[str] = Counter()
        self._idle = asyncio.Event()
        self._idle.set()

    # Queueing

    def put_status(self, ref: ObjectRef, status: str, notes: list[Note], *, after: float = 0.0) -> None:
        """Queue a status (JSON), and events about it; to be written after so many seconds."""
        entry = self._entry(ref)
        first, entry.status = entry.status is None, status
        if first:
            entry.status_at = asyncio.get_running_loop().time() + after if after else 0.0
        self._inventory.writing.add(ref.uid)
        self._add_notes(entry, notes)
        if entry.timer is None and not entry.writing and (wait := self._wait_for_status(entry)):
            self._delay(entry, wait)
        self._came(entry, at_once=first and not after)

    def put_finalizers(
        self, ref: ObjectRef, before: tuple[str, ...], after: tuple[str, ...], failed: ExternalError | None = None
    ) -> None:
        """Queue a replacement of finalizers, after anything else that is pending for the object.

        Args:
            ref: the object.
            before: as they are; if they are not, the SearchAccess is reconciled again instead.
            after: as desired.
            failed: why an attempt just failed; None: there was none.
        """
        entry = self._entry(ref)
        first, entry.finalizers = entry.finalizers is None, (before, after)
        if failed is not None and not entry.writing:
            self._failed(entry, "its finalizer", failed)
        self._came(entry, at_once=first and failed is None)

    def put_notes(self, ref: ObjectRef, notes: list[Note]) -> None:
        """Queue events."""
        if notes:
            entry = self._entry(ref)
            self._add_notes(entry, notes)
            self._came(entry, at_once=False)

    def _add_notes(self, entry: _Entry, notes: list[Note]) -> None:
        namespace = entry.ref.namespace
        room = max(0, EVENTS_LIMIT - self._events[namespace])
        entry.notes.extend(notes[:room])
        self._events[namespace] += min(room, len(notes))
        if len(notes) > room:
            self._meter.events_dropped(len(notes) - room)

    def _entry(self, ref: ObjectRef) -> _Entry:
        entry = self._entries.get(ref.uid)
        if entry is None:
            entry = self._entries[ref.uid] = _Entry(ref)
        return entry

    def _came(self, entry: _Entry, *, at_once: bool) -> None:
        """Queue an entry, unless it is queued.

        Args:
            entry: what something was added to.
            at_once: end the delay after a failure: what was added is no newer version of what failed.
        """
        if entry.is_done and not entry.writing:
            self._finish(entry)
        elif entry.timer is None or at_once:
            self._ready(entry)
        self._note_idle()

    def drop(self, uids: Collection[str]) -> None:
        """Write nothing more of what waits for some objects: another replica publishes about them."""
        for uid in uids:
            entry = self._entries.get(uid)
            if entry is not None:
                self._clear(entry)
                if not entry.writing:
                    self._finish(entry)
        self._note_idle()

    # State

    @property
    def pending(self) -> int:
        """How many objects wait to be written, also those that wait for their next attempt."""
        return len(self._entries)

    @property
    def failing(self) -> int:
        """How many of these failed repeatedly."""
        return len(self._given_up)

    @property
    def is_busy(self) -> bool:
        """Whether a write is about to happen; one that failed repeatedly does not count."""
        return self.pending > self.failing

    def trouble_of(self, uid: str) -> Failure | None:
        """Return why the last attempt to write something of an object failed; None: nothing that waits has failed."""
        entry = self._entries.get(uid)
        return entry.trouble if entry else None

    def sets_finalizers(self, uid: str) -> bool:
        """Return whether an object's finalizers wait to be written."""
        entry = self._entries.get(uid)
        return entry is not None and entry.finalizers is not None

    def unwritten(self) -> Iterator[tuple[ObjectRef, Failure]]:
        """Yield what failed and waits for its retry, and why."""
        for entry in self._entries.values():
            if entry.trouble is not None:
                yield entry.ref, entry.trouble

    async def drained(self) -> None:
        """Wait until nothing is about to be written."""
        await self._idle.wait()

    def _note_idle(self) -> None:
        if self.is_busy:
            self._idle.clear()
        else:
            self._idle.set()

    # Waiting

    def _wait_for_status(self, entry: _Entry) -> float:
        """Return the seconds until a status may be written, where nothing else is to be; 0: something is to be now."""
        if entry.status is None or entry.finalizers is not None:
            return 0.0
        return max(0.0, entry.status_at - asyncio.get_running_loop().time())

    def _ready(self, entry: _Entry) -> None:
        self._undelay(entry)
        if not entry.writing:
            self._turns.put(entry.group, entry.ref.uid)
            self._wake.set()

    def _delay(self, entry: _Entry, seconds: float) -> None:
        self._undelay(entry)
        self._turns.remove((entry.ref.namespace, False), entry.ref.uid)
        self._turns.remove((entry.ref.namespace, True), entry.ref.uid)
        waiting = self._delayed[entry.ref.namespace]
        waiting[entry.ref.uid] = None
        seconds = max(seconds, uniform(1.0, 1.5) * len(waiting) / RETRIES)  # noqa: S311 - jitter, not cryptography
        entry.timer = asyncio.get_running_loop().call_later(seconds, self._ready, entry)

    def _undelay(self, entry: _Entry) -> None:
        if entry.timer is None:
            return
        entry.timer.cancel()
        entry.timer = None
        namespace = entry.ref.namespace
        self._delayed[namespace].pop(entry.ref.uid, None)
        if not self._delayed[namespace]:
            del self._delayed[namespace]

    def _finish(self, entry: _Entry) -> None:
        self._undelay(entry)
        for failing in (False, True):
            self._turns.remove((entry.ref.namespace, failing), entry.ref.uid)
        self._given_up.discard(entry.ref.uid)
        self._inventory.writing.discard(entry.ref.uid)
        self._entries.pop(entry.ref.uid, None)

    def _clear(self, entry: _Entry) -> None:
        entry.status = entry.finalizers = None
        self._drop_notes(entry)

    def _drop_notes(self, entry: _Entry) -> None:
        self._events[entry.ref.namespace] -= len(entry.notes)
        entry.notes.clear()

    # Writing

    async def run(self) -> None:
        """Write until cancelled; begun again after a fault, it takes up all that waits."""
        self._resume()
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                while (taken := self._turns.take()) is not None:
                    turn, uid = taken
                    entry = self._entries[uid]
                    entry.writing = True
                    group.create_task(self._work(turn, entry))
                await self._wake.wait()

    def _resume(self) -> None:
        self._turns = Turns(WORKERS)
        for entry in list(self._entries.values()):
            entry.writing = False
            self._ready(entry)

    async def _work(self, turn: _Group, entry: _Entry) -> None:
        try:
            failed = await self._write(entry)
        finally:
            entry.writing = False
            self._turns.done(turn)
            self._wake.set()
        self._conclude(entry, failed)

    def _conclude(self, entry: _Entry, failed: _Failed | None) -> None:
        if entry.is_done:
            self._finish(entry)
            if failed is None and entry.backoff.failures:
                self._release(entry.ref.namespace)
        elif failed is None:
            # What came meanwhile.
            self._recovered(entry)
            if wait := self._wait_for_status(entry):
                self._delay(entry, wait)
            else:
                self._ready(entry)
        else:
            self._failed(entry, *failed)
        self._note_idle()

    def _recovered(self, entry: _Entry) -> None:
        if entry.backoff.failures:
            self._release(entry.ref.namespace)
        entry.backoff.reset()
        entry.trouble = None
        self._given_up.discard(entry.ref.uid)

    def _release(self, namespace: str) -> None:
        for uid in list(self._delayed.get(namespace, ()))[:RELEASED]:
            self._ready(self._entries[uid])

    def _failed(self, entry: _Entry, what: str, error: ExternalError | Failure) -> None:
        """Requeue an entry with a delay."""
        uid = entry.ref.uid
        delay = entry.backoff.next(CAP if isinstance(error, TransientError) else None)
        entry.trouble = Failure(error.reason, f"{what} cannot be written: {error.message}")
        entry.outdated = isinstance(error, Conflict)
        if entry.backoff.failures in {1, TRIES}:
            name = f"{entry.ref.namespace}/{entry.ref.name}".removeprefix("/")
            log.warning("write to kubernetes failed", object=name, what=what, error=error.message)
        if entry.backoff.failures == TRIES:
            self._given_up.add(uid)
            if entry.finalizers is not None:
                # Its status says why it stays.
                self._inventory.mark_uid(uid)
        self._delay(entry, delay)

    async def _write(self, entry: _Entry) -> _Failed | None:
        """Write an entry; steps that are done are not repeated after a failure. Give what failed first, and why."""
        failed: _Failed | None = None
        for what, step in (
            ("the object", self._check_outdated),
            ("its status", self._write_status),
            ("its finalizer", self._write_finalizers),
            ("its events", self._write_notes),
        ):
            try:
                await step(entry)
            except NotFound:
                self._clear(entry)
                return None
            except ExternalError as error:
                # A status may be refused by a webhook, or by a CRD that is older than the operator: the finalizers
                # matter more.
                failed = failed or (what, error)
            except Exception as error:  # noqa: BLE001 - a fault of ours costs this object alone, and is retried
                failed = failed or (what, caught(self._meter, "", "outbox", error))
        return failed

    async def _check_outdated(self, entry: _Entry) -> None:
        """Let the reconciler decide what to write of an object that changed meanwhile."""
        outdated, entry.outdated = entry.outdated, False
        if outdated and (entry.status is None or not self._inventory.knows(entry.ref.uid)):
            self._clear(entry)
            self._inventory.mark_uid(entry.ref.uid)

    async def _write_status(self, entry: _Entry) -> None:
        status = entry.status
        if status is None or entry.status_at > asyncio.get_running_loop().time():
            return
        sent = json.loads(status)
        stored = await self._kubernetes.replace_status(entry.ref, sent)
        self._inventory.wrote(entry.ref.uid, stored.version)
        self._inventory.stored(entry.ref, status, stored.status, sent)
        if entry.status is status:
            entry.status = None
            self._inventory.writing.discard(entry.ref.uid)

    async def _write_finalizers(self, entry: _Entry) -> None:
        finalizers = entry.finalizers
        if finalizers is None:
            return
        before, after = finalizers
        record = self._inventory.accesses.get(entry.ref.uid)
        adds = record is not None and bool(set(after) - set(before))
        if record is not None and adds and record.access.deleted_at:
            # It would be refused forever.
            entry.finalizers = None
            return
        version = await self._kubernetes.set_finalizers(entry.ref, before, after)
        self._inventory.wrote(entry.ref.uid, version)
        if entry.finalizers is finalizers:
            entry.finalizers = None
        if record is not None and adds:
            # Whoever waited for this continues.
            record.access = replace(record.access, finalizers=after)
            self._inventory.mark_uid(entry.ref.uid)

    async def _write_notes(self, entry: _Entry) -> None:
        try:
            while entry.notes:
                note = entry.notes[0]
                await self._kubernetes.create_event(entry.ref, note)
                if entry.notes and entry.notes[0] is note:
                    entry.notes.pop(0)
                    self._events[entry.ref.namespace] -= 1
        except TransientError:
            raise
        except ExternalError as error:
            # Such as in a namespace that is being deleted. The status says the same.
            log.warning("events cannot be written", object=entry.ref.name, error=error.message)
            self._meter.events_dropped(len(entry.notes))
            self._drop_notes(entry)
