"""Wires the engine to external systems and to its event source."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.leases import KubernetesLeases
from searchaccess.adapters.kubernetes.namespaced import NamespacedClient
from searchaccess.api.constants import ROLE_PREFIX
from searchaccess.core.model.watched import EVERYWHERE, Watched
from searchaccess.core.rights.ownership import Operator
from searchaccess.decorators.dryrun import DryRun, DryRunConnections, refuse
from searchaccess.decorators.measured import MeasuredGoogle, MeasuredKubernetes
from searchaccess.engine.host import Host, run_until_stopped
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.lister import RESYNC_PERIOD
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.replicas.leases import Leases
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.state import Context
from searchaccess.operator.admission.options import AdmissionOptions
from searchaccess.operator.connections.connecting import Connections
from searchaccess.operator.connections.gateways import gateways_by
from searchaccess.operator.connections.google import GoogleWhenNeeded
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.operator.connections.stores import OpenStores, StoreOptions
from searchaccess.operator.garbage import collect_when_quiet, freeze_live_objects
from searchaccess.operator.observer_login import ObserverLogin, ObserverLogins
from searchaccess.operator.observing import observed, placed
from searchaccess.operator.sources.clusterfiles import FiledClusters
from searchaccess.operator.sources.rewatching import first_of, watch_readable
from searchaccess.operator.starting import Start
from searchaccess.operator.telemetry.metrics import Declared, Metrics
from searchaccess.operator.telemetry.tracing import start_tracing
from searchaccess.operator.telemetry.web import Pages, serving
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, NotStarted, TransientError
from searchaccess.ports.kubernetes import KubernetesPort

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

WATCH_WITHIN: Final = 5.0
"""Seconds after the first list after which watching starts in any case."""
LEAVE_TIMEOUT: Final = 3.0
"""Seconds, of the ten that Cloud Run allows, and the thirty of Kubernetes."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Args:
        instance: name of this installation; part of the name of every Elasticsearch object.
        kubernetes: where the API server is.
        lease_namespace: namespace of the Leases by which replicas divide SearchClusters; empty: there is one replica.
        listen: address and port for probes and metrics; None: nothing is served.
        resync_period: seconds between full lists.
        run_endpoint: address of the Cloud Run Admin API, such as one of Private Service Connect; Google's when empty.
        iam_endpoint: address of the IAM API; Google's when empty.
        stores: how to reach secret stores.
        observe: dry run: change nothing, and record what would change.
        manifests: objects that are added to, or replace, those of the API server; only with ``observe``.
        logins: to Elasticsearch, instead of those that SearchClusters declare; only with ``observe``.
        trusts_files: logins are also sent to the addresses in manifests; only with ``observe``.
        admission: how the admission webhook is served; None: it is not.
        watch_namespaces: the namespaces of SearchAccesses that are reconciled; empty: all are.
        search_clusters: folder of files with the SearchClusters, instead of those of the API server; None: the API
            server has them. Only with ``watch_namespaces``.
        home_namespace: the operator's own namespace, whose uid identifies the installation where those are given.
        namespace: of SearchAccesses in manifests without one, and the only one that is reported; empty: all are.
    """

    instance: str = "default"
    kubernetes: KubernetesOptions = KubernetesOptions()
    lease_namespace: str = ""
    listen: tuple[str, int] | None = None
    resync_period: float = RESYNC_PERIOD
    run_endpoint: str = ""
    iam_endpoint: str = ""
    stores: StoreOptions = StoreOptions()
    observe: bool = False
    manifests: tuple[dict[str, Any], ...] = ()
    watch_namespaces: tuple[str, ...] = ()
    search_clusters: Path | None = None
    home_namespace: str = ""
    namespace: str = ""
    logins: tuple[ObserverLogin, ...] = ()
    trusts_files: bool = False
    admission: AdmissionOptions | None = None


@dataclass(frozen=True, slots=True)
class Wired:
    """An operator that is ready to run."""

    login: KubernetesLogin
    context: Context
    host: Host
    leases: Leases | None
    files: FiledClusters | None = None
    """Where SearchClusters are declared; None: in the API server."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until stopped, then release the Leases at once: kopf stops slowly."""
        try:
            await run_until_stopped(self.host, stop)
        finally:
            if self.leases is not None:
                await _leave(self.leases)


async def _leave(leases: Leases) -> None:
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            await leases.leave()
    except (ExternalError, TimeoutError) as error:
        log.warning("cannot release the leases: other replicas take over when they expire", error=str(error))


def _observed(kubernetes: KubernetesPort, options: Options, login: KubernetesLogin) -> KubernetesPort:
    manifests = placed(options.manifests, login.namespace) if options.manifests else []
    return observed(kubernetes, manifests, ObserverLogins(options.logins, trusts_files=options.trusts_files))


def _client(configuration: "Configuration", options: Options) -> KubernetesClient:
    if not options.watch_namespaces:
        return KubernetesClient(configuration)
    return NamespacedClient(configuration, options.watch_namespaces, options.home_namespace)


def _watched(options: Options) -> Watched:
    return Watched(frozenset(options.watch_namespaces)) if options.watch_namespaces else EVERYWHERE


def _connections(connector: Connector, dry_run: DryRun | None) -> Connector:
    return DryRunConnections(connector, dry_run) if dry_run else connector


@asynccontextmanager
async def _webhook(
    admission: AdmissionOptions,
    options: Options,
    client: KubernetesClient,
    context: Context,
    host: Host,
    stop: asyncio.Event,
) -> AsyncIterator[Callable[[], str]]:
    # cryptography takes a while to import.
    from searchaccess.adapters.kubernetes.webhooks import KubernetesWebhooks  # noqa: PLC0415
    from searchaccess.operator.admission.start import webhook_served  # noqa: PLC0415

    objects = KubernetesWebhooks(client, admission.webhook, options.lease_namespace)
    async with webhook_served(admission, context, host, objects, stop) as unready:
        yield lambda: host.health.unready() or unready()


@asynccontextmanager
async def wired(
    options: Options, stop: asyncio.Event, only: Collection[str] = (), within: float | None = None
) -> AsyncIterator[Wired]:
    """Wire an operator; close all its connections when the context ends.

    Args:
        options: how to run.
        stop: set to end it before it starts.
        only: the SearchClusters to reconcile; none: all.
        within: seconds within which it must connect; what a person must fix then ends it at once. None: it retries
            until it is stopped.

    Raises:
        LoginMissing: there is no login for Kubernetes.
        CannotListen: probes and metrics cannot be served.
        NotStarted: it was stopped, it took too long, or a person must act first.
    """
    dry_run = DryRun() if options.observe else None
    login = KubernetesLogin(options.kubernetes)
    start = Start(stop, within)
    configuration = await start.wait_for(login.configuration, "the address of the API server", TransientError)
    client, tracing = _client(configuration, options), start_tracing()
    metrics = Metrics(tracing)
    clock = SystemClock()
    inventory = Inventory(metrics, _watched(options), clock)
    # A unique name for each process: a restarted one owns nothing that the previous one had.
    identity = f"{socket.gethostname().lower()[:63].strip('.-') or 'replica'}-{secrets.token_hex(4)}"
    leases: Leases | None = None
    if options.lease_namespace and not dry_run:
        port = KubernetesLeases(client, options.lease_namespace, options.instance)
        leases = Leases(port, inventory, clock, identity)
    alive = refuse if dry_run else leases.expect_valid if leases else None
    files = None
    if options.search_clusters is not None:
        files = FiledClusters(client, options.search_clusters, options.home_namespace, options.instance)
    counted_client = MeasuredKubernetes(files or client, metrics.counting("kubernetes"), alive)
    guard = leases.expect_holder if leases else None
    kubernetes: KubernetesPort = _observed(counted_client, options, login) if dry_run else counted_client
    connections = _connections(Connections(kubernetes, metrics, guard, f"{ROLE_PREFIX}/{identity}"), dry_run)
    google = GoogleWhenNeeded(options.run_endpoint, options.iam_endpoint)
    async with AsyncExitStack() as stack:
        if tracing:
            stack.callback(tracing.close)
        stack.push_async_callback(client.close)
        stack.push_async_callback(google.close)
        place = options.home_namespace if options.watch_namespaces else "kube-system"
        controller_id = await start.wait_for(kubernetes.controller_id, f"the namespace {place}")
        operator = Operator(options.instance, controller_id)
        outbox = Outbox(kubernetes, inventory, metrics)
        stores = OpenStores(client, operator, clock, options.stores, metrics, alive)
        stack.push_async_callback(stores.close)
        counted = MeasuredGoogle(google, metrics.counting("google"), alive)
        ownership = leases or Ownership()
        context = Context(
            operator, inventory, kubernetes, outbox, clock, counted, stores, metrics, ownership, dry_run=dry_run,
            gateways=gateways_by(client, metrics, alive),
        )  # fmt: skip
        run_leases = leases.run if leases else None
        host = Host(context, connections, options.resync_period, run_leases, only, short_lived=within is not None)
        if leases:
            leases.stop_working = host.stop_working
        metrics.register(Declared(inventory, outbox, host, ownership))
        unready = host.health.unready
        if options.admission:
            served = _webhook(options.admission, options, client, context, host, stop)
            unready = await stack.enter_async_context(served)
        if options.listen:
            await stack.enter_async_context(serving(*options.listen, Pages(host.health.stuck, unready, metrics.scrape)))
        # A dry run is not a replica: whoever asks for a plan wants to read the plan alone.
        (log.debug if dry_run else log.info)("running", instance=options.instance, replica=identity)
        yield Wired(login, context, host, leases, files)


async def _watch_events(process: Wired, stop: asyncio.Event) -> None:
    # kopf looks up the kinds once, when it starts: the first list proves that they exist. It lists all again, so
    # nothing is missed; existing objects are reconciled before kopf takes its share of the time.
    await first_of(process.host.listed.wait(), stop.wait())
    # The listed objects stay: garbage collections that traverse all of them would block the event loop.
    freeze_live_objects()
    with suppress(TimeoutError):
        async with asyncio.timeout(WATCH_WITHIN):
            await first_of(process.host.first_reconciles(), stop.wait())
    if not stop.is_set():
        from searchaccess.operator.sources.events import watch  # noqa: PLC0415 - kopf takes a while to import

        inventory, host, files = process.context.inventory, process.host, process.files

        async def watch_some(namespaces: list[str] | None, end: asyncio.Event) -> None:
            await watch(inventory, host.watch_started, process.login, stop, namespaces, end, clusters=files is None)

        await watch_readable(inventory, watch_some, stop)


async def watch_and_run(process: Wired, stop: asyncio.Event) -> None:
    """Reconcile what is declared until an event is set."""
    loop = asyncio.create_task(process.run(stop))
    events = asyncio.create_task(_watch_events(process, stop))
    beside = [asyncio.create_task(collect_when_quiet(process.host.is_busy))]
    if process.files:
        beside.append(asyncio.create_task(process.files.follow(process.context.inventory)))
    done, _ = await asyncio.wait({events, loop}, return_when=asyncio.FIRST_COMPLETED)
    # Whichever ends first, by an error or on request, ends the process: a supervisor restarts it.
    stop.set()
    for task in beside:
        task.cancel()
    await asyncio.gather(events, loop)
    for task in done:
        task.result()


async def run_operator(options: Options, stop: asyncio.Event) -> None:
    """Run the operator until an event is set.

    Raises:
        LoginMissing: there is no login for Kubernetes.
        CannotListen: probes and metrics cannot be served.
    """
    try:
        async with wired(options, stop) as process:
            await watch_and_run(process, stop)
    except NotStarted:
        log.info("stopped before it could start")
