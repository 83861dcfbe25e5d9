"""An API server in memory, as far as the operator sees it. The contract tests hold it to the real one."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from searchaccess.api.base import ApiModel
from searchaccess.api.status import SearchAccessPolicyStatus, SearchAccessStatus, SearchClusterStatus
from searchaccess.api.vouching import AdmissionObject, vouching_objects
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.watched import EVERYWHERE
from searchaccess.core.status.events import Note
from searchaccess.core.status.pruning import without_fields
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.errors import Conflict, NotFound, PermissionDenied, Rejected
from searchaccess.ports.kubernetes import NamespacePage, ObjectRef, Page, Plural, StoredStatus
from tests.support.copies import copied
from tests.support.failures.faults import Call, Faults
from tests.support.failures.odd import cut_json

SIDE: Final = "kubernetes"
CONTROLLER: Final = "uid-of-kube-system"
PAGE: Final = 3
"""Objects in one page of a list."""

Key = tuple[Plural, str, str]
Watcher = Callable[[str, Plural, dict[str, Any]], None]

_PLURALS: Final = {
    "SearchAccess": Plural.ACCESSES,
    "SearchCluster": Plural.CLUSTERS,
    "SearchAccessPolicy": Plural.POLICIES,
    "SearchAccessApproval": Plural.APPROVALS,
}
_NAMESPACED = {Plural.ACCESSES, Plural.APPROVALS}
_STATUSES: Final[dict[Plural, type[ApiModel]]] = {
    Plural.ACCESSES: SearchAccessStatus,
    Plural.CLUSTERS: SearchClusterStatus,
    Plural.POLICIES: SearchAccessPolicyStatus,
}


def key_of(raw: Mapping[str, Any]) -> Key:
    """Return where an object is kept."""
    return _PLURALS[raw["kind"]], raw["metadata"].get("namespace", ""), raw["metadata"]["name"]


def ref_to(raw: Mapping[str, Any]) -> ObjectRef:
    """Return the port's name of an object."""
    return ObjectRef(*key_of(raw), raw["metadata"]["uid"])


class MemoryKubernetes:
    """The API server. The port's methods are the operator's; the others are everybody else's."""

    def __init__(self, faults: Faults, now: Callable[[], str]) -> None:
        self._faults = faults
        self._now = now
        self._version = 100
        self._made = 0
        self.uids = "uid"
        """What the uids of all objects begin with."""
        self.objects: dict[Key, dict[str, Any]] = {}
        self._keys: dict[str, Key] = {}
        """By uid, of all objects that were ever created here."""
        self._lists: dict[str, list[dict[str, Any]]] = {}
        """What is left of lists that somebody is reading, by the token that goes on with it."""
        self.sources: dict[Source, dict[str, bytes]] = {}
        """Secrets and ConfigMaps."""
        self.events: list[tuple[ObjectRef, Note]] = []
        self.watchers: list[Watcher] = []
        self.watched = EVERYWHERE
        """What the operator may read; the rest it does not meet."""
        self.namespaces: dict[str, dict[str, str]] = {"shop": {}, "billing": {}}
        """By name, their labels."""
        self.admission: dict[AdmissionObject, dict[str, Any]] = {
            each: manifest | {"metadata": {"name": each.name, "creationTimestamp": "2020-01-01T00:00:00Z"}}
            for each, manifest in vouching_objects().items()
        }
        """The admission policies for approvals."""
        self.unknown: frozenset[str] = frozenset()
        """Fields of statuses that the CRDs do not have, such as ``drift.items[].action``."""
        self.may_delete = True
        """Whether the operator may delete SearchAccesses."""
        self.on_finalizers: Callable[[dict[str, Any], Sequence[str]], object] = lambda _raw, _finalizers: None
        """Called with every object whose finalizers the operator is about to replace, and with the new ones."""

    # Everybody else

    def create(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object."""
        key = key_of(raw)
        if key in self.objects:
            raise Conflict(f"{key} already exists")
        self._made += 1
        # As the operator's client reads it.
        made: dict[str, Any] = copied(cut_json(dict(raw)))
        made["metadata"] |= {"uid": f"{self.uids}-{self._made}", "generation": 1, "creationTimestamp": self._now()}
        self.objects[key] = made
        self._keys[made["metadata"]["uid"]] = key
        self._tell("ADDED", key)
        return made

    def with_uid(self, uid: str) -> dict[str, Any] | None:
        """Return the object that was created with a uid; None: there is none, or no longer."""
        found = self.objects.get(self._keys[uid]) if uid in self._keys else None
        return found if found and found["metadata"]["uid"] == uid else None

    def go_on_after(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Have objects that another API server had; what comes is newer."""
        self.objects |= {key_of(raw): copied(dict(raw)) for raw in objects}
        self._keys |= {raw["metadata"]["uid"]: key_of(raw) for raw in objects}
        self._version = max(int(raw["metadata"]["resourceVersion"]) for raw in objects)
        self._made += len(objects)

    def backup(self) -> tuple[int, dict[Key, dict[str, Any]]]:
        """Return all objects, and the version up to which they are known."""
        return self._version, {key: copied(raw) for key, raw in self.objects.items()}

    def go_back_to(self, backup: tuple[int, dict[Key, dict[str, Any]]]) -> None:
        """Be as at a backup: what comes has versions that there were before. No watch reports that."""
        self._version, objects = backup
        self.objects = {key: copied(raw) for key, raw in objects.items()}

    def change(self, key: Key, change: Callable[[dict[str, Any]], object]) -> None:
        """Change an object, as a user does: another spec makes another generation."""
        before = self.objects[key]
        after = copied(before)
        change(after)
        cut_json(after)
        if after["spec"] != before["spec"]:
            after["metadata"]["generation"] += 1
        if after != before:
            self._store(key, after)

    def delete(self, key: Key) -> None:
        """Ask for an object to be deleted; finalizers keep it."""
        raw = self.objects[key]
        if not raw["metadata"].get("finalizers"):
            self._remove(key)
        elif not raw["metadata"].get("deletionTimestamp"):
            after = copied(raw)
            after["metadata"]["deletionTimestamp"] = self._now()
            after["metadata"]["generation"] += 1
            self._store(key, after)

    def _store(self, key: Key, after: dict[str, Any]) -> None:
        if after["metadata"].get("deletionTimestamp") and not after["metadata"].get("finalizers"):
            self.objects[key] = after
            self._remove(key)
            return
        self.objects[key] = after
        self._tell("MODIFIED", key)

    def _remove(self, key: Key) -> None:
        self._tell("DELETED", key)
        del self.objects[key]

    def _tell(self, kind: str, key: Key) -> None:
        self._version += 1
        self.objects[key]["metadata"]["resourceVersion"] = str(self._version)
        if key[0] in _NAMESPACED and not self.watched.sees(key[1]):
            return
        for watcher in self.watchers:
            watcher(kind, key[0], copied(self.objects[key]))

    # The port

    async def controller_id(self) -> str:
        return await self._faults.perform(Call(SIDE, "controller_id"), lambda: CONTROLLER)

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        def read() -> Page:
            snapshot = self._lists.pop(following, None)
            if snapshot is None:
                kept = [key for key in self.objects if key[0] is plural]
                kept = [key for key in kept if not key[1] or self.watched.sees(key[1])]
                snapshot = [copied(self.objects[key]) for key in kept]
            page, rest = snapshot[:PAGE], snapshot[PAGE:]
            token = f"page-{len(self._lists)}-{self._version}-{len(rest)}" if rest else ""
            if rest:
                self._lists[token] = rest
            refused = self.watched.unreadable if plural in _NAMESPACED else ()
            return Page(page, token, {namespace: f"{namespace} may not be listed" for namespace in refused})

        return await self._faults.perform(Call(SIDE, "list_page", (plural,)), read)

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        def read() -> NamespacePage:
            names = sorted(self.namespaces)
            start = int(following or 0)
            part = {name: dict(self.namespaces[name]) for name in names[start : start + PAGE]}
            return NamespacePage(part, str(start + PAGE) if start + PAGE < len(names) else "")

        return await self._faults.perform(Call(SIDE, "list_namespaces"), read)

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        call = Call(SIDE, "replace_status", (ref.name,), write=True)
        return await self._faults.perform(call, lambda: self._replace_status(ref, status))

    def _replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        key, after = self._same(ref)
        model = _STATUSES[ref.plural]
        declared = {field.alias for field in model.model_fields.values()}
        status = {name: value for name, value in status.items() if name in declared}
        try:
            model.model_validate(status)
        except ValidationError as error:
            raise Rejected(f"the API server answered 422: {error.error_count()} problems") from None
        after["status"] = without_fields(json.loads(json.dumps(status)), self.unknown)
        if after != self.objects[key]:
            self._store(key, after)
        return StoredStatus(str(after["metadata"]["resourceVersion"]), copied(after["status"]))

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:
        call = Call(SIDE, "set_finalizers", (ref.name, *after), write=True)
        return await self._faults.perform(call, lambda: self._set_finalizers(ref, before, after))

    def _set_finalizers(self, ref: ObjectRef, before: Sequence[str], finalizers: Sequence[str]) -> str:
        key, after = self._same(ref)
        known = after["metadata"].get("finalizers", [])
        if known != list(before):
            raise Conflict(f"{ref.name} changed meanwhile")
        if after["metadata"].get("deletionTimestamp") and set(finalizers) - set(known):
            raise Rejected("the API server answered 422: no new finalizers can be added if the object is being deleted")
        self.on_finalizers(after, finalizers)
        after["metadata"]["finalizers"] = list(finalizers)
        if after != self.objects[key]:
            self._store(key, after)
        return str(after["metadata"]["resourceVersion"])

    def _same(self, ref: ObjectRef) -> tuple[Key, dict[str, Any]]:
        key = (ref.plural, ref.namespace, ref.name)
        if key not in self.objects:
            raise NotFound(f"the API server answered 404: {ref.name} not found")
        if self.objects[key]["metadata"]["uid"] != ref.uid:
            raise Conflict(f"{ref.name} changed meanwhile")
        return key, copied(self.objects[key])

    async def version_of(self, ref: ObjectRef, generation: int) -> str | None:
        return await self._faults.perform(
            Call(SIDE, "version_of", (ref.name,)), lambda: self._version_of(ref, generation)
        )

    def _version_of(self, ref: ObjectRef, generation: int) -> str | None:
        found = self.objects.get((ref.plural, ref.namespace, ref.name))
        if found is None or found["metadata"]["uid"] != ref.uid:
            raise NotFound(f"{ref.name} is gone")
        meta = found["metadata"]
        same = meta["generation"] == generation and not meta.get("deletionTimestamp")
        return str(meta["resourceVersion"]) if same else None

    async def delete_object(self, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
        method = "dry_delete" if dry_run else "delete"
        call = Call(SIDE, method, (ref.name,), write=not dry_run)
        await self._faults.perform(call, lambda: self._delete(ref, version, dry_run=dry_run))

    def _delete(self, ref: ObjectRef, version: str, *, dry_run: bool) -> None:
        key, found = self._same(ref)
        if not self.may_delete:
            user = 'User "system:serviceaccount:searchaccess-system:searchaccess-operator"'
            raise PermissionDenied(f'the API server answered 403: {user} cannot delete resource "searchaccesses"')
        if str(found["metadata"]["resourceVersion"]) != version:
            raise Conflict(f"{ref.name} changed meanwhile")
        if not dry_run:
            self.delete(key)

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        call = Call(SIDE, "create_event", (ref.name, note.reason), write=True)
        await self._faults.perform(call, lambda: self.events.append((ref, note)))

    async def read_admission(self, wanted: AdmissionObject) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            if wanted not in self.admission:
                raise NotFound(f"the API server answered 404: {wanted.plural} {wanted.name!r} not found")
            return copied(self.admission[wanted])

        return await self._faults.perform(Call(SIDE, "read_admission", (wanted.name,)), read)

    async def read_source(self, source: Source) -> dict[str, bytes]:
        def read() -> dict[str, bytes]:
            if source not in self.sources:
                raise NotFound(f"the API server answered 404: {source.kind.lower()}s {source.name!r} not found")
            return dict(self.sources[source])

        return await self._faults.perform(Call(SIDE, "read_source", (str(source),)), read)


@dataclass(slots=True)
class Watch:
    """Brings changes to an inventory: late, in any order between objects, some of them twice, as a watch may.

    Args:
        inventory: where they go.
        later: calls something after a delay of the watch's choice; by default they arrive at once.
        twice: says whether the next one is delivered twice.
    """

    inventory: Inventory
    later: Callable[[Callable[[], None]], object] = field(default=lambda deliver: deliver())
    twice: Callable[[], bool] = field(default=lambda: False)
    down: bool = False
    """True: changes are missed for good, as while the connection is away."""
    pending: int = 0
    _waiting: dict[Key, deque[tuple[str, dict[str, Any]]]] = field(default_factory=dict)

    def __call__(self, kind: str, _: Plural, raw: dict[str, Any]) -> None:
        """Take in a change from the API server."""
        if self.down:
            return
        queue = self._waiting.setdefault(key_of(raw), deque())
        for _once in range(2 if self.twice() else 1):
            queue.append((kind, copied(raw)))
            self.pending += 1
            self.later(lambda: self._deliver(queue))

    def _deliver(self, queue: deque[tuple[str, dict[str, Any]]]) -> None:
        kind, raw = queue.popleft()
        self.pending -= 1
        meta, plural = raw["metadata"], key_of(raw)[0]
        if plural is Plural.ACCESSES:
            if kind == "DELETED":
                self.inventory.forget_access(meta["uid"])
            elif self.inventory.may_have_changed(raw):
                self.inventory.see_access(raw)
        elif plural in {Plural.POLICIES, Plural.APPROVALS}:
            known = self.inventory.policies if plural is Plural.POLICIES else self.inventory.approvals
            if kind == "DELETED":
                known.forget(meta["uid"])
            else:
                known.see(raw)
        elif kind == "DELETED":
            self.inventory.forget_cluster(meta["name"], meta["uid"])
        else:
            self.inventory.see_cluster(raw)
