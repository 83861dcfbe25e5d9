"""Wires the loop to the outside and to its event source."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.leases import KubernetesLeases
from searchaccess.api.constants import ROLE_PREFIX
from searchaccess.core.rights.ownership import Operator
from searchaccess.decorators.dryrun import DryRun, DryRunConnections, refuse
from searchaccess.decorators.measured import MeasuredGoogle, MeasuredKubernetes
from searchaccess.engine.host import RESYNC_PERIOD, Host, run_until_stopped
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.replicas.leases import Leases
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.state import Context
from searchaccess.operator.connections.connecting import Connections
from searchaccess.operator.connections.google import GoogleWhenNeeded
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.operator.connections.stores import OpenStores, StoreOptions
from searchaccess.operator.garbage import collect_when_quiet, freeze_live_objects
from searchaccess.operator.observer_login import ObserverLogin, ObserverLogins
from searchaccess.operator.observing import observed, placed
from searchaccess.operator.starting import Start
from searchaccess.operator.telemetry.metrics import Declared, Metrics
from searchaccess.operator.telemetry.tracing import start_tracing
from searchaccess.operator.telemetry.web import Pages, serving
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, NotStarted, TransientError
from searchaccess.ports.kubernetes import KubernetesPort

WATCH_WITHIN: Final = 5.0
"""Seconds after the first list within which we listen to events in any case."""
LEAVE_TIMEOUT: Final = 3.0
"""Seconds, of the ten that Cloud Run gives, and the thirty of Kubernetes."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Args:
        instance: name of this installation; part of the name of every Elasticsearch object.
        kubernetes: where the API server is.
        lease_namespace: where replicas keep the Leases by which they divide SearchClusters; empty: there is one
            replica.
        listen: address and port for probes and metrics; None: nothing is served.
        resync_period: seconds between full lists.
        run_endpoint: address of the Cloud Run Admin API, such as one of Private Service Connect; Google's when empty.
        iam_endpoint: address of the IAM API; Google's when empty.
        stores: how to reach secret stores.
        observe: dry run: change nothing, and record what would change.
        manifests: what is declared besides, or in place of, what the API server has; only with ``observe``.
        logins: to Elasticsearch, in place of those that SearchClusters declare; only with ``observe``.
        trusts_files: logins are sent also where manifests say; only with ``observe``.
        namespace: of SearchAccesses in manifests that name none, and the only one that is reported; empty: all are.
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
    namespace: str = ""
    logins: tuple[ObserverLogin, ...] = ()
    trusts_files: bool = False


@dataclass(frozen=True, slots=True)
class Wired:
    """An operator that is ready to run."""

    login: KubernetesLogin
    context: Context
    host: Host
    leases: Leases | None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until stopped, and let others take over at once: kopf stops slowly."""
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


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    waiters = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


def _observed(kubernetes: KubernetesPort, options: Options, login: KubernetesLogin) -> KubernetesPort:
    manifests = placed(options.manifests, login.namespace) if options.manifests else []
    return observed(kubernetes, manifests, ObserverLogins(options.logins, trusts_files=options.trusts_files))


def _connections(connector: Connector, dry_run: DryRun | None) -> Connector:
    return DryRunConnections(connector, dry_run) if dry_run else connector


@asynccontextmanager
async def wired(
    options: Options, stop: asyncio.Event, only: Collection[str] = (), within: float | None = None
) -> AsyncIterator[Wired]:
    """Wire an operator; close all that it opened when the context ends.

    Args:
        options: how to run.
        stop: set to end it before it begins.
        only: the SearchClusters to reconcile; none: all.
        within: seconds in which it must have connected, and what a person must mend ends it at once; None: it retries
            until it is stopped.

    Raises:
        LoginMissing: there is no way to connect to Kubernetes.
        CannotListen: probes and metrics cannot be served.
        NotStarted: it was stopped, it took too long, or a person must act first.
    """
    dry_run = DryRun() if options.observe else None
    login = KubernetesLogin(options.kubernetes)
    start = Start(stop, within)
    configuration = await start.wait_for(login.configuration, "the address of the API server", TransientError)
    client, tracing = KubernetesClient(configuration), start_tracing()
    metrics = Metrics(tracing)
    clock = SystemClock()
    inventory = Inventory(metrics, clock)
    # A name of its own for each process: a restarted one owns nothing of what the previous one had.
    identity = f"{socket.gethostname().lower()[:63].strip('.-') or 'replica'}-{secrets.token_hex(4)}"
    leases: Leases | None = None
    if options.lease_namespace and not dry_run:
        port = KubernetesLeases(client, options.lease_namespace, options.instance)
        leases = Leases(port, inventory, clock, identity)
    alive = refuse if dry_run else leases.expect_valid if leases else None
    counted_client = MeasuredKubernetes(client, metrics.counting("kubernetes"), alive)
    guard = leases.expect_holder if leases else None
    kubernetes: KubernetesPort = _observed(counted_client, options, login) if dry_run else counted_client
    connections = _connections(Connections(kubernetes, metrics, guard, f"{ROLE_PREFIX}/{identity}"), dry_run)
    google = GoogleWhenNeeded(options.run_endpoint, options.iam_endpoint)
    async with AsyncExitStack() as stack:
        if tracing:
            stack.callback(tracing.close)
        stack.push_async_callback(client.close)
        stack.push_async_callback(google.close)
        controller_id = await start.wait_for(kubernetes.controller_id, "the namespace kube-system")
        operator = Operator(options.instance, controller_id)
        outbox = Outbox(kubernetes, inventory, metrics)
        stores = OpenStores(client, operator, clock, options.stores, metrics, alive)
        stack.push_async_callback(stores.close)
        counted = MeasuredGoogle(google, metrics.counting("google"), alive)
        ownership = leases or Ownership()
        context = Context(
            operator, inventory, kubernetes, outbox, clock, counted, stores, metrics, ownership, dry_run=dry_run
        )
        run_leases = leases.run if leases else None
        host = Host(context, connections, options.resync_period, run_leases, only, short_lived=within is not None)
        if leases:
            leases.stop_working = host.stop_working
        metrics.register(Declared(inventory, outbox, host, ownership))
        if options.listen:
            await stack.enter_async_context(serving(*options.listen, Pages(host.stuck, host.unready, metrics.scrape)))
        log.info("running", instance=options.instance, replica=identity)
        yield Wired(login, context, host, leases)


async def _watch_events(one: Wired, stop: asyncio.Event) -> None:
    # kopf looks up the kinds once, when it starts: the first list proves that they exist. It lists all again, so
    # nothing is missed; what was declared long ago is served before kopf takes its share of the time.
    await _first_of(one.host.listed.wait(), stop.wait())
    # What was listed stays: garbage collections that go through all of it would hold the loop.
    freeze_live_objects()
    with suppress(TimeoutError):
        async with asyncio.timeout(WATCH_WITHIN):
            await _first_of(one.host.first_reconciles(), stop.wait())
    if not stop.is_set():
        from searchaccess.operator.events import watch  # noqa: PLC0415 - kopf takes a while to import

        await watch(one.context.inventory, one.host.watch_started, one.login, stop)


async def watch_and_run(one: Wired, stop: asyncio.Event) -> None:
    """Reconcile what is declared until an event is set."""
    loop = asyncio.create_task(one.run(stop))
    events = asyncio.create_task(_watch_events(one, stop))
    collecting = asyncio.create_task(collect_when_quiet(one.host.is_busy))
    done, _ = await asyncio.wait({events, loop}, return_when=asyncio.FIRST_COMPLETED)
    # Whichever ends first, by a fault or at our request, ends the process: a supervisor restarts it.
    stop.set()
    collecting.cancel()
    await asyncio.gather(events, loop)
    for task in done:
        task.result()


async def run_operator(options: Options, stop: asyncio.Event) -> None:
    """Run the operator until an event is set.

    Raises:
        LoginMissing: there is no way to connect to Kubernetes.
        CannotListen: probes and metrics cannot be served.
    """
    try:
        async with wired(options, stop) as one:
            await watch_and_run(one, stop)
    except NotStarted:
        log.info("stopped before it could start")
