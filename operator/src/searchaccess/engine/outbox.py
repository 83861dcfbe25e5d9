"""Writes to Kubernetes in the background: the newest status of each object, then what must follow it.

The loop never waits for the API server. Entries of one object are merged while they wait; a write that fails is tried
again with back-off until it succeeds or the object is gone.
"""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from searchaccess.core.status.events import Note
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.errors import Conflict, ExternalError, NotFound, Rejected, TransientError
from searchaccess.ports.kubernetes import KubernetesPort, ObjectRef

WORKERS: Final = 24
EVENTS_LIMIT: Final = 200
"""Events that may wait; more are dropped (the statuses say the same)."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Entry:
    ref: ObjectRef
    status: str | None = None
    """JSON: the same text that the inventory has."""
    finalizers: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """Before and after."""
    notes: list[Note] = field(default_factory=list)
    backoff: Backoff = field(default_factory=Backoff)


class Outbox:
    """Pending writes to Kubernetes."""

    def __init__(self, kubernetes: KubernetesPort, inventory: Inventory) -> None:
        self._kubernetes = kubernetes
        self._inventory = inventory
        self._entries: dict[str, _Entry] = {}
        self._busy: set[str] = set()
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._events = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def put_status(self, ref: ObjectRef, status: str, notes: list[Note]) -> None:
        """Ask for a status (JSON), and events about it, to be written."""
        entry = self._entry(ref)
        entry.status = status
        self._inventory.writing.add(ref.uid)
        self._add_notes(entry, notes)

    def put_finalizers(self, ref: ObjectRef, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        """Ask for finalizers to be replaced, after anything else that is pending for the object."""
        self._entry(ref).finalizers = (before, after)

    def put_notes(self, ref: ObjectRef, notes: list[Note]) -> None:
        """Ask for events to be written."""
        if notes:
            self._add_notes(self._entry(ref), notes)

    def _add_notes(self, entry: _Entry, notes: list[Note]) -> None:
        room = max(0, EVENTS_LIMIT - self._events)
        entry.notes.extend(notes[:room])
        self._events += min(room, len(notes))

    def _entry(self, ref: ObjectRef) -> _Entry:
        entry = self._entries.get(ref.uid)
        if entry is None:
            entry = self._entries[ref.uid] = _Entry(ref)
            if ref.uid not in self._busy:
                self._queue.put_nowait(ref.uid)
            self._idle.clear()
        return entry

    def drop(self, uids: Collection[str]) -> None:
        """Write nothing more of what waits for some objects: another replica tells of them."""
        for uid in uids:
            entry = self._entries.pop(uid, None)
            if entry is not None:
                self._drop_notes(entry)
                self._inventory.writing.discard(uid)
        if not self._entries and not self._busy:
            self._idle.set()

    @property
    def pending(self) -> int:
        """How many objects wait to be written."""
        return len(self._entries) + len(self._busy)

    async def drained(self) -> None:
        """Wait until nothing is pending."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            entry = self._entries.pop(uid, None)
            if entry is None:
                continue
            self._busy.add(uid)
            try:
                await self._deliver(entry)
            finally:
                self._busy.discard(uid)
                if uid in self._entries:
                    self._queue.put_nowait(uid)
                else:
                    self._inventory.writing.discard(uid)
                if not self._entries and not self._busy:
                    self._idle.set()

    async def _deliver(self, entry: _Entry) -> None:
        """Write an entry; steps that are done are not repeated after a failure."""
        while True:
            newer = self._entries.pop(entry.ref.uid, None)
            if newer:
                entry.status = newer.status or entry.status
                entry.finalizers = newer.finalizers or entry.finalizers
                entry.notes += newer.notes
            try:
                await self._write(entry)
            except NotFound:
                self._drop_notes(entry)
                return
            except Conflict:
                # Changed meanwhile: let its event arrive, then let the loop look again.
                await asyncio.sleep(entry.backoff.next())
                if entry.status is None or not self._inventory.knows(entry.ref.uid):
                    self._drop_notes(entry)
                    self._inventory.mark_uid(entry.ref.uid)
                    return
            except Rejected as error:
                log.error("finalizers refused", object=entry.ref.name, error=error.message)  # noqa: TRY400 - says it all
                self._drop_notes(entry)
                return
            except ExternalError as error:
                log.warning("write to kubernetes failed", object=entry.ref.name, error=error.message)
                await asyncio.sleep(entry.backoff.next())
            else:
                return

    def _drop_notes(self, entry: _Entry) -> None:
        self._events -= len(entry.notes)
        entry.notes.clear()

    async def _write(self, entry: _Entry) -> None:
        if entry.status is not None:
            try:
                version = await self._kubernetes.replace_status(entry.ref, json.loads(entry.status))
                self._inventory.wrote(entry.ref.uid, version)
            except Rejected as error:
                # Such as by a CRD that is older than the operator. What follows matters more.
                log.error("status refused", object=entry.ref.name, error=error.message)  # noqa: TRY400 - says it all
            entry.status = None
        if entry.finalizers is not None:
            before, after = entry.finalizers
            version = await self._kubernetes.set_finalizers(entry.ref, before, after)
            self._inventory.wrote(entry.ref.uid, version)
            entry.finalizers = None
        try:
            while entry.notes:
                await self._kubernetes.create_event(entry.ref, entry.notes[0])
                entry.notes.pop(0)
                self._events -= 1
        except TransientError:
            raise
        except ExternalError as error:
            # Such as in a namespace that is being deleted. The status says the same.
            log.warning("events cannot be written", object=entry.ref.name, error=error.message)
            self._drop_notes(entry)
