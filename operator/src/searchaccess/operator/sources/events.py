"""Events of our kinds, from kopf.

kopf is only the event source: ``on.event`` handlers update the inventory. There are no kopf timers, daemons, indexes or
change handlers, which would write annotations to every object (docs/adr/0003).
"""

import asyncio
import datetime as dt
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import kopf
from kubernetes.aio.client import Configuration

from searchaccess.adapters.kubernetes.client import PAGE
from searchaccess.adapters.kubernetes.reading import Sieve, TolerantResponse, sifting
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.core.model.intake.metadata import metadata_of, part, text_in
from searchaccess.engine.inventory.consent.approvals import Approvals
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.policy.policies import Policies
from searchaccess.operator.connections.login import KubernetesLogin
from searchaccess.operator.sources.storage import NoDiffBase, NoProgress
from searchaccess.operator.sources.watching import report_watches
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import Plural

ONE_LIST: Final = 30.0
"""Seconds within which two objects that kopf listed count as one list."""
LISTS_WITHIN: Final = 10.0
"""Seconds after its start within which kopf has listed, if the API server responds."""
_KOPF: Final = f"{Path(kopf.__file__).parent}/"

_ACCESS: Final = "SearchAccess"
_SIFTED: Final = frozenset({None, "ADDED", "MODIFIED"})
"""Types of events that may say nothing new; None: kopf listed the object."""

LOGIN_RETRY: Final = 5.0
"""Seconds until kopf requests an unavailable login again."""


def connection_info(configuration: Configuration, lifetime: dt.timedelta) -> kopf.ConnectionInfo:
    """Return the connection in kopf's form.

    Args:
        configuration: how to connect.
        lifetime: time after which kopf requests a new one.
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
    """Return the expected name in the server's certificate, which kopf has no field for; empty: that of the address."""
    return configuration.tls_server_name or ""


def session_of(
    connection: kopf.ConnectionInfo,
    traces: Sequence[aiohttp.TraceConfig] = (),
    tls_name: str = "",
    sieve: Sieve | None = None,
) -> kopf.AiohttpSession:
    """Return a session for a connection, whose responses kopf can read whatever is in them.

    Args:
        connection: how to connect.
        traces: what traces its requests.
        tls_name: the expected name in the server's certificate; empty: that of the address.
        sieve: says which objects and events kopf gets; None: all.
    """

    async def expect_name(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # The session has no setting for it, and kopf sends the requests.
        request.server_hostname = tls_name
        return await send(request)

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=connection.as_ssl_context()),
        headers=connection.as_http_headers(),
        response_class=TolerantResponse if sieve is None else sifting(sieve),
        trace_configs=list(traces),
        proxy=connection.proxy_url,
        trust_env=connection.trust_env,
        middlewares=(expect_name,) if tls_name else (),
    )
    return kopf.AiohttpSession(server=connection.server, aiohttp_session=session, expiration=connection.expiration)


def configure(settings: kopf.OperatorSettings) -> None:
    """Configure kopf so that it costs nothing when idle (measured: docs/adr/0003)."""
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
    # kopf's own delays go up to 21 s, during which events are missed after the API server is back.
    settings.networking.error_backoffs = (1, 1, 2, 3, *[5] * 10)


class WatchStarts:
    """Detects when kopf has listed a kind and starts to watch it: at its start, and again after failures.

    kopf emits listed objects as events without a type. An empty list has none: then the watch shows that it listed.

    Args:
        started: called each time.
    """

    def __init__(self, started: Callable[[], None]) -> None:
        self._started = started
        self._last = float("-inf")

    def inspect(self, event: Mapping[str, Any]) -> None:
        """Inspect an event."""
        if event["type"] is None:
            now = asyncio.get_running_loop().time()
            if now - self._last > ONE_LIST:
                self._started()
            self._last = now

    def watched(self) -> None:
        """Record that kopf watches."""
        if self._last == float("-inf"):
            self._last = asyncio.get_running_loop().time()
            self._started()

    def assume_started(self) -> None:
        """Assume that kopf has listed by now, if nothing has shown it."""
        if self._last == float("-inf"):
            self._started()


class UnderWay:
    """SearchAccesses of which kopf has an event that the inventory has not: what is known of them is outdated.

    Several events are sifted before kopf handles the first, so one that undoes another must not be dropped.
    """

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        """By uid, the version in the last event that kopf got."""

    def __contains__(self, raw: Mapping[str, Any]) -> bool:
        return _version_in(raw)[0] in self._versions

    def begin(self, raw: Mapping[str, Any]) -> None:
        """Record that kopf gets a version."""
        uid, version = _version_in(raw)
        self._versions[uid] = version

    def end(self, raw: Mapping[str, Any]) -> None:
        """Record that the inventory has seen a version."""
        uid, version = _version_in(raw)
        if self._versions.get(uid) == version:
            del self._versions[uid]

    def forget(self, raw: Mapping[str, Any]) -> None:
        """Forget a SearchAccess that is gone."""
        self._versions.pop(_version_in(raw)[0], None)


def _version_in(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Return uid and resource version of an object."""
    meta = part(raw, "metadata")
    return text_in(meta, "uid"), text_in(meta, "resourceVersion")


def sieve_of(inventory: Inventory, accesses: WatchStarts, under_way: UnderWay) -> Sieve:
    """Return what keeps SearchAccesses from kopf that are known as they are.

    Most events come from our own writes, and most of what kopf lists was listed before. It gives each of them a queue,
    a task and two timers, which takes many times longer than to compare them here (docs/adr/0086).

    Args:
        inventory: knows SearchAccesses.
        accesses: is shown each that kopf listed.
        under_way: is shown each that passes.
    """

    def passes(kind: str, event: str | None, raw: Mapping[str, Any]) -> bool:
        if kind != _ACCESS or event not in _SIFTED:
            return True
        accesses.inspect({"type": event})
        if raw not in under_way and not inventory.may_have_changed(raw):
            return False
        under_way.begin(raw)
        return True

    return passes


def register_accesses(registry: kopf.OperatorRegistry, inventory: Inventory, under_way: UnderWay) -> None:
    """Register a handler that updates the inventory with the events of SearchAccesses that the sieve lets pass."""

    @kopf.on.event(GROUP, VERSION, Plural.ACCESSES, registry=registry)
    async def _access(event: Mapping[str, Any], **_: Any) -> None:
        raw = event["object"]
        if event["type"] != "DELETED":
            inventory.see_access(raw)
            under_way.end(raw)
            return
        under_way.forget(raw)
        try:
            inventory.forget_access(metadata_of(raw).uid)
        except Exception as error:  # noqa: BLE001 - the next full list finds what is gone
            inventory.report_unreadable(error)


def register_clusters(registry: kopf.OperatorRegistry, inventory: Inventory, clusters: WatchStarts) -> None:
    """Register handlers that update the inventory with every event of SearchClusters."""

    @kopf.on.event(GROUP, VERSION, Plural.CLUSTERS, registry=registry)
    async def _cluster(event: Mapping[str, Any], **_: Any) -> None:
        clusters.inspect(event)
        raw = event["object"]
        if event["type"] != "DELETED":
            inventory.see_cluster(raw)
            return
        try:
            meta = metadata_of(raw)
            inventory.forget_cluster(meta.name, meta.uid)
        except Exception as error:  # noqa: BLE001 - the next full list finds what is gone
            inventory.report_unreadable(error)

    _register(registry, inventory, Plural.POLICIES, inventory.policies)
    _register(registry, inventory, Plural.APPROVALS, inventory.approvals)


def _register(
    registry: kopf.OperatorRegistry, inventory: Inventory, plural: Plural, known: Policies | Approvals
) -> None:
    @kopf.on.event(GROUP, VERSION, plural, registry=registry)
    async def _take(event: Mapping[str, Any], **_: Any) -> None:
        raw = event["object"]
        try:
            if event["type"] == "DELETED":
                known.forget(metadata_of(raw).uid)
            else:
                known.see(raw)
        except Exception as error:  # noqa: BLE001 - the full list finds out what there is
            inventory.report_unreadable(error)


class NotOfKopf(Collection["asyncio.Task[Any]"]):
    """All tasks that kopf did not create. When it ends, it cancels those that were created since it began.

    Reconcilers that began since, statuses that are being written and connections that are being served are not its own.
    """

    def __contains__(self, task: object) -> bool:
        return isinstance(task, asyncio.Task) and not _runs_kopf(task)

    def __iter__(self) -> Iterator["asyncio.Task[Any]"]:
        return (task for task in asyncio.all_tasks() if task in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _runs_kopf(task: "asyncio.Task[Any]") -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.startswith(_KOPF)


async def watch(
    inventory: Inventory,
    started: Callable[[], None],
    login: KubernetesLogin,
    stop: asyncio.Event,
    namespaces: list[str] | None = None,
    end: asyncio.Event | None = None,
    *,
    clusters: bool = True,
) -> None:
    """Update an inventory with every event until stopped.

    Args:
        inventory: the inventory.
        started: called whenever watching starts.
        login: to Kubernetes.
        stop: what signals set.
        namespaces: of SearchAccesses; None: all.
        end: set to end it; None: ``stop`` is.
        clusters: whether the API server has the SearchClusters.
    """
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    configure(settings)
    kinds: dict[str, WatchStarts] = {Plural.ACCESSES: WatchStarts(started)}
    under_way = UnderWay()
    register_accesses(registry, inventory, under_way)
    if clusters:
        kinds[Plural.CLUSTERS] = WatchStarts(started)
        register_clusters(registry, inventory, kinds[Plural.CLUSTERS])
    # kopf gives up a watch that is refused for a minute, and ends: a full list finds before that which namespace it is.
    refused = inventory.relist.set if namespaces else (lambda: None)
    trace = report_watches(lambda plural: kinds[plural].watched() if plural in kinds else None, refused)
    sieve = sieve_of(inventory, kinds[Plural.ACCESSES], under_way)
    for watch_starts in kinds.values():
        asyncio.get_running_loop().call_later(LISTS_WITHIN, watch_starts.assume_started)

    sessions: list[aiohttp.ClientSession] = []

    @kopf.on.login(registry=registry)
    async def _login(**_: Any) -> kopf.AiohttpSession:
        try:
            configuration = await login.configuration()
            connection = connection_info(configuration, login.lifetime)
            made = session_of(connection, [trace], tls_name_of(configuration), sieve)
        except ExternalError as error:
            raise kopf.TemporaryError(error.message, delay=LOGIN_RETRY) from None
        sessions[:] = [*(session for session in sessions if not session.closed), made.aiohttp_session]
        return made

    ready = asyncio.Event()
    reclaiming = asyncio.create_task(_reclaim_signals(ready, stop))
    try:
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=namespaces is None,
            namespaces=namespaces or (),
            stop_flag=end or stop,
            ready_flag=ready,
        )
        await kopf.run_tasks(tasks, ignored=NotOfKopf())
    finally:
        reclaiming.cancel()
        # kopf closes those that it used.
        for session in sessions:
            await session.close()


async def _reclaim_signals(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Let signals set our event again: kopf handles them once it runs, and would notify us only when it has stopped.

    It takes seconds to stop, but Leases must be released at once.
    """
    await ready.wait()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
