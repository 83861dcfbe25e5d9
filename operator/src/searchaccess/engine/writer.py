"""Writes to Kubernetes what is pending for one object: status, finalizers, events; then it may delete it."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import structlog

from searchaccess.core.status.access import Failure
from searchaccess.core.status.events import Note
from searchaccess.engine.barrier import caught
from searchaccess.engine.deletions import Deletion, Deletions
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.pacing.backoff import FIRST, Backoff
from searchaccess.ports.errors import ExternalError, NotFound, TransientError
from searchaccess.ports.kubernetes import KubernetesPort, ObjectRef
from searchaccess.ports.meter import Meter

LONGEST: Final = 30.0
"""Seconds between attempts of a refused write, at most, such as one that a webhook refuses."""
EVENTS_LIMIT: Final = 200
"""Pending events of one namespace; more are dropped (the statuses show the same) and counted."""


Group: TypeAlias = tuple[str, bool]
"""A namespace, and whether its entries failed before."""
Failed: TypeAlias = tuple[str, ExternalError | Failure]
"""What could not be written, and why."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Entry:
    """What is pending for one object."""

    ref: ObjectRef
    status: str | None = None
    """JSON, the same text as in the inventory."""
    status_at: float = 0.0
    """When it may be written, by the loop's clock."""
    finalizers: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """Before and after."""
    notes: list[Note] = field(default_factory=list)
    deletion: Deletion | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST, LONGEST))
    trouble: Failure | None = None
    """Why the last attempt failed."""
    outdated: bool = False
    """The object changed meanwhile: its event has time to arrive until the next attempt."""
    writing: bool = False
    timer: asyncio.TimerHandle | None = None
    """Set while it waits for its next attempt."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is pending."""
        return self.is_written and self.deletion is None

    @property
    def is_written(self) -> bool:
        """Whether nothing but its deletion is pending."""
        return self.status is None and self.finalizers is None and not self.notes

    @property
    def group(self) -> Group:
        """With which other entries it takes turns."""
        return self.ref.namespace, self.backoff.failures > 0


class Writer:
    """Performs the writes of entries, and limits their events.

    Args:
        kubernetes: the API server.
        inventory: receives what was written.
        meter: counts internal errors, and events that were dropped.
    """

    def __init__(self, kubernetes: KubernetesPort, inventory: Inventory, meter: Meter) -> None:
        self._kubernetes = kubernetes
        self._inventory = inventory
        self._meter = meter
        self.deletions = Deletions(kubernetes, inventory, meter)
        self._events: Counter[str] = Counter()
        """By namespace, pending events."""

    def add_notes(self, entry: Entry, notes: list[Note]) -> None:
        """Add events to an entry; those above the limit of its namespace are dropped."""
        namespace = entry.ref.namespace
        room = max(0, EVENTS_LIMIT - self._events[namespace])
        entry.notes.extend(notes[:room])
        if added := min(room, len(notes)):
            self._events[namespace] += added
        if len(notes) > room:
            self._meter.events_dropped(len(notes) - room)

    def clear(self, entry: Entry) -> None:
        """Drop everything that is pending for an entry."""
        entry.status = entry.finalizers = entry.deletion = None
        self._drop_notes(entry)

    def _drop_notes(self, entry: Entry) -> None:
        self._count_off(entry, len(entry.notes))
        entry.notes.clear()

    def _count_off(self, entry: Entry, number: int) -> None:
        """Count events as no longer pending; a namespace without any is not kept."""
        self._events[entry.ref.namespace] -= number
        if not self._events[entry.ref.namespace]:
            del self._events[entry.ref.namespace]

    async def write(self, entry: Entry) -> Failed | None:
        """Write an entry; completed steps are not repeated after a failure. Return the first failure."""
        failed: Failed | None = None
        for what, step in (
            ("the object", self._check_outdated),
            ("its status", self._write_status),
            ("its finalizer", self._write_finalizers),
            ("its events", self._write_notes),
            ("its deletion", self._delete),
        ):
            try:
                await step(entry)
            except NotFound:
                self.clear(entry)
                return None
            except ExternalError as error:
                # A webhook, or a CRD older than the operator, may refuse a status: the finalizers matter
                # more.
                failed = failed or (what, error)
            except Exception as error:  # noqa: BLE001 - an internal error affects this object alone, and is retried
                failed = failed or (what, caught(self._meter, "", "outbox", error))
        return failed

    async def _check_outdated(self, entry: Entry) -> None:
        """Let the reconciler decide again about an object that changed meanwhile.

        Its events stay: the status that they announce may be written, so that nothing would emit them again.
        """
        outdated, entry.outdated = entry.outdated, False
        if not outdated:
            return
        if not self._inventory.knows(entry.ref.uid):
            self.clear(entry)
        elif entry.status is None:
            entry.finalizers = None
            self._inventory.mark_uid(entry.ref.uid)

    async def _write_status(self, entry: Entry) -> None:
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

    async def _write_finalizers(self, entry: Entry) -> None:
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
            # What waited for the finalizer continues.
            record.access = replace(record.access, finalizers=after)
            self._inventory.mark_uid(entry.ref.uid)

    async def _delete(self, entry: Entry) -> None:
        deletion = entry.deletion
        if deletion is None or not entry.is_written:
            return
        await self.deletions.perform(entry.ref, deletion)
        if entry.deletion is deletion:
            entry.deletion = None

    async def _write_notes(self, entry: Entry) -> None:
        try:
            while entry.notes:
                note = entry.notes[0]
                await self._kubernetes.create_event(entry.ref, note)
                if entry.notes and entry.notes[0] is note:
                    entry.notes.pop(0)
                    self._count_off(entry, 1)
        except TransientError:
            raise
        except ExternalError as error:
            # For example in a namespace that is being deleted. The status shows the same.
            log.warning("events cannot be written", object=entry.ref.name, error=error.message)
            self._meter.events_dropped(len(entry.notes))
            self._drop_notes(entry)
