"""What the engine needs from Kubernetes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from searchaccess.api.vouching import AdmissionObject
from searchaccess.core.clusters.sources import Source
from searchaccess.core.status.events import Note


class Plural(StrEnum):
    """The plurals of our kinds, as in URLs."""

    ACCESSES = "searchaccesses"
    CLUSTERS = "searchclusters"
    POLICIES = "searchaccesspolicies"
    APPROVALS = "searchaccessapprovals"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object of ours."""

    plural: Plural
    namespace: str
    """Empty for what is of no namespace."""
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    items: list[dict[str, Any]]
    following: str = ""
    """Where the next page begins; empty: this is the last one."""
    unlisted: Mapping[str, str] = field(default_factory=dict)
    """Watched namespaces that may not be listed, and why: nothing is known of what is in them."""


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
        """Return the identity of this Kubernetes cluster: the uid of the namespace kube-system.

        Where that may not be read, it is the uid of the operator's own namespace.
        """

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return a page of objects of a kind, of all watched namespaces; the pages of a namespace are consistent.

        Args:
            plural: the kind.
            following: from the previous page; empty: the first page.
        """

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        """Return some namespaces with their labels.

        Args:
            following: from the previous page; empty: the first page.
        """

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        """Replace an object's status; return what is stored of it.

        Raises:
            Conflict: another object has this name now.
            NotFound: the object is gone.
        """

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:
        """Replace an object's finalizers, if they are as expected; return the new resource version.

        Raises:
            Conflict: they are not, or another object has this name now.
            NotFound: the object is gone.
        """

    async def version_of(self, ref: ObjectRef, generation: int) -> str | None:
        """Return the resource version of an object; None: it was edited since, or its deletion began.

        Args:
            ref: the object.
            generation: the expected one.

        Raises:
            NotFound: the object is gone, or another one has its name.
        """

    async def delete_object(self, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
        """Delete an object, as long as it has this resource version; its finalizers run.

        Args:
            ref: the object.
            version: its resource version.
            dry_run: only ask whether the API server would do that.

        Raises:
            Conflict: it changed since.
            NotFound: the object is gone.
            PermissionDenied: the operator lacks the right.
        """

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write an event about an object."""

    async def read_admission(self, wanted: AdmissionObject) -> dict[str, Any]:
        """Return a ValidatingAdmissionPolicy, or its binding.

        Raises:
            NotFound: there is no such object.
        """

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded.

        Raises:
            NotFound: there is no such object.
        """
