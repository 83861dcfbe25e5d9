"""Events of our kinds, by kopf.

kopf is the event source and nothing else: ``on.event`` handlers put what they see into the inventory. There are no kopf
timers, daemons, indexes or change handlers, which would write annotations to every object (docs/adr/0003).
"""

import asyncio
import datetime as dt
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import kopf
from kubernetes.aio.client import Configuration

from searchaccess.adapters.kubernetes.client import PAGE
from searchaccess.adapters.kubernetes.reading import TolerantResponse
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.connections.login import KubernetesLogin
from searchaccess.operator.storage import NoDiffBase, NoProgress
from searchaccess.operator.watching import report_watches
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import Plural

ONE_LIST: Final = 30.0
"""Seconds within which two objects that kopf listed count as one list."""
LISTS_WITHIN: Final = 10.0
"""Seconds after its start within which kopf has listed, if the API server answers at all."""
LOGIN_RETRY: Final = 5.0
"""Seconds until kopf requests a login again that was not available."""


def connection_info(configuration: Configuration, lifetime: dt.timedelta) -> kopf.ConnectionInfo:
    """Return the connection in kopf's form.

    Args:
        configuration: how to connect.
        lifetime: seconds after which kopf requests a new one.
    """
    scheme, _, token = str(configuration.api_key.get("BearerToken", "")).partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        ca_data=configuration.ca_cert_data,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() if token else None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=configuration.proxy,
        trust_env=bool((configuration.client_session_kwargs or {}).get("trust_env")),
        expiration=dt.datetime.now(dt.UTC) + lifetime,
    )


def tls_name_of(configuration: Configuration) -> str:
    """Return the name in the server's certificate, which has no place in kopf's form; empty: that of its address."""
    return configuration.tls_server_name or ""


def session_of(
    connection: kopf.ConnectionInfo, traces: Sequence[aiohttp.TraceConfig] = (), tls_name: str = ""
) -> kopf.AiohttpSession:
    """Return a connection as a session whose answers kopf can read, whatever is in them.

    Args:
        connection: how to connect.
        traces: what watches its requests.
        tls_name: the name in the server's certificate; empty: that of its address.
    """

    async def expect_name(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # The session has no setting for it, and kopf makes the requests.
        request.server_hostname = tls_name
        return await send(request)

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=connection.as_ssl_context()),
        headers=connection.as_http_headers(),
        response_class=TolerantResponse,
        trace_configs=list(traces),
        proxy=connection.proxy_url,
        trust_env=connection.trust_env,
        middlewares=(expect_name,) if tls_name else (),
    )
    return kopf.AiohttpSession(server=connection.server, aiohttp_session=session, expiration=connection.expiration)


def configure(settings: kopf.OperatorSettings) -> None:
    """Configure kopf so that it costs nothing at rest (measured: docs/adr/0003)."""
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 0.05
    settings.watching.server_timeout = 300
    settings.watching.chunk_size = PAGE
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    # kopf's own delays go up to 21 s: so long it would miss events after the API server came back.
    settings.networking.error_backoffs = (1, 1, 2, 3, *[5] * 10)


class Beginnings:
    """Notices when kopf has listed a kind and begins to watch it: at its start, and again after trouble.

    kopf gives what it listed as events without a type. Of an empty list there are none: its watch shows that it listed.

    Args:
        began: called each time.
    """

    def __init__(self, began: Callable[[], None]) -> None:
        self._began = began
        self._last = float("-inf")

    def see(self, event: Mapping[str, Any]) -> None:
        """Inspect an event."""
        if event["type"] is None:
            now = asyncio.get_running_loop().time()
            if now - self._last > ONE_LIST:
                self._began()
            self._last = now

    def watched(self) -> None:
        """Take in that kopf watches."""
        if self._last == float("-inf"):
            self._last = asyncio.get_running_loop().time()
            self._began()

    def presume(self) -> None:
        """Assume that kopf has listed by now, if nothing shows it."""
        if self._last == float("-inf"):
            self._began()


def register(registry: kopf.OperatorRegistry, inventory: Inventory, accesses: Beginnings, clusters: Beginnings) -> None:
    """Put every event of our kinds into the inventory."""

    def is_news(event: Mapping[str, Any], **_: Any) -> bool:
        accesses.see(event)
        # Most events are of our own writes: to leave them out here saves most of kopf's work for them.
        return event["type"] == "DELETED" or inventory.is_news(event["object"])

    @kopf.on.event(GROUP, VERSION, Plural.ACCESSES, registry=registry, when=is_news)
    async def _access(event: Mapping[str, Any], **_: Any) -> None:
        raw = event["object"]
        if event["type"] != "DELETED":
            inventory.see_access(raw)
            return
        try:
            inventory.forget_access(metadata_of(raw).uid)
        except Exception as error:  # noqa: BLE001 - the full list finds out what is gone
            inventory.unread(error)

    @kopf.on.event(GROUP, VERSION, Plural.CLUSTERS, registry=registry)
    async def _cluster(event: Mapping[str, Any], **_: Any) -> None:
        clusters.see(event)
        raw = event["object"]
        if event["type"] != "DELETED":
            inventory.see_cluster(raw)
            return
        try:
            meta = metadata_of(raw)
            inventory.forget_cluster(meta.name, meta.uid)
        except Exception as error:  # noqa: BLE001 - the full list finds out what is gone
            inventory.unread(error)


async def watch(
    inventory: Inventory,
    began: Callable[[], None],
    login: KubernetesLogin,
    stop: asyncio.Event,
) -> None:
    """Put every event into an inventory until stopped.

    Args:
        inventory: what is declared.
        began: called when watching begins, and when it begins again.
        login: to Kubernetes.
        stop: set to end it.
    """
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    configure(settings)
    accesses, clusters = Beginnings(began), Beginnings(began)
    register(registry, inventory, accesses, clusters)
    kinds: dict[str, Beginnings] = {Plural.ACCESSES: accesses, Plural.CLUSTERS: clusters}
    trace = report_watches(lambda plural: kinds[plural].watched() if plural in kinds else None)
    for beginnings in (accesses, clusters):
        asyncio.get_running_loop().call_later(LISTS_WITHIN, beginnings.presume)

    sessions: list[aiohttp.ClientSession] = []

    @kopf.on.login(registry=registry)
    async def _login(**_: Any) -> kopf.AiohttpSession:
        try:
            configuration = await login.configuration()
            connection = connection_info(configuration, login.lifetime)
            made = session_of(connection, [trace], tls_name_of(configuration))
        except ExternalError as error:
            raise kopf.TemporaryError(error.message, delay=LOGIN_RETRY) from None
        sessions[:] = [*(session for session in sessions if not session.closed), made.aiohttp_session]
        return made

    ready = asyncio.Event()
    reclaiming = asyncio.create_task(_reclaim_signals(ready, stop))
    try:
        await kopf.operator(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
            ready_flag=ready,
        )
    finally:
        reclaiming.cancel()
        # kopf closes those that it used.
        for session in sessions:
            await session.close()


async def _reclaim_signals(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Let signals set our event again: kopf handles them from its start, and would notify us when it has stopped.

    It takes seconds to stop; what we have is to be given to others at once.
    """
    await ready.wait()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
