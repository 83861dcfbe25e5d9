"""Wires the loop to the outside and to its event source."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.core.ownership import Operator
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.context import Surroundings
from searchaccess.engine.host import LIST_EVERY, Host, run_until_stopped
from searchaccess.engine.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.operator.connecting import Connections
from searchaccess.operator.google import GoogleWhenNeeded
from searchaccess.operator.stores import OpenStores, StoreOptions
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import KubernetesPort

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
        run_endpoint: address of the Cloud Run Admin API, such as one of Private Service Connect; Google's when empty.
        iam_endpoint: address of the IAM API; Google's when empty.
        stores: how to reach stores of secrets.
    """

    instance: str = "default"
    kubeconfig: Path | None = None
    liveness: str | None = None
    list_every: float = LIST_EVERY
    run_endpoint: str = ""
    iam_endpoint: str = ""
    stores: StoreOptions = StoreOptions()


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
    configuration = await load_configuration(options.kubeconfig)
    kubernetes = KubernetesClient(configuration)
    connections = Connections(kubernetes)
    google = GoogleWhenNeeded(options.run_endpoint, options.iam_endpoint)
    inventory, clock = Inventory(), SystemClock()
    stores: OpenStores | None = None
    try:
        operator = Operator(options.instance, await _controller_id(kubernetes))
        outbox = Outbox(kubernetes, inventory)
        stores = OpenStores(kubernetes, operator, clock, options.stores)
        around = Surroundings(operator, inventory, kubernetes, outbox, clock, google, stores)
        host = Host(around, connections, options.list_every)
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
        await google.close()
        if stores is not None:
            await stores.close()
        await kubernetes.close()
