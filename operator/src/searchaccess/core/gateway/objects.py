"""The ConfigMap and the Secret of a gateway: desired, observed, and how they differ."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from searchaccess.api.constants import GROUP, MANAGED_BY
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.canonical import canonical_json
from searchaccess.core.rights.diff import Difference

LABEL_MANAGED: Final = "app.kubernetes.io/managed-by"
LABEL_GATEWAY: Final = f"{GROUP}/gateway"
"""On the objects and on the pods of a gateway: its name."""
INSTANCE: Final = f"{GROUP}/instance"
CLUSTER: Final = f"{GROUP}/searchcluster"
"""Name of the SearchCluster that an object belongs to."""
CLUSTER_UID: Final = f"{GROUP}/searchcluster-uid"
HEIR: Final = f"{GROUP}/handed-over-to"
"""Name of the SearchCluster that takes an object over from one that is being deleted."""
VERSION: Final = f"{GROUP}/version"
"""Of the configuration; of the Secret: the number of the login."""
SUM: Final = f"{GROUP}/sha256"
"""Hash of all data: shows whether it is still what was written."""
WRITTEN: Final = f"{GROUP}/written-at"
"""When this data was written; RFC 3339."""
USER: Final = f"{GROUP}/user"
"""Name of the user in the Secret."""

REFRESH: Final = f"{GROUP}/refresh"
"""On pods: changes when their kubelet is to look for changed files."""

LISTENERS: Final = "listeners.yaml"
CLUSTERS: Final = "clusters.yaml"
LOGIN: Final = "login.yaml"

Kind: TypeAlias = Literal["ConfigMap", "Secret"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a gateway is."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def config(self) -> "Target":
        """The ConfigMap with its configuration."""
        return Target("ConfigMap", self.namespace, f"{self.name}-config")

    @property
    def login(self) -> "Target":
        """The Secret with its login."""
        return Target("Secret", self.namespace, f"{self.name}-login")


@dataclass(frozen=True, slots=True)
class Target:
    """One object in Kubernetes."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Holder:
    """The SearchCluster that objects of a gateway belong to."""

    instance: str
    cluster: str
    uid: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object as it should be."""

    target: Target
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    data: Mapping[str, Sealed]


@dataclass(frozen=True, slots=True)
class Observed:
    """An object as it is, without its data."""

    uid: str
    version: str
    """Its resource version."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    """By key of its data: SHA-256 of the value."""
    login: Sealed | None = None
    """The value of ``login.yaml`` of a Secret."""

    @property
    def is_as_written(self) -> bool:
        """Whether its data is still what was written."""
        return self.annotations.get(SUM) == sum_of(self.digests)

    def belongs_to(self, holder: Holder) -> bool:
        """Return whether it is of a SearchCluster of ours of this name, or was handed over to it."""
        return (
            self.labels.get(LABEL_MANAGED) == MANAGED_BY
            and self.annotations.get(INSTANCE) == holder.instance
            and holder.cluster in {self.annotations.get(CLUSTER), self.annotations.get(HEIR)}
        )

    def is_inherited(self, holder: Holder) -> bool:
        """Return whether it was handed over to a SearchCluster, and does not say yet that it belongs to it."""
        return self.belongs_to(holder) and self.annotations.get(CLUSTER) != holder.cluster


def digest_of(value: bytes) -> str:
    """Return the hash of a value of an object's data."""
    return hashlib.sha256(value).hexdigest()


def sum_of(digests: Mapping[str, str]) -> str:
    """Return the hash of all data, from the hashes of its values."""
    return digest_of(canonical_json(dict(digests)).encode())


def digests_of(data: Mapping[str, Sealed]) -> dict[str, str]:
    """Return the hash of each value."""
    return {key: digest_of(value.reveal().encode()) for key, value in data.items()}


def owner_annotations(holder: Holder) -> dict[str, str]:
    """Return the annotations that say to which SearchCluster an object belongs."""
    return {INSTANCE: holder.instance, CLUSTER: holder.cluster, CLUSTER_UID: holder.uid}


def wanted_object(
    target: Target, holder: Holder, gateway: str, version: str, data: Mapping[str, Sealed], now: str
) -> Wanted:
    """Return an object as it should be.

    Args:
        target: the object.
        holder: the SearchCluster that it belongs to.
        gateway: name of the gateway.
        version: of the configuration, or of the login.
        data: its values.
        now: RFC 3339, UTC.
    """
    annotations = owner_annotations(holder) | {
        VERSION: version,
        SUM: sum_of(digests_of(data)),
        WRITTEN: now,
    }
    return Wanted(target, {LABEL_MANAGED: MANAGED_BY, LABEL_GATEWAY: gateway}, annotations, data)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one object."""

    write: bool = False
    drift: tuple[Difference, ...] = ()
    """What somebody changed."""
    conflict: bool = False
    """It is not ours: nothing is written."""


_CHANGING: Final = frozenset({WRITTEN})
"""Annotations that say when something was written, so they follow the data."""
_OF_DATA: Final = frozenset({VERSION, SUM, USER, CLUSTER})
"""Those that describe the data, or whose it is, which changes when it is handed over."""


def plan_object(wanted: Wanted, observed: Observed | None, holder: Holder, *, applied: bool = False) -> Plan:
    """Return what to do about an object.

    Labels and annotations of others stay: many tools set their own. Data of others does not: a gateway reads all files.

    Args:
        wanted: as it should be.
        observed: as it is; None: there is none.
        holder: the SearchCluster that it should belong to.
        applied: whether it was once seen as it should be, so that every difference is somebody's.
    """
    if observed is None:
        gone = Difference(str(wanted.target), "metadata.name", _text(wanted.target.name), "")
        return Plan(write=True, drift=(gone,) if applied else ())
    if not observed.belongs_to(holder):
        return Plan(conflict=True)
    # A new configuration is written over an old one that nobody touched: that is no drift.
    other = observed.annotations.get(VERSION) != wanted.annotations[VERSION]
    is_new = (other or observed.is_inherited(holder)) and observed.is_as_written and not applied
    differences = diff_object(wanted, observed, ignore_data=is_new)
    return Plan(write=is_new or bool(differences), drift=tuple(differences))


def diff_object(wanted: Wanted, observed: Observed, *, ignore_data: bool = False) -> list[Difference]:
    """Return which fields of an object differ from what they should be. Values are shown by their hashes.

    Args:
        wanted: as it should be.
        observed: as it is.
        ignore_data: leave out the data and what describes it.
    """
    name, found = str(wanted.target), list[Difference]()
    for part, want, have in (
        ("labels", wanted.labels, observed.labels),
        ("annotations", wanted.annotations, observed.annotations),
    ):
        for key, value in sorted(want.items()):
            skipped = key in _CHANGING or key == CLUSTER_UID or (ignore_data and key in _OF_DATA)
            if not skipped and have.get(key) != value:
                found.append(Difference(name, f"metadata.{part}[{key}]", _text(value), _text(have.get(key))))
    if ignore_data:
        return found
    wants = digests_of(wanted.data)
    for key in sorted({*wants, *observed.digests}):
        if wants.get(key) != observed.digests.get(key):
            found.append(Difference(name, f"data[{key}]", _hashed(wants.get(key)), _hashed(observed.digests.get(key))))
    return found


def _text(value: str | None) -> str:
    return "" if value is None else canonical_json(value)


def _hashed(digest: str | None) -> str:
    return f"sha256:{digest[:16]}" if digest else ""
