"""SearchClusters from files, where no right reaches beyond namespaces (docs/adr/0045).

Their statuses, on which safety rests, are in ConfigMaps: the Elasticsearch cluster that each is pinned to, what was
released, what was adopted.
"""

import asyncio
import json
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from searchaccess.adapters.kubernetes.client import APPLY, KubernetesClient
from searchaccess.adapters.kubernetes.namespaced import log_event
from searchaccess.adapters.kubernetes.paths import path_of
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.constants import API_VERSION, MANAGED_BY
from searchaccess.api.status import SearchClusterStatus, condition_of
from searchaccess.api.vouching import AdmissionObject
from searchaccess.core.clusters.cluster import PROBLEM
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.status.events import Note
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.observing import read_manifests
from searchaccess.ports.errors import BadManifest, Conflict, ExternalError, NotFound
from searchaccess.ports.kubernetes import NamespacePage, ObjectRef, Page, Plural, StoredStatus

READ_EVERY: Final = 5.0
"""Seconds between two reads of the files: the kubelet brings a change of a ConfigMap within a minute or two."""
STATUS: Final = "status.json"
"""Key of a ConfigMap."""
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_BORN: Final = "1970-01-01T00:00:00Z"
"""When each of them was created, as far as that counts: the files do not say it."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Filed:
    """One SearchCluster."""

    raw: Mapping[str, Any]
    uid: str
    version: int
    status: dict[str, Any] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    written: bool = False
    """Whether this process wrote the status last."""
    problem: str = ""
    """Why its status cannot be read, without which nothing may be reconciled; empty: it can."""
    missed: int = 0
    """In how many lists in a row the status was not there."""

    def to_object(self) -> dict[str, Any]:
        """Return it as the API server would give it."""
        declared = self.raw["metadata"]
        metadata = {
            "name": declared["name"],
            "annotations": declared.get("annotations") or {},
            "uid": self.uid,
            # Another spec is another generation; none is later than others.
            "generation": zlib.crc32(stable_json(self.raw.get("spec")).encode()) + 1,
            "resourceVersion": str(self.version),
            "creationTimestamp": _BORN,
            "finalizers": list(self.finalizers),
        }
        return {
            "apiVersion": API_VERSION,
            "kind": "SearchCluster",
            "metadata": metadata,
            "spec": self.raw.get("spec"),
            "status": self.status,
            **({PROBLEM: self.problem} if self.problem else {}),
        }


def read_folder(folder: Path) -> tuple[bytes, dict[str, dict[str, Any]]]:
    """Read the SearchClusters in the files of a folder, not of folders in it.

    Returns:
        All content, to compare with, and the manifests by name.

    Raises:
        BadManifest: a file cannot be read, or two declare the same.
    """
    content = _content(folder)
    found: dict[str, dict[str, Any]] = {}
    for raw in read_manifests(_files(folder)):
        name = raw["metadata"]["name"]
        if raw["kind"] != "SearchCluster":
            raise BadManifest(f"{folder}: {raw['kind']} {name} is not a SearchCluster")
        if name in found:
            raise BadManifest(f"{folder}: SearchCluster {name} is declared twice")
        found[name] = raw
    return content, found


def _files(folder: Path) -> list[Path]:
    # The kubelet keeps the files themselves in hidden folders, and links to them.
    return sorted(item for item in folder.glob("[!.]*") if item.suffix in _SUFFIXES and item.is_file())


def _content(folder: Path) -> bytes:
    try:
        if not folder.is_dir():
            raise BadManifest(f"{folder}: there is no such folder")
        return b"\0".join(part for file in _files(folder) for part in (file.name.encode(), file.read_bytes()))
    except OSError as error:
        raise BadManifest(f"{folder}: it cannot be read ({type(error).__name__})") from None


class FiledClusters:
    """An API server whose SearchClusters are those of files.

    Args:
        real: has all else.
        folder: where the files are.
        home: namespace of the ConfigMaps with their statuses.
        instance: name of the installation.
    """

    def __init__(self, real: KubernetesClient, folder: Path, home: str, instance: str) -> None:
        self._real = real
        self._folder = folder
        self._home = home
        self._instance = instance
        self._read: bytes | None = None
        self._filed: dict[str, _Filed] = {}
        self._version = 0
        self._reading = asyncio.Lock()
        self._wrong = ""
        """Why the last read of the files failed."""

    # Files

    async def follow(self, inventory: Inventory) -> None:
        """Take in what changes in the files, until cancelled; what cannot be read changes nothing."""
        while True:
            await asyncio.sleep(READ_EVERY)
            try:
                await self.update(inventory)
            except ExternalError as error:
                if error.message != self._wrong:
                    log.warning("cannot read SearchClusters: those that are known stay", error=error.message)
                self._wrong = error.message

    async def update(self, inventory: Inventory) -> None:
        """Update the inventory from the files.

        Raises:
            ExternalError: they, or statuses, could not be read.
        """
        before = dict(self._filed)
        changed = await self._reread()
        self._wrong = ""
        if not changed:
            return
        log.info("SearchClusters read from files", names=sorted(self._filed))
        for one in self._filed.values():
            inventory.see_cluster(one.to_object())
        for name in before.keys() - self._filed.keys():
            inventory.forget_cluster(name, before[name].uid, returns=True)

    async def _reread(self) -> bool:
        """Read the files if they changed; return whether they did."""
        async with self._reading:
            if self._read is not None and await asyncio.to_thread(_content, self._folder) == self._read:
                return False
            content, found = await asyncio.to_thread(read_folder, self._folder)
            filed = {name: await self._updated(name, raw) for name, raw in found.items()}
            self._read, self._filed = content, filed
            return True

    async def _updated(self, name: str, raw: Mapping[str, Any]) -> _Filed:
        known = self._filed.get(name)
        if known is None:
            status, problem = await self._first_stored(name)
            # The same object for as long as the installation is the same, whatever happens to its files.
            uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{await self._real.controller_id()}/{self._instance}/{name}"))
            return _Filed(raw, uid, self._next(), status, problem=problem)
        if known.raw != raw:
            known.raw, known.version = raw, self._next()
        return known

    def _next(self) -> int:
        self._version += 1
        return self._version

    # Statuses

    def _place(self, name: str) -> str:
        return f"searchaccess-{self._instance}-{name}"

    async def _first_stored(self, name: str) -> tuple[dict[str, Any], str]:
        """Return the status of a SearchCluster of which nothing is known yet, and why it cannot be read."""
        try:
            return await self._stored(name) or {}, ""
        except BadManifest as error:
            log.warning("a SearchCluster is not reconciled: its status cannot be read", name=name, error=error.message)
            return {}, error.message

    async def _stored(self, name: str) -> dict[str, Any] | None:
        """Return the status that a ConfigMap has; None: there is none.

        Raises:
            BadManifest: it has something else.
            ExternalError: it could not be read.
        """
        try:
            data = await self._real.read_source(Source("ConfigMap", self._home, self._place(name)))
        except NotFound:
            return None
        try:
            status = json.loads(data.get(STATUS, b""))
        except (ValueError, RecursionError):
            status = None
        if not isinstance(status, dict):
            # Without it the pin is not known, nor what was released.
            place = f"ConfigMap {self._home}/{self._place(name)}"
            raise BadManifest(f"{place}: {STATUS} is not the status of a SearchCluster")
        return status

    async def _store(self, name: str, status: Mapping[str, Any]) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._place(name), "labels": {"app.kubernetes.io/managed-by": MANAGED_BY}},
            "data": {STATUS: json.dumps(status, indent=1)},
        }
        path = path_of("/api/v1/namespaces", self._home, "configmaps", self._place(name))
        await self._real.call("PATCH", f"{path}?force=true", body, APPLY)

    async def _update_status(self, name: str, one: _Filed) -> None:
        version = one.version
        try:
            status, problem = await self._stored(name), ""
        except BadManifest as error:
            # One that is known is written again, as if it had been deleted.
            status, problem = None, one.problem and error.message
        if problem or one.version != version:
            # What we wrote meanwhile is newer.
            return
        if one.problem:
            log.info("the status of a SearchCluster can be read again", name=name)
            one.problem, one.version = "", self._next()
        if status is None:
            await self._restore(name, one)
            return
        one.missed = 0
        # Another replica may have written it.
        if status != one.status:
            one.status, one.version, one.written = status, self._next(), False

    async def _restore(self, name: str, one: _Filed) -> None:
        """Write a status again that somebody deleted or made unreadable: safety rests on what is known of it."""
        if not one.status:
            return
        one.missed += 1
        log.warning("the status of a SearchCluster is gone: what is known stays", configmap=self._place(name))
        # Of several replicas, the one that wrote it last has the newest.
        if one.written or one.missed > 1:
            await self._store(name, one.status)

    # The port

    async def controller_id(self) -> str:
        """Return the identity of this installation."""
        return await self._real.controller_id()

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return some objects of a kind."""
        if plural in {Plural.POLICIES, Plural.APPROVALS}:
            # Policies have no namespace, so that no Role can allow to read them (docs/adr/0045). Nobody else needs
            # approvals.
            return Page([])
        if plural is not Plural.CLUSTERS:
            return await self._real.list_page(plural, following)
        await self._reread()
        for name, one in self._filed.items():
            await self._update_status(name, one)
        return Page([one.to_object() for one in self._filed.values()])

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        """Return some namespaces with their labels."""
        return await self._real.list_namespaces(following)

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        """Replace an object's status; return what is stored of it."""
        if ref.plural is not Plural.CLUSTERS:
            return await self._real.replace_status(ref, status)
        one = self._same(ref)
        if one.problem:
            raise BadManifest(one.problem)
        await self._store(ref.name, status)
        one.written = True
        before, one.status, one.version = _ready(one.status), json.loads(json.dumps(status)), self._next()
        if (ready := _ready(one.status)) != before:
            level = log.info if ready[0] == "True" else log.warning
            level("SearchCluster", name=ref.name, ready=ready[0], reason=ready[1], message=ready[2])
        return StoredStatus(str(one.version), one.status)

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:
        """Replace an object's finalizers; those of files hold nothing back."""
        if ref.plural is not Plural.CLUSTERS:
            return await self._real.set_finalizers(ref, before, after)
        one = self._same(ref)
        one.finalizers, one.version = tuple(after), self._next()
        return str(one.version)

    def _same(self, ref: ObjectRef) -> _Filed:
        """Return the SearchCluster of a reference.

        Raises:
            NotFound: it is in no file any more.
            Conflict: another one has its name.
        """
        one = self._filed.get(ref.name)
        if one is None:
            raise NotFound(f"SearchCluster {ref.name} is in no file any more")
        if one.uid != ref.uid:
            raise Conflict(f"SearchCluster {ref.name} is another one now")
        return one

    async def version_of(self, ref: ObjectRef, generation: int) -> str | None:
        """Return the resource version of a SearchAccess; None: it was edited since, or its deletion began."""
        return await self._real.version_of(ref, generation)

    async def delete_object(self, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
        """Delete a SearchAccess, as long as it has this resource version."""
        await self._real.delete_object(ref, version, dry_run=dry_run)

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write an event about an object; one about a SearchCluster from a file is logged."""
        if ref.namespace:
            await self._real.create_event(ref, note)
        else:
            log_event(ref, note)

    async def read_admission(self, wanted: AdmissionObject) -> dict[str, Any]:
        """Return a ValidatingAdmissionPolicy, or its binding."""
        return await self._real.read_admission(wanted)

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded."""
        return await self._real.read_source(source)


def _ready(status: Mapping[str, Any]) -> tuple[str, str, str]:
    found = condition_of(SearchClusterStatus.parse(stable_json(status)), ConditionType.READY) if status else None
    return (found.status, found.reason, found.message) if found else ("", "", "")
