"""What the loop needs from Kubernetes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from searchaccess.core.clusters.sources import Source
from searchaccess.core.status.events import Note


class Plural(StrEnum):
    """Our kinds, as URLs name them."""

    ACCESSES = "searchaccesses"
    CLUSTERS = "searchclusters"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object of ours."""

    plural: Plural
    namespace: str
    """Empty for a SearchCluster."""
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    items: list[dict[str, Any]]
    following: str = ""
    """Where the next page begins; empty: this is the last one."""


@dataclass(frozen=True, slots=True)
class NamespacePage:
    """A part of the list of namespaces."""

    labels: dict[str, dict[str, str]]
    """By name of the namespace."""
    following: str = ""


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """What the API server has of a status that was written."""

    version: str
    """The object's resource version."""
    status: Mapping[str, Any]
    """Without fields that the CRD does not have."""


class KubernetesPort(Protocol):
    """The API server. Every method raises only ``ExternalError``."""

    async def controller_id(self) -> str:
        """Return the identity of this Kubernetes cluster: the uid of the namespace kube-system."""

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return some objects of a kind, of all namespaces; together, pages show one moment.

        Args:
            plural: the kind.
            following: what the previous page says; empty: the first page.
        """

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        """Return some namespaces with their labels.

        Args:
            following: what the previous page says; empty: the first page.
        """

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        """Replace an object's status; return what is stored of it.

        Raises:
            Conflict: another object has this name now.
            NotFound: the object is gone.
        """

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:
        """Replace an object's finalizers, if they are still as before; return its resource version then.

        Raises:
            Conflict: they are not, or another object has this name now.
            NotFound: the object is gone.
        """

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write an event about an object."""

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded.

        Raises:
            NotFound: there is no such object.
        """
