"""Writes to Kubernetes in the background: the latest status of each object, then what must follow it.

The loop never waits for the API server. Pending writes to one object are merged. A failed write is requeued with its
own back-off and occupies no worker meanwhile. It is retried until it succeeds or the object is gone. Namespaces are
served in turn, and retries have turns of their own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator
from random import uniform
from typing import Final

import structlog

from searchaccess.core.status.access import Failure
from searchaccess.core.status.events import Note
from searchaccess.engine.deletions import Deletion, Deletions
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.pacing.backoff import CAP
from searchaccess.engine.pacing.turns import Turns
from searchaccess.engine.writer import Entry, Failed, Group, Writer
from searchaccess.ports.errors import Conflict, ExternalError, TransientError
from searchaccess.ports.kubernetes import KubernetesPort, ObjectRef
from searchaccess.ports.meter import Meter

WORKERS: Final = 36
"""Concurrent writes. One namespace alone gets 24 of them."""
RETRIES: Final = 20
"""Retries per second in one namespace, at most."""
RELEASED: Final = 2
"""Retries of a namespace that start at once when one succeeds: the problem may be over."""
TRIES: Final = 5
"""Failures after which nobody waits for a write any longer; it is still retried."""
log = structlog.get_logger(__name__)


class Outbox:
    """Pending writes to Kubernetes.

    Args:
        kubernetes: the API server.
        inventory: receives what was written.
        meter: counts internal errors, and events that were dropped.
    """

    def __init__(self, kubernetes: KubernetesPort, inventory: Inventory, meter: Meter | None = None) -> None:
        self._inventory = inventory
        self._writer = Writer(kubernetes, inventory, meter or Meter())
        self._entries: dict[str, Entry] = {}
        self._delayed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """By namespace, uids of entries that wait for their next attempt."""
        self._given_up: set[str] = set()
        """Uids of entries that failed so often that nobody waits for them any longer. They are still retried."""
        self._turns: Turns[Group, str] = Turns(WORKERS)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    # Queueing

    def put_status(self, ref: ObjectRef, status: str, notes: list[Note], *, after: float = 0.0) -> None:
        """Queue a status (JSON), and events about it, optionally with a delay in seconds."""
        entry = self._entry(ref)
        first, entry.status = entry.status is None, status
        if first:
            entry.status_at = asyncio.get_running_loop().time() + after if after else 0.0
        self._inventory.writing.add(ref.uid)
        self._writer.add_notes(entry, notes)
        if entry.timer is None and not entry.writing and (wait := _wait_for_status(entry)):
            self._delay(entry, wait)
        self._came(entry, at_once=first and not after)

    def put_finalizers(
        self, ref: ObjectRef, before: tuple[str, ...], after: tuple[str, ...], failed: ExternalError | None = None
    ) -> None:
        """Queue a replacement of finalizers, after everything else that is pending for the object.

        Args:
            ref: the object.
            before: the expected finalizers; if they differ, the SearchAccess is requeued instead.
            after: the desired finalizers.
            failed: the error of an attempt that just failed; None: there was none.
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
            self._writer.add_notes(entry, notes)
            self._came(entry, at_once=False)

    def put_deletion(self, ref: ObjectRef, deletion: Deletion | None) -> None:
        """Queue the deletion of an object, after everything else that is pending for it; None: withdraw it."""
        if deletion is None and ref.uid not in self._entries:
            return
        entry = self._entry(ref)
        if entry.deletion != deletion:
            entry.deletion = deletion
            self._came(entry, at_once=False)

    def _entry(self, ref: ObjectRef) -> Entry:
        entry = self._entries.get(ref.uid)
        if entry is None:
            entry = self._entries[ref.uid] = Entry(ref)
        return entry

    def _came(self, entry: Entry, *, at_once: bool) -> None:
        """Queue an entry that changed, unless it is queued already.

        Args:
            entry: the entry.
            at_once: end its delay after a failure: what was added does not replace what failed.
        """
        if entry.is_done and not entry.writing:
            self._finish(entry)
        elif entry.timer is None or at_once:
            self._ready(entry)
        self._note_idle()

    def drop(self, uids: Collection[str]) -> None:
        """Drop what is pending for some objects: another replica publishes about them."""
        for uid in uids:
            entry = self._entries.get(uid)
            if entry is not None:
                self._writer.clear(entry)
                if not entry.writing:
                    self._finish(entry)
        self._note_idle()

    # State

    @property
    def deletions(self) -> Deletions:
        """What the API server refuses to delete."""
        return self._writer.deletions

    @property
    def pending(self) -> int:
        """How many objects wait to be written, including those that wait for their next attempt."""
        return len(self._entries)

    @property
    def failing(self) -> int:
        """How many of these have failed repeatedly."""
        return len(self._given_up)

    @property
    def is_busy(self) -> bool:
        """Whether a write is about to happen; repeatedly failed ones do not count."""
        return self.pending > self.failing

    def trouble_of(self, uid: str) -> Failure | None:
        """Return why the last write to an object failed; None: no pending write has failed."""
        entry = self._entries.get(uid)
        return entry.trouble if entry else None

    def sets_finalizers(self, uid: str) -> bool:
        """Return whether a write of an object's finalizers is pending."""
        entry = self._entries.get(uid)
        return entry is not None and entry.finalizers is not None

    def unwritten(self) -> Iterator[tuple[ObjectRef, Failure]]:
        """Yield the objects whose write failed and is retried, and why."""
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

    def _ready(self, entry: Entry) -> None:
        self._undelay(entry)
        if not entry.writing:
            self._turns.put(entry.group, entry.ref.uid)
            self._wake.set()

    def _delay(self, entry: Entry, seconds: float) -> None:
        self._undelay(entry)
        self._turns.remove((entry.ref.namespace, False), entry.ref.uid)
        self._turns.remove((entry.ref.namespace, True), entry.ref.uid)
        waiting = self._delayed[entry.ref.namespace]
        waiting[entry.ref.uid] = None
        seconds = max(seconds, uniform(1.0, 1.5) * len(waiting) / RETRIES)  # noqa: S311 - jitter, not cryptography
        entry.timer = asyncio.get_running_loop().call_later(seconds, self._ready, entry)

    def _undelay(self, entry: Entry) -> None:
        if entry.timer is None:
            return
        entry.timer.cancel()
        entry.timer = None
        namespace = entry.ref.namespace
        self._delayed[namespace].pop(entry.ref.uid, None)
        if not self._delayed[namespace]:
            del self._delayed[namespace]

    def _finish(self, entry: Entry) -> None:
        self._undelay(entry)
        for failing in (False, True):
            self._turns.remove((entry.ref.namespace, failing), entry.ref.uid)
        self._given_up.discard(entry.ref.uid)
        self._inventory.writing.discard(entry.ref.uid)
        self._entries.pop(entry.ref.uid, None)

    # Writing

    async def run(self) -> None:
        """Write until cancelled; after an internal error, a new call resumes all pending writes."""
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

    async def _work(self, turn: Group, entry: Entry) -> None:
        try:
            failed = await self._writer.write(entry)
        finally:
            entry.writing = False
            self._turns.done(turn)
            self._wake.set()
        self._conclude(entry, failed)

    def _conclude(self, entry: Entry, failed: Failed | None) -> None:
        if entry.is_done:
            self._finish(entry)
            if failed is None and entry.backoff.failures:
                self._release(entry.ref.namespace)
        elif failed is None:
            # Something was added meanwhile.
            self._recovered(entry)
            if wait := _wait_for_status(entry):
                self._delay(entry, wait)
            else:
                self._ready(entry)
        else:
            self._failed(entry, *failed)
        self._note_idle()

    def _recovered(self, entry: Entry) -> None:
        if entry.backoff.failures:
            self._release(entry.ref.namespace)
        entry.backoff.reset()
        entry.trouble = None
        self._given_up.discard(entry.ref.uid)

    def _release(self, namespace: str) -> None:
        for uid in list(self._delayed.get(namespace, ()))[:RELEASED]:
            self._ready(self._entries[uid])

    def _failed(self, entry: Entry, what: str, error: ExternalError | Failure) -> None:
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
                # Its status then reports why the finalizer stays.
                self._inventory.mark_uid(uid)
        self._delay(entry, delay)


def _wait_for_status(entry: Entry) -> float:
    """Return the seconds until a status may be written, if nothing else is pending; 0: write now."""
    if entry.status is None or entry.finalizers is not None:
        return 0.0
    return max(0.0, entry.status_at - asyncio.get_running_loop().time())
