"""Wires the loop to the outside and to its event source."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.core.cluster import Cluster
from searchaccess.core.ownership import Operator
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.context import Surroundings
from searchaccess.engine.host import LIST_EVERY, Host, run_until_stopped
from searchaccess.engine.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.reconciler import Connect
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import ExternalError, LoginMissing, NotFound
from searchaccess.ports.kubernetes import KubernetesPort

if TYPE_CHECKING:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient

LONGEST_DEAF: Final = 5.0
"""Seconds after the first list within which we listen to events in any case."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Args:
        instance: name of this installation; part of the name of every Elasticsearch object.
        kubeconfig: file to use instead of the pod's service account.
        liveness: address of the liveness endpoint, such as ``http://0.0.0.0:8080/healthz``.
        list_every: seconds between full lists.
    """

    instance: str = "default"
    kubeconfig: Path | None = None
    liveness: str | None = None
    list_every: float = LIST_EVERY


def _load_client() -> type["ElasticsearchClient"]:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient  # noqa: PLC0415 - see where it is used

    return ElasticsearchClient


def connector(kubernetes: KubernetesPort, loading: asyncio.Task[type["ElasticsearchClient"]]) -> Connect:
    """Give the function that opens connections to Elasticsearch.

    Args:
        kubernetes: has the logins.
        loading: gives the client.
    """

    async def connect(cluster: Cluster) -> ElasticsearchPort:
        spec = cluster.spec
        if spec is None:
            raise LoginMissing(cluster.invalid)
        reference = spec.login.secret_ref
        where = f"Secret {reference.namespace}/{reference.name}"
        try:
            secret = await kubernetes.read_secret(reference.namespace, reference.name)
        except NotFound:
            raise LoginMissing(f"{where} does not exist") from None
        missing = [key for key in ("username", "password") if not secret.get(key)]
        if missing:
            raise LoginMissing(f"{where} lacks {' and '.join(missing)}")
        client = await loading
        try:
            return client(
                spec.urls,
                secret["username"].decode().strip(),
                secret["password"].decode().strip(),
                spec.ca.inline if spec.ca else "",
            )
        except ValueError as error:
            # UnicodeDecodeError and ssl.SSLError are ValueErrors; neither shows the secret's content here.
            raise LoginMissing(f"{where} or spec.ca cannot be used: {type(error).__name__}") from None

    return connect


async def _controller_id(kubernetes: KubernetesPort) -> str:
    backoff = Backoff()
    while True:
        try:
            return await kubernetes.controller_id()
        except ExternalError as error:
            log.warning("cannot read the namespace kube-system", error=error.message)
            await asyncio.sleep(backoff.next())


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    waiters = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


async def run_operator(options: Options, stop: asyncio.Event) -> None:
    """Run the operator until an event is set.

    Raises:
        LoginMissing: there is no way to connect to Kubernetes.
    """
    # Elasticsearch's client is a third of all that is to be imported: that is done while objects are listed.
    loading = asyncio.create_task(asyncio.to_thread(_load_client))
    configuration = await load_configuration(options.kubeconfig)
    kubernetes = KubernetesClient(configuration)
    inventory = Inventory()
    try:
        operator = Operator(options.instance, await _controller_id(kubernetes))
        around = Surroundings(operator, inventory, kubernetes, Outbox(kubernetes, inventory), SystemClock())
        host = Host(around, connector(kubernetes, loading), options.list_every)
        loop = asyncio.create_task(run_until_stopped(host, stop))

        async def watch_events() -> None:
            # kopf looks for the kinds once, when it starts: the first list proves that they are there. It lists all
            # anew, so nothing is missed; what was declared long ago is served before it takes its share of the time.
            await _first_of(host.listed.wait(), stop.wait())
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_DEAF):
                    await _first_of(host.first_looks(), stop.wait())
            if not stop.is_set():
                from searchaccess.operator.events import watch  # noqa: PLC0415 - kopf takes a while to import

                await watch(inventory, host.watch_began, options.kubeconfig, options.liveness, stop)

        events = asyncio.create_task(watch_events())
        log.info("running", instance=options.instance)
        done, _ = await asyncio.wait({events, loop}, return_when=asyncio.FIRST_COMPLETED)
        # Whichever ends first, of a fault or at our request, ends the process: a supervisor starts it again.
        stop.set()
        await asyncio.gather(events, loop)
        for task in done:
            task.result()
    finally:
        await kubernetes.close()
