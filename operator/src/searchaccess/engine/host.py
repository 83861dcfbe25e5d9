"""Runs a reconciler for every SearchCluster, and keeps the inventory complete."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import structlog

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.answers.missing_right import grant_commands
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.notfound import not_found
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.policy.decision import OPEN, decide
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.backoff import SPREADING_CAP, Backoff, Spreading
from searchaccess.engine.barrier import Place, caught
from searchaccess.engine.chunks import in_chunks
from searchaccess.engine.identities.follow import LEAST_SEEN, Identities
from searchaccess.engine.inventory.namespaces import NamespaceLabels
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.loop.check import Peers, duplicated
from searchaccess.engine.loop.reconciler import Reconciler
from searchaccess.engine.state import ClusterState, Context
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, WaitingError
from searchaccess.ports.kubernetes import Plural

RESYNC_PERIOD: Final = 300.0
"""Seconds between full lists: a deletion while the watch was down leaves no event."""
RELIST_AFTER: Final = 10.0
"""Seconds after the event source began to watch until we list too: when it has worked off what it listed itself."""
MOST_MISSED: Final = 3
"""Full lists that may fail in a row before it is said that what is declared is not known any more."""
STUCK_AFTER: Final = 600.0
"""Seconds without an answer from any side in a look that goes on: every request ends sooner, with or without one."""
START_AGAIN: Final = 5.0
"""Seconds after which what a fault of ours prevented is tried again: a start of a reconciler, or a status."""
STEP_WITHIN: Final = 4.0
STATUSES_WITHIN: Final = 1.0
"""Seconds that a stop waits for what is being written to Elasticsearch and stores, and then for statuses. Of ten that
Cloud Run gives three are for giving up Leases."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Running:
    reconciler: Reconciler
    task: asyncio.Task[None]


class Host:
    """All reconcilers of one process.

    Args:
        context: what they share.
        connector: opens connections to clusters.
        resync_period: seconds between full lists.
        take_part: shares clusters out with other replicas until cancelled; None: there are none.
        only: the SearchClusters to look after; none: all.
        brief: the process ends by itself soon: it does not wait for a person to grant what its first list lacks.
    """

    def __init__(
        self,
        context: Context,
        connector: Connector,
        resync_period: float = RESYNC_PERIOD,
        take_part: Callable[[], Coroutine[Any, Any, None]] | None = None,
        only: Collection[str] = (),
        *,
        brief: bool = False,
    ) -> None:
        self._brief = brief
        self._only = frozenset(only)
        self._take_part = take_part
        self._context = context
        self._connector = connector
        self._resync_period = resync_period
        self._running: dict[str, _Running] = {}
        self._watching = False
        self._winding_down = False
        self._listed_at = 0.0
        self._labels = NamespaceLabels(context.inventory, context.kubernetes, context.meter)
        self.listed = asyncio.Event()
        """Set when the inventory is complete for the first time."""

    async def run(self) -> None:
        """Run until cancelled. No fault of ours ends it: whatever dies of one is started again.

        Raises:
            WaitingError: the first list was refused for longer than a right takes to spread, and the process is to end
                soon anyway.
        """
        await self._first_list()
        context = self._context
        parts: dict[Place, Callable[[], Awaitable[None]]] = {
            "write statuses": context.outbox.run,
            "list": self._list_again,
            "namespaces": self._labels.run,
            "identities": self._identities().run,
        }
        if self._take_part:
            parts["renew leases"] = self._take_part
        try:
            async with asyncio.TaskGroup() as group:
                for place, run in parts.items():
                    group.create_task(self._persist(place, run))
                self._start_missing(group)
                self.listed.set()
                group.create_task(self._persist("supervise", lambda: self._supervise(group)))
        finally:
            self._running.clear()

    async def _persist(self, place: Place, run: Callable[[], Awaitable[None]]) -> None:
        """Run something for ever; start it again, with back-off, when it dies of a fault of ours."""
        backoff = Backoff()
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - the barrier between a fault of ours and the process
                caught(self._context.meter, "", place, error)
            await asyncio.sleep(backoff.next())

    def _identities(self) -> Identities:
        context = self._context
        # A run that ends soon sees nothing missing for long: it must take the status's word for that.
        least_seen = 0.0 if self._brief else LEAST_SEEN
        return Identities(context.inventory, context.google, context.clock, context.meter, least_seen)

    async def first_looks(self) -> None:
        """Wait until every cluster that was listed was looked at once, whatever came of it."""
        await self.listed.wait()
        for running in list(self._running.values()):
            await running.reconciler.reconciled.wait()

    def watch_began(self) -> None:
        """Take in that the event source begins to watch, or does so anew: list soon.

        Nobody told us of what was deleted between our last list and its own.
        """
        self._watching = True
        self._context.inventory.relist.set()

    def reconcilers(self) -> dict[str, Reconciler]:
        """Give those that run, by SearchCluster."""
        return {name: running.reconciler for name, running in self._running.items()}

    def unready(self) -> str:
        """Say why what is declared is not known yet, or not any more; empty: it is."""
        if not self.listed.is_set():
            return "the API server has not been listed yet"
        if not self._watching:
            return "the API server is not watched yet"
        late = self._context.clock.monotonic() - self._listed_at
        if late > MOST_MISSED * self._resync_period:
            return f"the API server could not be listed for {late:.0f} s"
        return ""

    def stuck(self) -> str:
        """Say what makes no progress although it should; empty: nothing."""
        now = self._context.clock.monotonic()
        for name, reconciler in self.reconcilers().items():
            if reconciler.busy_since is not None and now - reconciler.busy_since > STUCK_AFTER:
                quiet = now - max(reconciler.busy_since, self._context.meter.answered(name))
                if quiet > STUCK_AFTER:
                    return f"SearchCluster {name}: nothing was answered for {quiet:.0f} s"
        return ""

    async def wind_down(self) -> None:
        """Begin nothing more that is not to be cut off, and wait a little for what was begun and for statuses."""
        await self._context.steps.close(STEP_WITHIN)
        self._winding_down = True
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            # Each reports what it did when it ends.
            await asyncio.wait(tasks, timeout=STATUSES_WITHIN)
        with suppress(TimeoutError):
            async with asyncio.timeout(STATUSES_WITHIN):
                await self._context.outbox.drained()

    async def _first_list(self) -> None:
        """Fill the inventory before anything is decided: nobody is an orphan only because we have not heard of it."""
        backoff, spreading, cap = Backoff(), Spreading(self._context.clock.monotonic), None
        while True:
            try:
                if await self._try_to_list(final=WaitingError if self._brief else ()):
                    break
            except WaitingError as error:
                if not spreading.may_pass(error):
                    raise
                cap = SPREADING_CAP
            await asyncio.sleep(backoff.next(cap))
        # Where it fails, whoever depends on them is held until they are known.
        await self._labels.read()

    async def _try_to_list(self, final: type[ExternalError] | tuple[()] = ()) -> bool:
        """List everything; say whether that came to its end.

        Args:
            final: failures that are raised, not logged.
        """
        try:
            await self._list()
        except final:
            raise
        except ExternalError as error:
            granting = {"granting": commands} if (commands := grant_commands(error.message)) else {}
            log.warning("cannot list", error=error.message, **granting)
        except Exception as error:  # noqa: BLE001 - a fault of ours: what is known stays known
            caught(self._context.meter, "", "list", error)
            self._context.inventory.relist.set()
        else:
            return True
        return False

    async def _list(self) -> None:
        inventory = self._context.inventory
        clusters = {name: record.cluster.uid for name, record in inventory.clusters.items()}
        inventory.keep_clusters(await self._see_all(Plural.CLUSTERS, inventory.see_cluster), clusters)
        accesses = frozenset(inventory.accesses)
        await inventory.keep_accesses(await self._see_all(Plural.ACCESSES, inventory.see_access), accesses)
        self._listed_at = self._context.clock.monotonic()

    async def _see_all(self, plural: Plural, see: Callable[[dict[str, Any]], None]) -> set[str]:
        """Take in a list page by page, so that it is never in memory as a whole; give the uids in it."""
        present: set[str] = set()
        following = await self._see_page(plural, "", see, present)
        while following:
            following = await self._see_page(plural, following, see, present)
        return present

    async def _see_page(
        self, plural: Plural, following: str, see: Callable[[dict[str, Any]], None], present: set[str]
    ) -> str:
        """Take in a page, which is dropped before the next one comes; give where the list continues."""
        page = await self._context.kubernetes.list_page(plural, following)
        for raw in page.items:
            present.add(metadata_of(raw).uid)
            see(raw)
        return page.following

    async def _list_again(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._resync_period):
                    await self._context.inventory.relist.wait()
                    await asyncio.sleep(RELIST_AFTER)
            self._context.inventory.relist.clear()
            await self._try_to_list()

    async def _supervise(self, group: asyncio.TaskGroup) -> None:
        """Start and stop reconcilers as SearchClusters come and go."""
        inventory = self._context.inventory
        while True:
            inventory.changed.clear()
            for name in [name for name, running in self._running.items() if running.task.done()]:
                del self._running[name]
                self._context.meter.forget(name)
            self._start_missing(group)
            for name, running in self._running.items():
                record = inventory.clusters.get(name)
                if record and record.cluster.uid != running.reconciler.uid:
                    # Recreated: nothing that is known of the one before is true of this one.
                    running.task.cancel()
                elif record and not self._is_ours(name):
                    self._leave(name)
            if self._context.ownership.holds_common():
                await self._publish_without_cluster()
            await inventory.changed.wait()

    def _start_missing(self, group: asyncio.TaskGroup) -> None:
        for name, record in self._context.inventory.clusters.items() if not self._winding_down else ():
            if name not in self._running and self._is_ours(name):
                try:
                    peers = Peers(self._older_with_uuid, self._younger_with_uuid)
                    reconciler = Reconciler(record.cluster, self._context, self._connector, peers)
                except Exception as error:  # noqa: BLE001 - the barrier between one cluster and all others
                    caught(self._context.meter, name, "reconciler", error)
                    asyncio.get_running_loop().call_later(START_AGAIN, self._context.inventory.changed.set)
                    continue
                task = group.create_task(self._keep_running(name, reconciler))
                self._running[name] = _Running(reconciler, task)

    async def _keep_running(self, name: str, reconciler: Reconciler) -> None:
        """Run a reconciler; one that dies of a fault of ours is started again and spoils no other cluster."""
        backoff = Backoff()
        try:
            while self._is_ours(name) and reconciler.is_current():
                try:
                    await reconciler.run()
                except Exception as error:  # noqa: BLE001 - the last barrier between one cluster and all others
                    caught(self._context.meter, name, "reconciler", error)
                    # Whatever it was about to do, it begins anew with everything.
                    self._context.inventory.marks.mark_everything(name)
                    await asyncio.sleep(backoff.next())
        finally:
            self._context.inventory.changed.set()

    def _is_ours(self, name: str) -> bool:
        wanted = {name} & self._context.inventory.clusters.keys()
        return bool(self._context.ownership.held(wanted & self._only if self._only else wanted))

    def is_busy(self) -> bool:
        """Say whether there is something to reconcile, or to write, that is not waiting for a next try.

        It is asked many times a second: it takes no longer the more SearchAccesses there are.
        """
        inventory = self._context.inventory
        ours = {name for name in inventory.clusters if self._is_ours(name)}
        if not ours <= self._running.keys() or self._context.outbox.is_busy:
            return True
        for name in ours:
            reconciler = self._running[name].reconciler
            if not reconciler.reconciled.is_set() or reconciler.busy_since is not None:
                return True
            waits = inventory.marks.dirty(name) or inventory.recalled(name) or reconciler.is_isolating
            waits = waits or reconciler.is_proving
            if waits and not reconciler.is_failing:
                return True
        return False

    def _leave(self, name: str) -> None:
        """Stop to look after a SearchCluster that is another replica's, and write nothing more about it."""
        inventory = self._context.inventory
        uids = {record.access.uid for record in inventory.of_cluster(name)}
        if name in inventory.clusters:
            uids.add(inventory.clusters[name].cluster.uid)
        self._context.outbox.drop(uids)
        self._running[name].task.cancel()

    async def stop_working(self, name: str) -> None:
        """Stop to look after a SearchCluster; return when nothing of it goes on."""
        running = self._running.get(name)
        if running is None:
            return
        self._leave(name)
        await asyncio.wait({running.task})

    def _younger_with_uuid(self, cluster: Cluster, uuid: str) -> str:
        for name, record in self._context.inventory.clusters.items():
            if record.cluster.deleted_at or (record.cluster.created_at, name) <= (cluster.created_at, cluster.name):
                continue
            running = self._running.get(name)
            facts = running.reconciler.state.facts if running else None
            # Another replica's says so in its status: it stopped because of us.
            if (facts.uuid if facts else duplicated(record.status)) == uuid:
                return name
        return ""

    def _older_with_uuid(self, cluster: Cluster, uuid: str) -> str:
        for name, record in self._context.inventory.clusters.items():
            if name == cluster.name:
                continue
            running = self._running.get(name)
            # After a restart the younger one may be the first to look, or another replica has it: the status knows.
            if uuid != ((running.reconciler.state.uuid if running else "") or record.status.uuid):
                continue
            if (record.cluster.created_at, name) < (cluster.created_at, cluster.name):
                return name
        return ""

    async def _publish_without_cluster(self) -> None:
        """Tell SearchAccesses whose SearchCluster does not exist."""
        inventory = self._context.inventory
        uuids = {record.status.uuid for record in inventory.clusters.values()}
        publisher, again, usable = StatusPublisher(self._context, ClusterState()), False, cache(inventory.usable_from)
        async for record in in_chunks(list(inventory.accesses.values())):
            access = record.access
            if access.cluster in inventory.clusters or access.uid not in inventory.accesses:
                continue
            try:
                _publish_orphan(publisher, record, uuids, usable)
            except Exception as error:  # noqa: BLE001 - the barrier between one SearchAccess and all others
                caught(self._context.meter, access.cluster, "publish", error)
                again = True
        if again:
            asyncio.get_running_loop().call_later(START_AGAIN, inventory.changed.set)


def _publish_orphan(
    publisher: StatusPublisher,
    record: AccessRecord,
    uuids: Collection[str | None],
    usable: Callable[[str], Sequence[str]],
) -> None:
    """Publish that a SearchAccess's SearchCluster does not exist, or release it if nothing of it is left.

    Args:
        publisher: publishes its status.
        record: the SearchAccess.
        uuids: of the Elasticsearch clusters that have a SearchCluster.
        usable: returns the names of the SearchClusters that allow a namespace.
    """
    access = record.access
    if access.deleted_at and (not (had := record.status.elasticsearch) or had.cluster_uuid in uuids):
        # It never had a right, or has it where the SearchCluster that it came from takes it away.
        publisher.release(access)
        return
    failure = Failure(Reason.CLUSTER_NOT_FOUND, not_found(access.cluster, access.namespace, usable(access.namespace)))
    publisher.publish(AccessFacts(access, decide(access, OPEN), failure=failure))


async def run_until_stopped(host: Host, stop: asyncio.Event) -> None:
    """Run a host until an event is set, and what it was about to write then is written."""
    task = asyncio.create_task(host.run())
    waiter = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if not task.done():
        await host.wind_down()
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task
