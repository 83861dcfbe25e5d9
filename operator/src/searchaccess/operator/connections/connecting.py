"""Opens connections to Elasticsearch from SearchClusters and their Secrets."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from searchaccess.adapters.elasticsearch import load_client
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.connection import Connection, build_connection, sources_of
from searchaccess.core.clusters.sources import Contents, Incomplete, Source
from searchaccess.decorators.measured import MeasuredElasticsearch
from searchaccess.operator.telemetry.metrics import Metrics
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import LoginMissing, NotFound
from searchaccess.ports.kubernetes import KubernetesPort

if TYPE_CHECKING:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient


def _load_client() -> type["ElasticsearchClient"]:
    load_client()
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient  # noqa: PLC0415 - see Connections

    return ElasticsearchClient


def google_tokens(audience: str) -> Callable[[], Awaitable[str]]:
    """Return a source of the operator's own identity tokens. It imports Google's library, so call it in a thread."""
    from searchaccess.adapters.google import IdentityTokens  # noqa: PLC0415 - few need it, and it takes its time

    return IdentityTokens(audience).get


class OwnTokens:
    """The operator's own identity tokens, for any audience."""

    def __init__(self) -> None:
        self._by_audience: dict[str, Callable[[], Awaitable[str]]] = {}

    async def get(self, audience: str) -> str:
        """Return a token that is valid for at least some minutes.

        Raises:
            LoginMissing: Google gives none.
        """
        if audience not in self._by_audience:
            self._by_audience[audience] = await asyncio.to_thread(google_tokens, audience)
        return await self._by_audience[audience]()


async def read_sources(kubernetes: KubernetesPort, sources: Iterable[Source]) -> Contents:
    """Read Secrets and ConfigMaps.

    Raises:
        ExternalError: one could not be read; a missing one is no error.
    """
    read: dict[Source, dict[str, bytes] | None] = {}
    for source in sources:
        try:
            read[source] = await kubernetes.read_source(source)
        except NotFound:
            read[source] = None
    return read


async def find_connection(kubernetes: KubernetesPort, spec: SearchClusterSpec) -> Connection:
    """Read what is needed to connect.

    Raises:
        LoginMissing: some of it is missing or cannot be used.
        ExternalError: it could not be read.
    """
    read = await read_sources(kubernetes, sources_of(spec))
    try:
        return build_connection(spec, read)
    except Incomplete as error:
        raise LoginMissing(str(error)) from None


class Connections:
    """Connections to Elasticsearch, by the official client.

    Args:
        kubernetes: has the Secrets.
        metrics: counts requests.
        guard: called with a SearchCluster's name before each request to it; an error from it prevents the request.
        opaque_id: shown in Elasticsearch's logs with each request.
    """

    def __init__(
        self,
        kubernetes: KubernetesPort,
        metrics: Metrics | None = None,
        guard: Callable[[str], None] | None = None,
        opaque_id: str = "",
    ) -> None:
        self._opaque_id = opaque_id
        self._guard = guard
        self._kubernetes = kubernetes
        self._metrics = metrics
        # A third of all imports: they are loaded while objects are listed.
        self._loading = asyncio.create_task(asyncio.to_thread(_load_client))

    async def find(self, spec: SearchClusterSpec) -> Connection:
        """Read what is needed to connect."""
        return await find_connection(self._kubernetes, spec)

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Resolve a host name, as the client will."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ()
        # An IPv6 address may have a zone (%eth0), which is local to this machine.
        return tuple(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))

    async def open(self, connection: Connection, cluster: str = "") -> ElasticsearchPort:
        """Open a connection."""
        client = await self._loading
        own = OwnTokens().get if connection.google_audience else None
        token = partial(own, connection.google_audience) if own else None
        guard = partial(self._guard, cluster) if self._guard else None
        opened: ElasticsearchPort = client(connection, token, guard, self._opaque_id, own)
        return (
            MeasuredElasticsearch(opened, self._metrics.counting("elasticsearch", cluster)) if self._metrics else opened
        )
