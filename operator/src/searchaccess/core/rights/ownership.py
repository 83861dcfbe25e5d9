"""Ownership of Elasticsearch objects: the metadata that we write, and how we read it back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.api.clusters.ownership import TakeOver
from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.intake.reading import (
    LARGEST,
    is_label,
    is_name,
    is_uid,
    mapping,
    objects,
    text,
    texts,
    whole_number,
)
from searchaccess.core.ownership.installations import Installation, prefix_of
from searchaccess.core.ownership.takeover import installations_in, predecessors

DESCRIPTION_LIMIT: Final = 1000
"""Longest description of a role that Elasticsearch accepts."""


@dataclass(frozen=True, slots=True)
class Operator:
    """This operator, as Elasticsearch objects name it."""

    instance: str
    """Name of the installation; part of every object's name."""
    controller: str
    """Identity of the Kubernetes cluster (uid of the namespace kube-system), so that two clusters whose operators have
    the same instance name do not take each other's objects for orphans."""
    predecessors: frozenset[str] = frozenset()
    """Controllers whose objects of our names count as ours, as a person decided for one SearchCluster."""

    @property
    def installation(self) -> Installation:
        """This installation, as in metadata."""
        return Installation(self.instance, self.controller)

    def successor_of(self, listed: Iterable[TakeOver]) -> "Operator":
        """Return this operator as the owner of what its predecessors have under its names.

        Args:
            listed: the former installations that a SearchCluster declares.
        """
        own = self.installation
        found = predecessors(own, installations_in(own, listed))
        return self if found == self.predecessors else replace(self, predecessors=found)

    @property
    def mapping_name(self) -> str:
        """Name of the one role mapping, and prefix of the names of all roles."""
        return prefix_of(self.instance)

    def role_name(self, principal: str) -> str:
        """Name of the principal's role (and of its mapping, where each principal has one)."""
        return f"{self.mapping_name}.{principal}"

    def owns_name(self, name: str) -> bool:
        """Return whether a role or mapping of this name would be one of ours."""
        return self.installation.names(name)

    def owns(self, metadata: Any) -> bool:
        """Return whether metadata, whatever it is, says that the object is ours, or of a predecessor."""
        return (
            isinstance(metadata, Mapping)
            and metadata.get("managed_by") == MANAGED_BY
            and metadata.get("instance") == self.instance
            and (
                (by := metadata.get("controller")) == self.controller
                or (isinstance(by, str) and by in self.predecessors)
            )
        )

    def wrote(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether metadata that says that an object is ours has our own stamp, not that of a predecessor."""
        return metadata.get("controller") == self.controller

    def stamp(self) -> dict[str, Any]:
        """Return the metadata that makes an object ours."""
        return {"managed_by": MANAGED_BY, "instance": self.instance, "controller": self.controller}


@dataclass(frozen=True, slots=True)
class Record:
    """What a role's metadata says about one SearchAccess."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec_hash: str
    entries: tuple[str, ...]
    """Hashes of its entries."""
    cluster: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the record as metadata holds it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "generation": self.generation,
            "spec_hash": self.spec_hash,
            "entries": list(self.entries),
            "cluster": list(self.cluster),
        }


def record_of(access: Access) -> Record:
    """Return the record of a SearchAccess whose rights are in the role as declared."""
    return Record(
        namespace=access.namespace,
        name=access.name,
        uid=access.uid,
        generation=access.generation,
        spec_hash=access.share.hash,
        entries=tuple(entry.hash for entry in access.share.entries),
        cluster=access.share.cluster,
    )


@dataclass(frozen=True, slots=True)
class Released:
    """Rights that nobody owns any more (``deletionPolicy: Orphan``) in a role that others still use."""

    entries: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.cluster)


@dataclass(frozen=True, slots=True)
class RoleMetadata:
    """The metadata of a role of ours."""

    principal: str = ""
    spec_hash: str = ""
    records: tuple[Record, ...] = ()
    released: Released = Released()
    disabled_since: str = ""
    """``deletionPolicy: Disable`` emptied this role then; RFC 3339."""
    disabled_by: str = ""

    def to_json(self, operator: Operator) -> dict[str, Any]:
        """Return the metadata as Elasticsearch keeps it."""
        body = operator.stamp() | {
            "principal": self.principal,
            "spec_hash": self.spec_hash,
            "owners": [record.to_json() for record in self.records],
        }
        if self.released:
            body["released"] = {"entries": list(self.released.entries), "cluster": list(self.released.cluster)}
        if self.disabled_since:
            body["disabled"] = {"since": self.disabled_since, "by": self.disabled_by}
        return body

    def record(self, uid: str) -> Record | None:
        """Return the record of a SearchAccess."""
        return next((record for record in self.records if record.uid == uid), None)


@dataclass(frozen=True, slots=True)
class Owned:
    """Which SearchAccess an object in Elasticsearch belongs to, as its metadata says."""

    namespace: str
    name: str
    uid: str


def owner_in(raw: Any) -> Owned | None:
    """Read a SearchAccess's namespace, name and uid; None: one of them is none.

    They become parts of paths of the API server and of stores, and whoever may make an API key can write them.
    """
    owner = mapping(raw)
    namespace, name, uid = owner.get("namespace"), owner.get("name"), owner.get("uid")
    if not is_label(namespace) or not is_name(name) or not is_uid(uid):
        return None
    return Owned(str(namespace), str(name), str(uid))


def _text(value: Any) -> str:
    return text(value) or ""


def _record(owner: Owned, raw: Mapping[str, Any]) -> Record:
    return Record(
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        generation=whole_number(raw.get("generation"), LARGEST) or 0,
        spec_hash=_text(raw.get("spec_hash")),
        entries=texts(raw.get("entries")),
        cluster=texts(raw.get("cluster")),
    )


def _records(owners: Any) -> tuple[Record, ...]:
    found: dict[str, Record] = {}
    for item in objects(owners):
        if owner := owner_in(item):
            found.setdefault(owner.uid, _record(owner, item))
    return tuple(found.values())


def released_by_us(metadata: Mapping[str, Any]) -> bool:
    """Return whether metadata says that we gave the object up (``deletionPolicy: Orphan``)."""
    return metadata.get("released_by") == MANAGED_BY


def metadata_from_json(raw: Mapping[str, Any]) -> RoleMetadata:
    """Read the metadata of a role of ours. Tampered parts read as absent; they then differ from what is desired."""
    released, disabled = mapping(raw.get("released")), mapping(raw.get("disabled"))
    return RoleMetadata(
        principal=_text(raw.get("principal")),
        spec_hash=_text(raw.get("spec_hash")),
        records=_records(raw.get("owners")),
        released=Released(texts(released.get("entries")), texts(released.get("cluster"))),
        disabled_since=_text(disabled.get("since")),
        disabled_by=_text(disabled.get("by")),
    )


def _lacks_keys(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Return whether the first lacks keys of the second, at any depth."""
    for key, value in theirs.items():
        if key not in ours:
            return True
        if isinstance(value, dict) and isinstance(own := ours[key], dict) and _lacks_keys(own, value):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Role:
    """A role, with its owners in the metadata."""

    name: str
    body: RoleBody
    metadata: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the role as the role API takes it."""
        return self.body.to_json() | {"metadata": self.metadata}

    def same_as(self, another: "Role | None") -> bool:
        """Return whether writing this over the other would change nothing."""
        return (
            another is not None
            and self.metadata == another.metadata
            and self.body.same_as(another.body)
            and self.body.former == another.body.former
        )

    def sheds(self, another: "Role | None") -> bool:
        """Return whether parts of the other must go that the bulk API would keep.

        It merges the objects ``metadata`` and ``global`` into what is there, key by key; all else it replaces
        (measured).
        """
        if another is None:
            return False
        ours, theirs = (
            {"metadata": role.metadata, "global": role.body.to_json().get("global", {})} for role in (self, another)
        )
        return _lacks_keys(ours, theirs)


def describe(records: tuple[Record, ...], disabled_since: str, disabled_by: str) -> str:
    """Return the description that people see in Kibana."""
    if disabled_since:
        return f"Emptied at {disabled_since}: SearchAccess {disabled_by} was deleted with deletionPolicy Disable."
    owners = ", ".join(f"{record.namespace}/{record.name}" for record in records)
    text = f"Managed by {MANAGED_BY}, changes here are undone. Declared by SearchAccess {owners}."
    return text if len(text) <= DESCRIPTION_LIMIT else text[: DESCRIPTION_LIMIT - 1] + "…"
