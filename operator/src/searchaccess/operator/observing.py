"""Kubernetes in a dry run: read-only, with manifests from files as an overlay."""

import re
import sys
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
import yaml

from searchaccess.adapters.yamlfiles import UNREADABLE, PlainLoader, line_of
from searchaccess.api.constants import API_VERSION, GROUP
from searchaccess.api.stores.credentials import SECRET_PATTERN
from searchaccess.api.vouching import AdmissionObject
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.intake.metadata import REQUEST_LIMIT, bounded_text, metadata_of, part
from searchaccess.core.status.events import Note
from searchaccess.operator.observer_login import ObserverLogins
from searchaccess.ports.errors import BadManifest
from searchaccess.ports.kubernetes import KubernetesPort, NamespacePage, ObjectRef, Page, Plural, StoredStatus

_KINDS: Final = {
    "SearchAccess": Plural.ACCESSES,
    "SearchCluster": Plural.CLUSTERS,
    "SearchAccessPolicy": Plural.POLICIES,
    "SearchAccessApproval": Plural.APPROVALS,
}
_NAMESPACED: Final = frozenset({Plural.ACCESSES, Plural.APPROVALS})
_DEFAULT: Final = "default"
STANDARD_INPUT: Final = Path("-")
_LONGEST_NAME: Final = 253
_LONGEST_PREFIX: Final = 248
"""Characters of ``generateName``; five more follow."""
_NEVER_GIVEN: Final = frozenset({"deletionTimestamp", "deletionGracePeriodSeconds"})
"""Fields that the API server ignores when an object is created."""
MANIFEST_FILES: Final = (".yaml", ".yml", ".json")

log = structlog.get_logger(__name__)


def read_manifests(paths: Collection[Path], namespace: str = "") -> list[dict[str, Any]]:
    """Read the SearchAccesses and SearchClusters in files.

    Args:
        paths: files, folders with ``.yaml``, ``.yml`` and ``.json`` files at any depth, or ``-``: standard input.
        namespace: for SearchAccesses without one; empty: these stay unchanged.

    Raises:
        BadManifest: a file is invalid, or has a SearchAccess of another namespace; the message names it.
    """
    files = ((file, "standard input" if file == STANDARD_INPUT else str(file)) for file in _files(paths))
    return manifests_in(((name, _text_of(file, name)) for file, name in files), namespace, logs=bool(paths))


def manifests_in(texts: Iterable[tuple[str, str]], namespace: str = "", *, logs: bool = True) -> list[dict[str, Any]]:
    """Read our objects in the contents of files.

    Args:
        texts: names of files, and what they contain.
        namespace: for SearchAccesses without one; empty: these stay unchanged.
        logs: whether to log, with --verbose, how many were found.

    Raises:
        BadManifest: a file is invalid, or has a SearchAccess of another namespace; the message names it.
    """
    found, others = list[dict[str, Any]](), 0
    for name, text in texts:
        for raw in _documents(text, name):
            version = raw.get("apiVersion")
            if not isinstance(version, str) or version.partition("/")[0] != GROUP:
                others += 1
                continue
            found.append(_checked(name, _named(raw, len(found)), namespace))
    if logs:
        log.debug("read manifests", ours=len(found), others=others)
    return placed(found, namespace) if namespace else found


def placed(manifests: Iterable[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    """Return manifests with a namespace for SearchAccesses and approvals without one."""
    return [
        {**raw, "metadata": {**raw["metadata"], "namespace": namespace}}
        if _KINDS[raw["kind"]] in _NAMESPACED and not raw["metadata"].get("namespace")
        else raw
        for raw in manifests
    ]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path != STANDARD_INPUT and path.is_dir():
            yield from sorted(item for item in path.rglob("*") if item.suffix in MANIFEST_FILES and item.is_file())
        else:
            yield path


def _text_of(file: Path, name: str) -> str:
    try:
        return sys.stdin.buffer.read().decode() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
    except UNREADABLE as error:
        raise BadManifest(f"{name}: it cannot be read as YAML ({type(error).__name__})") from None


def _documents(text: str, name: str) -> Iterator[dict[str, Any]]:
    try:
        documents = list(yaml.load_all(text, Loader=PlainLoader))
    except RecursionError:
        raise BadManifest(f"{name}: it is nested too deep to be read") from None
    except UNREADABLE as error:
        raise BadManifest(f"{name}{line_of(error)}: it cannot be read as YAML ({type(error).__name__})") from None
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "List":
            items = document.get("items")
            yield from (item for item in items or [] if isinstance(item, dict)) if isinstance(items, list) else ()
        elif isinstance(document, dict):
            yield document
        elif document is not None:
            raise BadManifest(f"{name}: it contains something that is not an object")


def _named(raw: dict[str, Any], number: int) -> dict[str, Any]:
    """Return an approval with a name, as the API server makes one of ``generateName``; anything else as it is."""
    metadata = part(raw, "metadata")
    prefix = metadata.get("generateName")
    if raw.get("kind") != "SearchAccessApproval" or metadata.get("name") or not isinstance(prefix, str):
        return raw
    return {**raw, "metadata": {**metadata, "name": f"{prefix[:_LONGEST_PREFIX]}{number:05}"}}


def _checked(file: str, raw: dict[str, Any], expected: str) -> dict[str, Any]:
    """Check that an object can be identified, and has the expected namespace, if any.

    Other problems are reported on the object itself.
    """
    kind, metadata = raw.get("kind"), raw.get("metadata")
    if raw["apiVersion"] != API_VERSION or not isinstance(kind, str) or kind not in _KINDS:
        raise BadManifest(f"{file}: {_shown(raw['apiVersion'])} {_shown(kind)} is not known")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not _is_name(name):
        raise BadManifest(f"{file}: a {kind} has no name that Kubernetes takes")
    if not _is_name((metadata or {}).get("namespace") or _DEFAULT):
        raise BadManifest(f"{file}: {kind} {name} has no namespace that Kubernetes takes")
    namespace = (metadata or {}).get("namespace") or expected
    if expected and _KINDS[kind] in _NAMESPACED and namespace != expected:
        raise BadManifest(f"{file}: {kind} {name} is of the namespace {namespace}, and --namespace is {expected}")
    return raw


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= _LONGEST_NAME and bool(re.fullmatch(SECRET_PATTERN, name))


def _shown(text: Any) -> str:
    return bounded_text(text, REQUEST_LIMIT) if isinstance(text, str) else "something"


Key = tuple[Plural, str, str]


def _key(raw: Mapping[str, Any]) -> Key:
    plural, metadata = _KINDS[raw["kind"]], raw["metadata"]
    namespace = str(metadata.get("namespace") or _DEFAULT) if plural in _NAMESPACED else ""
    return plural, namespace, metadata["name"]


class ObservedKubernetes:
    """A read-only API server that seems to accept writes.

    Args:
        real: the API server.
        manifests: objects that replace, or are added to, those of the API server.
        logins: to Elasticsearch, instead of those that SearchClusters declare.
    """

    def __init__(
        self,
        real: KubernetesPort,
        manifests: Iterable[dict[str, Any]] = (),
        logins: ObserverLogins | None = None,
    ) -> None:
        self._real = real
        self._logins = logins or ObserverLogins()
        self._manifests = {_key(raw): raw for raw in manifests}
        self._there: dict[Plural, set[Key]] = {}
        """Keys in the pages of the current list so far."""
        self._replaced: dict[Key, dict[str, Any]] = {}

    @property
    def replaced(self) -> list[dict[str, Any]]:
        """The objects of the API server that manifests replace, as they were last listed."""
        return list(self._replaced.values())

    async def controller_id(self) -> str:
        """Return the identity of this Kubernetes cluster."""
        return await self._real.controller_id()

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        """Return some namespaces with their labels."""
        return await self._real.list_namespaces(following)

    async def read_admission(self, wanted: AdmissionObject) -> dict[str, Any]:
        """Return a ValidatingAdmissionPolicy, or its binding."""
        return await self._real.read_admission(wanted)

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded."""
        content = self._logins.content(source)
        return await self._real.read_source(source) if content is None else dict(content)

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return some objects of a kind; the last page includes new ones from manifests."""
        page = await self._real.list_page(plural, following)
        there = self._there[plural] = self._there[plural] if following else set()
        items = []
        for raw in page.items:
            meta = metadata_of(raw)
            key = plural, meta.namespace, meta.name
            there.add(key)
            merged = raw
            if key in self._manifests:
                merged = _merged(raw, self._manifests[key])
                self._replaced[key] = raw
            items.append(self._logins.put_into(merged, raw) if plural is Plural.CLUSTERS else merged)
        if not page.following:
            new = [_born(key, raw) for key, raw in self._manifests.items() if key[0] is plural and key not in there]
            items += [self._logins.put_into(raw, None) for raw in new] if plural is Plural.CLUSTERS else new
        return replace(page, items=items)

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:  # noqa: ARG002
        """Pretend to replace an object's status."""
        return StoredStatus("", status)

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:  # noqa: ARG002
        """Pretend to replace an object's finalizers."""
        return ""

    async def version_of(self, ref: ObjectRef, generation: int) -> str | None:
        """Return the resource version of an object."""
        return await self._real.version_of(ref, generation)

    async def delete_object(self, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
        """Pretend to delete an object."""

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Pretend to write an event."""


def observed(
    real: KubernetesPort, manifests: Iterable[dict[str, Any]], logins: ObserverLogins | None = None
) -> KubernetesPort:
    """Return a read-only API server; see ``ObservedKubernetes``."""
    return ObservedKubernetes(real, manifests, logins)


def _merged(there: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return an object as it would be with a manifest applied."""
    metadata = there["metadata"]
    annotations = {**part(metadata, "annotations"), **part(given["metadata"], "annotations")}
    labels = {**part(metadata, "labels"), **part(given["metadata"], "labels")}
    generation = metadata_of(there).generation + _differ(given.get("spec"), there.get("spec"))
    return {
        **there,
        "spec": given.get("spec"),
        "metadata": {**metadata, "annotations": annotations, "labels": labels, "generation": generation},
    }


def as_created(manifests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return objects as the API server would create them; of several with one name the last."""
    return [_born(key, raw) for key, raw in {_key(raw): raw for raw in manifests}.items()]


def check_unique(manifests: Iterable[dict[str, Any]]) -> None:
    """Check that no object is declared twice: which of them is in force depends on who applies them.

    Args:
        manifests: as ``read_manifests`` returns them. The same text twice is no contradiction.

    Raises:
        BadManifest: one is; the message names it.
    """
    known = dict[Key, dict[str, Any]]()
    for raw in manifests:
        if _differ(known.setdefault(_key(raw), raw), raw):
            _, namespace, name = _key(raw)
            which = f"{raw['kind']} {namespace}/{name}" if namespace else f"{raw['kind']} {name}"
            raise BadManifest(f"{which} is declared twice, and differently: rename or remove one (searchaccess lint)")


def _differ(one: Any, other: Any) -> bool:
    try:
        return bool(one != other)
    except RecursionError:
        return True


def _born(key: Key, raw: dict[str, Any]) -> dict[str, Any]:
    """Return an object from a manifest as the API server would create it, without fields exported from another."""
    plural, namespace, name = key
    metadata = {
        **{field: value for field, value in raw["metadata"].items() if field not in _NEVER_GIVEN},
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{API_VERSION}/{plural}/{namespace}/{name}")),
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    declared = {field: value for field, value in raw.items() if field != "status"}
    return {**declared, "metadata": metadata | ({"namespace": namespace} if namespace else {})}
