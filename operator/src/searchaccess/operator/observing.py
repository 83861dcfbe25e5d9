"""Kubernetes as a run sees it that changes nothing: only read, and with manifests from files laid over it."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import structlog
import yaml

from searchaccess.api.constants import API_VERSION, GROUP
from searchaccess.core.status.events import Note
from searchaccess.ports.errors import BadManifest
from searchaccess.ports.kubernetes import KubernetesPort, ObjectRef, Page, Plural

_KINDS: Final = {"SearchAccess": Plural.ACCESSES, "SearchCluster": Plural.CLUSTERS}
_FILES: Final = frozenset({".yaml", ".yml", ".json"})
_READS: Final = frozenset({"controller_id", "list_namespaces", "read_source"})

log = structlog.get_logger(__name__)


def read_manifests(paths: Collection[Path]) -> list[dict[str, Any]]:
    """Read the SearchAccesses and SearchClusters in files.

    Args:
        paths: files, or folders with ``.yaml``, ``.yml`` and ``.json`` files at any depth.

    Raises:
        BadManifest: a file is not what it should be; the message names it.
    """
    found, others = [], 0
    for file in _files(paths):
        for raw in _documents(file):
            if str(raw.get("apiVersion", "")).partition("/")[0] != GROUP:
                others += 1
                continue
            found.append(_checked(file, raw))
    if paths:
        log.info("read manifests", ours=len(found), others=others)
    return found


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(item for item in path.rglob("*") if item.suffix in _FILES and item.is_file())
        else:
            yield path


def _documents(file: Path) -> Iterator[dict[str, Any]]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        where = getattr(error, "problem_mark", None)
        at = f", line {where.line + 1}" if where else ""
        raise BadManifest(f"{file}{at}: it cannot be read as YAML ({type(error).__name__})") from None
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "List":
            yield from (item for item in document.get("items") or [] if isinstance(item, dict))
        elif isinstance(document, dict):
            yield document
        elif document is not None:
            raise BadManifest(f"{file}: there is something in it that is no object")


def _checked(file: Path, raw: dict[str, Any]) -> dict[str, Any]:
    kind, metadata = raw.get("kind"), raw.get("metadata")
    if raw["apiVersion"] != API_VERSION or kind not in _KINDS:
        raise BadManifest(f"{file}: {raw['apiVersion']} {kind} is not known")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise BadManifest(f"{file}: a {kind} has no name")
    if not isinstance(raw.get("spec"), dict):
        raise BadManifest(f"{file}: {kind} {metadata['name']} has no spec")
    return raw


Key = tuple[Plural, str, str]


def _key(raw: Mapping[str, Any]) -> Key:
    plural, metadata = _KINDS[raw["kind"]], raw["metadata"]
    namespace = "" if plural is Plural.CLUSTERS else str(metadata.get("namespace") or "default")
    return plural, namespace, metadata["name"]


class ObservedKubernetes:
    """An API server that is only read, and seems to take what is written.

    Args:
        real: the API server.
        manifests: what is declared in place of, or besides, what is there.
    """

    def __init__(self, real: KubernetesPort, manifests: Iterable[dict[str, Any]] = ()) -> None:
        self._real = real
        self._manifests = {_key(raw): raw for raw in manifests}
        self._there: dict[Plural, set[Key]] = {}
        """What the list that is being read has had so far."""

    def __getattr__(self, name: str) -> Any:
        if name in _READS:
            return getattr(self._real, name)
        raise AttributeError(name)

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Give some objects of a kind; those of manifests that are not there come with the last."""
        page = await self._real.list_page(plural, following)
        there = self._there[plural] = self._there[plural] if following else set()
        items = []
        for raw in page.items:
            key = plural, raw["metadata"].get("namespace", ""), raw["metadata"]["name"]
            there.add(key)
            items.append(_merged(raw, self._manifests[key]) if key in self._manifests else raw)
        if not page.following:
            items += [_born(key, raw) for key, raw in self._manifests.items() if key[0] is plural and key not in there]
        return Page(items, page.following)

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Seem to replace an object's status."""
        return ""

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:  # noqa: ARG002
        """Seem to replace an object's finalizers."""
        return ""

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write no event."""


def observed(real: KubernetesPort, manifests: Iterable[dict[str, Any]]) -> KubernetesPort:
    """Give an API server that is only read."""
    return cast("KubernetesPort", ObservedKubernetes(real, manifests))


def _merged(there: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Give an object as it would be with a manifest applied."""
    metadata = there["metadata"]
    annotations = {**(metadata.get("annotations") or {}), **(given["metadata"].get("annotations") or {})}
    generation = metadata.get("generation", 1) + (given["spec"] != there.get("spec"))
    return {
        **there,
        "spec": given["spec"],
        "metadata": {**metadata, "annotations": annotations, "generation": generation},
    }


def _born(key: Key, raw: dict[str, Any]) -> dict[str, Any]:
    """Give an object of a manifest as the API server would, once it has it."""
    plural, namespace, name = key
    metadata = {
        **raw["metadata"],
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{API_VERSION}/{plural}/{namespace}/{name}")),
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {**raw, "metadata": metadata | ({"namespace": namespace} if namespace else {})}
