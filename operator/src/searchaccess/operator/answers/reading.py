"""Reads what is declared, and connects to Elasticsearch, for commands that answer questions. Nothing is written."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast
from urllib.parse import urlsplit

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.api.constants import ROLE_PREFIX
from searchaccess.core.clusters.cluster import Cluster, cluster_from_object
from searchaccess.core.clusters.connection import Connection, login_in
from searchaccess.core.clusters.exposure import allowed_exposures, refusal
from searchaccess.core.clusters.sources import Incomplete, Source, holds_certificates
from searchaccess.core.model.access import Access
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.policy.consent.approval import Approval, approval_from_object
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.inventory.consent.vouching import VouchingReader
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.loop.link import exposures_of
from searchaccess.operator.connections.connecting import Connections
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.operator.observer_login import ObserverLogin, ObserverLogins
from searchaccess.operator.observing import ObservedKubernetes
from searchaccess.operator.starting import in_full
from searchaccess.ports.errors import ExternalError, LoginMissing, NoSuchCluster, NotFound, NotPrivate, PermissionDenied
from searchaccess.ports.kubernetes import Page, Plural
from searchaccess.ports.meter import Meter

if TYPE_CHECKING:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient

Read_co = TypeVar("Read_co", covariant=True)
_ID: Final = f"{ROLE_PREFIX}/command-line"
_OWN_LOGIN: Final = "or give a login of your own with --elasticsearch-login"


@dataclass(frozen=True, slots=True)
class Item(Generic[Read_co]):
    """One object."""

    raw: Mapping[str, Any]
    """As the API server has it, with its status."""
    read: Read_co
    """As the operator reads it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared in Kubernetes."""

    clusters: tuple[Item[Cluster], ...]
    accesses: tuple[Item[Access], ...]
    """With what policies, approvals and SearchClusters say of each."""
    policies: tuple[Item[Policy], ...]
    approvals: tuple[Item[Approval], ...]
    namespaces: Mapping[str, Mapping[str, str]] | None
    """Labels of namespaces by name; None: they may not be listed."""
    inventory: Inventory
    """The same, as the operator keeps it."""
    gaps: tuple[str, ...] = ()
    """What may not be read, each with the next step: an answer has to say that it may be incomplete."""

    def cluster(self, name: str) -> Item[Cluster] | None:
        """Return the SearchCluster of a name; None: there is none, or it may not be read."""
        return next((item for item in self.clusters if item.read.name == name), None)


class Live:
    """The API server, and the clusters that its SearchClusters name; or one cluster without Kubernetes.

    Args:
        stack: closes connections.
        client: the API server; None: there is none.
        scope: namespace that was chosen; empty: all.
        logins: to Elasticsearch, instead of those that SearchClusters declare.
        address: how to reach the one cluster if there is no API server.
        instance: name of the installation.
    """

    def __init__(
        self,
        stack: AsyncExitStack,
        client: KubernetesClient | None,
        scope: str = "",
        logins: Collection[ObserverLogin] = (),
        address: Connection | None = None,
        instance: str = "default",
    ) -> None:
        self._stack = stack
        self.kubernetes = client
        """The API server; None: the cluster is read without Kubernetes."""
        self.scope = scope
        """The namespace that the options choose, by default that of the kubeconfig's context; empty: all."""
        self.instance = instance
        self._address = address
        self._observed = ObservedKubernetes(client, (), ObserverLogins(logins)) if client else None
        self._opened: dict[str, ElasticsearchClient] = {}
        self._connections = Connections(self._observed, opaque_id=_ID) if self._observed else None

    async def operator(self) -> Operator:
        """Return the identity of the installation, by which it knows its own roles.

        Raises:
            ExternalError: the namespace kube-system may not be read.
        """
        with next_step():
            return Operator(self.instance, await self.server.controller_id())

    @property
    def server(self) -> KubernetesClient:
        """The API server.

        Raises:
            LoginMissing: there is none.
        """
        if self.kubernetes is None:
            raise LoginMissing("this needs the API server: leave out --elasticsearch")
        return self.kubernetes

    # Kubernetes

    async def list_raw(self, plural: Plural, namespace: str = "") -> list[dict[str, Any]]:
        """List the objects of a kind.

        Args:
            plural: the kind.
            namespace: of the objects; empty: all namespaces.

        Raises:
            ExternalError: they may not be listed; the message has the next step.
        """
        client = self.server
        with next_step():
            return await _all_pages(lambda following: client.list_of(plural, following, namespace))

    async def declared(self, namespace: str = "") -> Declared:
        """Read what is declared.

        Args:
            namespace: of SearchAccesses and approvals; empty: all namespaces.

        Returns:
            What may be read, and what is missing. Without an API server, nothing.

        Raises:
            ExternalError: SearchAccesses may not be listed, or the API server does not answer.
        """
        inventory, gaps = Inventory(clock=SystemClock()), list[str]()
        if self.kubernetes is None:
            return Declared((), (), (), (), None, inventory)
        policies = await self._optional(Plural.POLICIES, "", gaps)
        for raw in policies:
            inventory.policies.see(raw)
        inventory.policies.keep({metadata_of(raw).uid for raw in policies}, frozenset())
        approvals = await self._optional(Plural.APPROVALS, namespace, gaps)
        for raw in approvals:
            inventory.approvals.see(raw)
        inventory.approvals.keep({metadata_of(raw).uid for raw in approvals}, frozenset(), {})
        await VouchingReader(inventory, self.kubernetes, Meter()).read()
        clusters = await self._optional(Plural.CLUSTERS, "", gaps)
        for raw in clusters:
            inventory.see_cluster(raw)
        labels = await self._labels(gaps)
        if labels is not None:
            inventory.see_namespaces(labels)
        accesses = await self.list_raw(Plural.ACCESSES, namespace)
        for raw in accesses:
            inventory.see_access(raw)
        await inventory.judge_to_the_end()
        known = ((raw, inventory.accesses.get(metadata_of(raw).uid)) for raw in accesses)
        return Declared(
            tuple(Item(raw, cluster_from_object(raw)) for raw in clusters),
            tuple(Item(raw, record.access) for raw, record in known if record),
            tuple(Item(raw, policy_from_object(raw)) for raw in policies),
            tuple(Item(raw, approval_from_object(raw)) for raw in approvals),
            labels,
            inventory,
            tuple(gaps),
        )

    async def _optional(self, plural: Plural, namespace: str, gaps: list[str]) -> list[dict[str, Any]]:
        try:
            return await self.list_raw(plural, namespace)
        except PermissionDenied as error:
            gaps.append(error.message)
        except NotFound:
            # An older version has fewer kinds.
            if plural is Plural.CLUSTERS:
                raise
        return []

    async def _labels(self, gaps: list[str]) -> dict[str, dict[str, str]] | None:
        labels: dict[str, dict[str, str]] = {}
        try:
            with next_step():
                page = await self.server.list_namespaces()
                labels |= page.labels
                while page.following:
                    page = await self.server.list_namespaces(page.following)
                    labels |= page.labels
        except PermissionDenied as error:
            gaps.append(error.message)
            return None
        return labels

    # Elasticsearch

    async def elasticsearch(self, cluster: str) -> "ElasticsearchClient":
        """Connect to the cluster of a SearchCluster, by its own trust settings; it is closed at the end.

        The login is that of ``--elasticsearch-login``, else the SearchCluster's own.

        Args:
            cluster: name of the SearchCluster; without an API server, any name.

        Raises:
            NoSuchCluster: there is no such SearchCluster.
            NotPrivate: the connection is exposed, and that is not allowed; no login was sent.
            PermissionDenied: the login may not be read.
            LoginMissing: there is no usable login.
            ExternalError: it cannot be read.
        """
        if cluster not in self._opened:
            opened = await self._open(cluster)
            self._stack.push_async_callback(opened.close)
            self._opened[cluster] = opened
        return self._opened[cluster]

    async def _open(self, cluster: str) -> "ElasticsearchClient":
        from searchaccess.adapters.elasticsearch.client import ElasticsearchClient  # noqa: PLC0415 - takes its time

        if self._address is not None:
            return ElasticsearchClient(self._address, opaque_id=_ID)
        spec = (await self._cluster(cluster)).spec
        if spec is None or self._connections is None:
            raise NoSuchCluster(f"SearchCluster {cluster} cannot be read: kubectl describe searchcluster {cluster}")
        try:
            with next_step():
                connection = await self._connections.find(spec)
        except PermissionDenied as error:
            raise PermissionDenied(f"{error.message}; {_OWN_LOGIN}") from None
        exposed, _ = await exposures_of(self._connections, connection)
        if refused := refusal(exposed, allowed_exposures(spec)):
            raise NotPrivate(f"SearchCluster {cluster}: {refused}")
        # Only a client that counts requests is another.
        return cast("ElasticsearchClient", await self._connections.open(connection, cluster))

    async def _cluster(self, name: str) -> Cluster:
        observed = self._observed
        if observed is None:
            raise NoSuchCluster(f"there is no SearchCluster named {name!r}")
        with next_step():
            found = await _all_pages(lambda following: observed.list_page(Plural.CLUSTERS, following))
        for raw in found:
            if metadata_of(raw).name == name:
                return cluster_from_object(raw)
        others = ", ".join(sorted(metadata_of(raw).name for raw in found)[:5]) or "none"
        raise NoSuchCluster(f"there is no SearchCluster named {name!r}; there are: {others}")


@contextmanager
def next_step() -> Iterator[None]:
    """Add the next step to the message of an error of the API server."""
    try:
        yield
    except ExternalError as error:
        error.message = in_full(error)
        raise


async def _all_pages(page_at: Callable[[str], Any]) -> list[dict[str, Any]]:
    page: Page = await page_at("")
    items = list(page.items)
    while page.following:
        page = await page_at(page.following)
        items += page.items
    return items


@asynccontextmanager
async def opened(
    options: KubernetesOptions,
    namespace: str = "",
    *,
    everywhere: bool = False,
    logins: Collection[ObserverLogin] = (),
    instance: str = "default",
) -> AsyncIterator[Live]:
    """Connect to the API server; no request is sent yet.

    Args:
        options: where it is.
        namespace: that was chosen; empty: that of the kubeconfig's context.
        everywhere: all namespaces were chosen.
        logins: to Elasticsearch, instead of those that SearchClusters declare.
        instance: name of the installation.

    Raises:
        LoginMissing: there is no login for Kubernetes.
    """
    login = KubernetesLogin(options)
    with next_step():
        client = KubernetesClient(await login.configuration())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        yield Live(stack, client, "" if everywhere else namespace or login.namespace, logins, instance=instance)


@asynccontextmanager
async def opened_without_kubernetes(
    url: str, ca: str, logins: Collection[ObserverLogin], cluster: str, instance: str = "default"
) -> AsyncIterator[Live]:
    """Connect to one cluster, without an API server; no request is sent yet.

    Args:
        url: address of Elasticsearch.
        ca: certificate authorities (PEM); empty: the system's.
        logins: one of them is for this cluster.
        cluster: name of the SearchCluster that it stands for.
        instance: name of the installation.

    Raises:
        BadAddress: the login would be sent in the clear, or there is none.
    """
    connection = connection_to(url, ca, logins, cluster)
    async with AsyncExitStack() as stack:
        yield Live(stack, None, address=connection, instance=instance)


class BadAddress(ValueError):
    """An address of Elasticsearch, or what goes with it, cannot be used; the message has no part of a login."""


def connection_to(url: str, ca: str, logins: Collection[ObserverLogin], cluster: str) -> Connection:
    """Return how to connect to an address that a person named.

    Args:
        url: the address; unencrypted only to this machine.
        ca: certificate authorities (PEM); empty: the system's.
        logins: one of them is for this cluster.
        cluster: name of the SearchCluster that it stands for.

    Raises:
        BadAddress: it cannot be used.
    """
    address = checked_address(url, ca)
    by_cluster = {login.cluster: login for login in logins}
    login = by_cluster.get(cluster) or by_cluster.get("")
    if login is None:
        raise BadAddress(f"no --elasticsearch-login is for {cluster}: leave out CLUSTER=, or name it with --cluster")
    if login.content is None:
        raise BadAddress("a login in a Secret needs Kubernetes: use env:PREFIX or file:FOLDER")
    source: Source = login.source
    try:
        return Connection((address,), ca, **login_in(source, {source: login.content}), public=True)
    except Incomplete as error:
        raise BadAddress(f"--elasticsearch-login: {error}") from None


def checked_address(url: str, ca: str) -> str:
    """Return an address of Elasticsearch that a person named, without a slash at its end.

    Args:
        url: the address; unencrypted only to this machine.
        ca: certificate authorities (PEM); empty: the system's.

    Raises:
        BadAddress: it cannot be used.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("write an address, such as https://elasticsearch.example.com:9200") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise BadAddress("write an address, such as https://elasticsearch.example.com:9200")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("leave the login out of the address, where others can read it: use --elasticsearch-login")
    if parts.query or parts.fragment:
        raise BadAddress("write an address without a query")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise BadAddress("use https: everybody on the way could read the login")
    if ca and not holds_certificates(ca):
        raise BadAddress("--ca-file has no readable certificate: write it in PEM form")
    return url.rstrip("/")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
