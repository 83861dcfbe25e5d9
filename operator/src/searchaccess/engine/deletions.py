"""Deletes SearchAccesses whose ``ttlAfterExpired`` is over."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from searchaccess.core.status.events import Note
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied, TransientError
from searchaccess.ports.kubernetes import KubernetesPort, ObjectRef
from searchaccess.ports.meter import Meter

AGAIN_AFTER: Final = 600.0
"""Seconds after which a refused deletion is tried again, with one object for all that lack the same right."""
_NO_RIGHT: Final = "cannot delete resource"
"""In what the API server answers if RBAC does not allow it, unlike an admission webhook that refuses one object:
https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/responsewriters/errors.go"""
_GRANT: Final = "Set rbac.deleteExpired: true in the chart"
_ALLOW: Final = "Have that allowed"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion that is due.

    Args:
        cluster: name of the SearchCluster, for metrics.
        generation: of the SearchAccess that expired; another one is not deleted.
        note: the event before it.
    """

    cluster: str
    generation: int
    note: Note


@dataclass(slots=True)
class _Refused:
    message: str
    uids: dict[str, None] = field(default_factory=dict)
    trying: str = ""
    """The uid that is tried again for all of them; empty: it is not time yet."""


class Deletions:
    """Deletes objects, and remembers what the API server refuses.

    Args:
        kubernetes: the API server.
        inventory: has what is refused reconciled again, so that its status says so.
        meter: counts events.
    """

    def __init__(self, kubernetes: KubernetesPort, inventory: Inventory, meter: Meter) -> None:
        self._kubernetes = kubernetes
        self._inventory = inventory
        self._meter = meter
        self._refused: dict[str, _Refused] = {}
        """By namespace, if the right is missing there; otherwise by uid."""
        self._announced: set[str] = set()
        """Uids whose event was written."""

    def why_not(self, ref: ObjectRef) -> str:
        """Return why an object cannot be deleted; empty: nothing is known against it."""
        found = self._found(ref)
        return found.message if found else ""

    def may_try(self, ref: ObjectRef) -> bool:
        """Return whether a deletion is to be tried now."""
        found = self._found(ref)
        return found is None or found.trying == ref.uid

    async def perform(self, ref: ObjectRef, deletion: Deletion) -> None:
        """Delete an object, unless it was edited meanwhile or the API server refuses it.

        The event is written once it is known that the API server would delete it.

        Raises:
            TransientError: it is to be tried again.
            NotFound: it is gone.
        """
        if not self.may_try(ref):
            self._wait(ref)
            return
        try:
            version = await self._kubernetes.version_of(ref, deletion.generation)
            if version is None:
                self._announced.discard(ref.uid)
                return
            await self._kubernetes.delete_object(ref, version, dry_run=True)
            await self._announce(ref, deletion)
            await self._kubernetes.delete_object(ref, version)
        except (TransientError, NotFound):
            raise
        except ExternalError as error:
            self._refuse(ref, error)
        else:
            log.info("deleted an expired SearchAccess", access=f"{ref.namespace}/{ref.name}")
            self._announced.discard(ref.uid)
            self._accept(ref)

    async def _announce(self, ref: ObjectRef, deletion: Deletion) -> None:
        if ref.uid in self._announced:
            return
        try:
            await self._kubernetes.create_event(ref, deletion.note)
        except TransientError:
            raise
        except ExternalError as error:
            log.warning("events cannot be written", object=ref.name, error=error.message)
        else:
            self._meter.event_emitted(deletion.cluster, deletion.note.reason)
        self._announced.add(ref.uid)

    def _found(self, ref: ObjectRef) -> _Refused | None:
        return self._refused.get(ref.uid) or self._refused.get(ref.namespace)

    def _refuse(self, ref: ObjectRef, error: ExternalError) -> None:
        lacks_right = isinstance(error, PermissionDenied) and _NO_RIGHT in error.message
        key = ref.namespace if lacks_right else ref.uid
        if key not in self._refused:
            log.warning("an expired SearchAccess cannot be deleted", object=ref.name, error=error.message)
            self._refused[key] = _Refused(f"{error.message}. {_GRANT if lacks_right else _ALLOW}")
            asyncio.get_running_loop().call_later(AGAIN_AFTER, self._try_again, key)
        elif self._refused[key].trying == ref.uid:
            self._refused[key].trying = ""
        self._wait(ref)

    def _wait(self, ref: ObjectRef) -> None:
        """Have an object wait for the next try, and say in its status why."""
        found = self._found(ref)
        if found is None or ref.uid in found.uids:
            return
        found.uids[ref.uid] = None
        self._inventory.mark_uid(ref.uid)

    def _try_again(self, key: str) -> None:
        found = self._refused.get(key)
        if found is None:
            return
        found.uids = {uid: None for uid in found.uids if uid in self._inventory.accesses}
        if not found.uids:
            del self._refused[key]
            return
        # Another one than the last time, as that may have been edited.
        found.trying = next(iter(found.uids))
        del found.uids[found.trying]
        found.uids[found.trying] = None
        self._inventory.mark_uid(found.trying)
        asyncio.get_running_loop().call_later(AGAIN_AFTER, self._try_again, key)

    def _accept(self, ref: ObjectRef) -> None:
        """Have all deleted that lacked the same right."""
        for key in {ref.uid, ref.namespace} & self._refused.keys():
            for uid in self._refused.pop(key).uids:
                self._inventory.mark_uid(uid)
