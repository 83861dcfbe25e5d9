"""The Kubernetes port with no right beyond some namespaces and the SearchClusters (docs/adr/0045)."""

from collections.abc import Iterable

import structlog
from kubernetes.aio.client import Configuration

from searchaccess.adapters.kubernetes.client import PAGE, KubernetesClient
from searchaccess.core.clusters.sources import Source
from searchaccess.core.status.events import Note
from searchaccess.ports.errors import NotFound, PermissionDenied
from searchaccess.ports.kubernetes import NamespacePage, ObjectRef, Page, Plural

log = structlog.get_logger(__name__)


class NamespacedClient(KubernetesClient):
    """One API server, of which some namespaces are read.

    Args:
        configuration: how to connect.
        namespaces: the namespaces of SearchAccesses; at least one.
        home: the operator's own namespace, whose uid identifies the installation.
        page: how many objects a page of a list has.
    """

    def __init__(self, configuration: Configuration, namespaces: Iterable[str], home: str, page: int = PAGE) -> None:
        super().__init__(configuration, page=page)
        self._namespaces = sorted(set(namespaces))
        self._home = home

    async def controller_id(self) -> str:
        """Return the uid of the operator's own namespace."""
        return await self.uid_of(self._home)

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return some objects of a kind; SearchAccesses and their approvals namespace by namespace."""
        if plural not in {Plural.ACCESSES, Plural.APPROVALS}:
            return await super().list_page(plural, following)
        namespace, _, rest = following.partition(" ")
        namespace = namespace or self._namespaces[0]
        later = next((name for name in self._namespaces if name > namespace), "")
        try:
            page = await self.list_of(plural, rest, namespace)
        except PermissionDenied as error:
            return Page([], later, {namespace: error.message})
        return Page(page.items, f"{namespace} {page.following}" if page.following else later)

    async def list_namespaces(self, following: str = "") -> NamespacePage:  # noqa: ARG002 - there is one page
        """Return the watched namespaces with their labels, each read by its name.

        One that is gone, or may not be read, is left out: its labels are not known.

        Raises:
            PermissionDenied: none of them may be read.
        """
        labels: dict[str, dict[str, str]] = {}
        refused: PermissionDenied | None = None
        for name in self._namespaces:
            try:
                labels[name] = await self.labels_of(name)
            except PermissionDenied as error:
                refused = error
            except NotFound:
                continue
        if refused is not None and not labels:
            raise refused
        return NamespacePage(labels)

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded.

        Raises:
            PermissionDenied: its namespace is none of those that may be read, which the message names.
        """
        try:
            return await super().read_source(source)
        except PermissionDenied as error:
            where = f"logins and certificates are read from {self._home} and from rbac.loginNamespaces of the chart"
            raise PermissionDenied(
                f"{source.kind} {source.namespace}/{source.name}: {error.message}; {where}"
            ) from None

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write an event; one about a SearchCluster is logged if none may be created in the namespace default.

        Raises:
            ExternalError: an event about a SearchAccess was refused, or there is no response.
        """
        try:
            await super().create_event(ref, note)
        except PermissionDenied:
            if ref.namespace:
                raise
            log_event(ref, note)


def log_event(ref: ObjectRef, note: Note) -> None:
    """Log what no event can report."""
    level = log.warning if note.warning else log.info
    level("event", object=ref.name, reason=note.reason, message=note.message)
