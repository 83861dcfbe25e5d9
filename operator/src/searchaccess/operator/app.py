"""Wires the loop to the outside and runs it under kopf.

kopf is the event source and nothing else: ``on.event`` handlers put what they see into the inventory. There are no kopf
timers, daemons, indexes or change handlers, which would write annotations to every object (docs/adr/0003).
"""

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import kopf
import structlog
from kubernetes.aio.client import Configuration

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.core.cluster import Cluster
from searchaccess.core.ownership import Operator
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.context import Surroundings
from searchaccess.engine.host import LIST_EVERY, Host, run_until_stopped
from searchaccess.engine.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.reconciler import Connect
from searchaccess.operator.storage import NoDiffBase, NoProgress
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import ExternalError, LoginMissing, NotFound
from searchaccess.ports.kubernetes import KubernetesPort, Plural

LOGIN_LIFETIME: Final = dt.timedelta(minutes=10)
"""kopf logs in again after this: a pod's token file is renewed by the kubelet about every hour."""

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


def connector(kubernetes: KubernetesPort) -> Connect:
    """Give the function that opens connections to Elasticsearch."""

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
        try:
            return ElasticsearchClient(
                spec.urls,
                secret["username"].decode().strip(),
                secret["password"].decode().strip(),
                spec.ca.inline if spec.ca else "",
            )
        except ValueError as error:
            # UnicodeDecodeError and ssl.SSLError are ValueErrors; neither shows the secret's content here.
            raise LoginMissing(f"{where} or spec.ca cannot be used: {type(error).__name__}") from None

    return connect


def connection_info(configuration: Configuration) -> kopf.ConnectionInfo:
    """Give the connection in kopf's form."""
    scheme, _, token = str(configuration.api_key.get("BearerToken", "")).partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() if token else None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        expiration=dt.datetime.now(dt.UTC) + LOGIN_LIFETIME,
    )


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf so that it costs nothing at rest (measured: docs/adr/0003)."""
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 0.05
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    # kopf's own go up to 21 s: so long it would stay deaf after the API server came back.
    settings.networking.error_backoffs = (1, 1, 2, 3, *[5] * 10)


def watch(registry: kopf.OperatorRegistry, inventory: Inventory) -> None:
    """Put every event of our kinds into the inventory."""

    @kopf.on.event(GROUP, VERSION, Plural.ACCESSES, registry=registry)
    async def _access(event: Mapping[str, Any], **_: Any) -> None:
        raw = event["object"]
        if event["type"] == "DELETED":
            inventory.forget_access(raw["metadata"]["uid"])
        else:
            inventory.see_access(raw)

    @kopf.on.event(GROUP, VERSION, Plural.CLUSTERS, registry=registry)
    async def _cluster(event: Mapping[str, Any], **_: Any) -> None:
        raw = event["object"]
        if event["type"] == "DELETED":
            inventory.forget_cluster(raw["metadata"]["name"], raw["metadata"]["uid"])
        else:
            inventory.see_cluster(raw)


async def _controller_id(kubernetes: KubernetesPort) -> str:
    backoff = Backoff()
    while True:
        try:
            return await kubernetes.controller_id()
        except ExternalError as error:
            log.warning("cannot read the namespace kube-system", error=error.message)
            await asyncio.sleep(backoff.next())


async def _first_of(*events: asyncio.Event) -> None:
    waiters = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    for waiter in waiters:
        waiter.cancel()


async def run_operator(options: Options, stop: asyncio.Event) -> None:
    """Run the operator until an event is set.

    Raises:
        LoginMissing: there is no way to connect to Kubernetes.
    """
    configuration = await load_configuration(options.kubeconfig)
    kubernetes = KubernetesClient(configuration)
    inventory = Inventory()
    registry = kopf.OperatorRegistry()
    settings = kopf.OperatorSettings()
    configure(settings)
    watch(registry, inventory)

    @kopf.on.login(registry=registry)
    async def _login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(await load_configuration(options.kubeconfig))

    try:
        operator = Operator(options.instance, await _controller_id(kubernetes))
        around = Surroundings(operator, inventory, kubernetes, Outbox(kubernetes, inventory), SystemClock())
        host = Host(around, connector(kubernetes), options.list_every)
        loop = asyncio.create_task(run_until_stopped(host, stop))

        async def watch_events() -> None:
            # kopf looks for the kinds once, when it starts: the first list proves that they are there.
            await _first_of(host.listed, stop)
            if not stop.is_set():
                await kopf.operator(
                    registry=registry,
                    settings=settings,
                    standalone=True,
                    clusterwide=True,
                    stop_flag=stop,
                    liveness_endpoint=options.liveness,
                )

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
