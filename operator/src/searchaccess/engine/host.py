"""Runs a reconciler for each SearchCluster, and keeps the inventory complete."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.notfound import not_found
from searchaccess.core.policy.decision import OPEN, decide
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.barrier import Place, caught
from searchaccess.engine.catchup import CatchUp
from searchaccess.engine.health import Health
from searchaccess.engine.identities.follow import LEAST_SEEN, Identities
from searchaccess.engine.inventory.namespaces import NamespaceLabels
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.lister import RESYNC_PERIOD, Lister
from searchaccess.engine.loop.check import Peers, duplicated
from searchaccess.engine.loop.reconciler import Reconciler
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.engine.state import ClusterState, Context
from searchaccess.engine.status.policies import BRIEFLY, SETTLE, PolicyStatuses
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import WaitingError

RESTART_AFTER: Final = 5.0
"""Seconds after which what an internal error prevented is retried: a reconciler's start, or a status."""
STEPS_TIMEOUT: Final = 4.0
STATUSES_TIMEOUT: Final = 1.0
"""Seconds that a shutdown waits for writes to Elasticsearch and stores, and then for statuses. Of the ten seconds that
Cloud Run allows, three remain for releasing Leases."""


@dataclass(slots=True)
class _Running:
    reconciler: Reconciler
    task: asyncio.Task[None]
    owned_since: float
    """When this replica acquired the SearchCluster, in monotonic seconds."""


class Host:
    """All reconcilers of one process.

    Args:
        context: what they share.
        connector: opens connections to clusters.
        resync_period: seconds between full lists.
        run_leases: divides clusters among replicas until cancelled; None: there is one replica.
        only: the SearchClusters to reconcile; empty: all.
        short_lived: the process ends by itself, so it does not wait for a person to grant what its first list lacks.
    """

    def __init__(
        self,
        context: Context,
        connector: Connector,
        resync_period: float = RESYNC_PERIOD,
        run_leases: Callable[[], Coroutine[Any, Any, None]] | None = None,
        only: Collection[str] = (),
        *,
        short_lived: bool = False,
    ) -> None:
        self._short_lived = short_lived
        self._only = frozenset(only)
        self._run_leases = run_leases
        self._context = context
        self._connector = connector
        self._running: dict[str, _Running] = {}
        self._shutting_down = False
        self._lister = Lister(context, resync_period)
        self._labels = NamespaceLabels(context.inventory, context.kubernetes, context.meter)
        self._catch_up = CatchUp(self._lister, self._labels, context.clock)
        self.policies = PolicyStatuses(context, BRIEFLY if short_lived else SETTLE)
        self.listed = asyncio.Event()
        """Set when the inventory is complete for the first time."""
        self.health = Health(context, self._lister, self.listed, self.reconcilers)
        self._catching_up: asyncio.Task[None] | None = None
        """Lists again because this replica acquired what belongs to no SearchCluster."""

    async def run(self) -> None:
        """Run until cancelled. Internal errors do not end it: the affected part is restarted.

        Raises:
            WaitingError: the first list was refused for longer than a new right takes to spread, and the process is
                short-lived.
        """
        # An object that was not read yet is no orphan: nothing is decided before.
        context = self._context
        await self._catch_up.until(context.clock.monotonic(), WaitingError if self._short_lived else ())
        parts: dict[Place, Callable[[], Awaitable[None]]] = {
            "write statuses": context.outbox.run,
            "list": self._lister.run,
            "namespaces": self._labels.run,
            "identities": self._identities().run,
            "policies": self._judge_again,
            "policy statuses": self.policies.run,
            "judgments": self._context.inventory.finish_judgments,
            "time boxes": self._judge_in_time,
            "approvals": self._lister.vouching.run,
        }
        if self._run_leases:
            parts["renew leases"] = self._run_leases
        try:
            async with asyncio.TaskGroup() as group:
                for place, run in parts.items():
                    group.create_task(self._run_forever(place, run))
                self._start_missing(group)
                self.listed.set()
                group.create_task(self._run_forever("supervise", lambda: self._supervise(group)))
        finally:
            self._running.clear()

    async def _run_forever(self, place: Place, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part forever; restart it with back-off after an internal error."""
        backoff = Backoff()
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - the barrier between an internal error and the process
                caught(self._context.meter, "", place, error)
            await asyncio.sleep(backoff.next())

    def _identities(self) -> Identities:
        context = self._context
        # A short-lived process cannot see for long that something is missing: it relies on the status.
        least_seen = 0.0 if self._short_lived else LEAST_SEEN
        return Identities(context.inventory, context.google, context.clock, context.meter, least_seen)

    async def first_reconciles(self) -> None:
        """Wait until every listed cluster has been reconciled once, whatever the result."""
        await self.listed.wait()
        for running in list(self._running.values()):
            await running.reconciler.reconciled.wait()

    def watch_started(self) -> None:
        """Record that the event source starts to watch, or restarts: list soon.

        What was deleted between our last list and its own left no event.
        """
        self.health.watching = True
        self._context.inventory.relist.set()

    def reconcilers(self) -> dict[str, Reconciler]:
        """Return the running reconcilers by SearchCluster."""
        return {name: running.reconciler for name, running in self._running.items()}

    async def shut_down(self) -> None:
        """Start no new uninterruptible steps, and wait briefly for running ones and for statuses."""
        await self._context.steps.close(STEPS_TIMEOUT)
        self._shutting_down = True
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            # Each reports what it did as it ends.
            await asyncio.wait(tasks, timeout=STATUSES_TIMEOUT)
        with suppress(TimeoutError):
            async with asyncio.timeout(STATUSES_TIMEOUT):
                await self._context.outbox.drained()

    async def _judge_again(self) -> None:
        inventory = self._context.inventory
        while True:
            await inventory.policies.due()
            await inventory.judge_all()

    async def _judge_in_time(self) -> None:
        while True:
            await self._context.inventory.judge_due()

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
                    # Recreated: what is known about the earlier object does not hold for this one.
                    running.task.cancel()
                elif record and not self._was_ours_since(name, running.owned_since):
                    self._stop_reconciler(name)
            if self._context.ownership.holds_common():
                await self._serve_common(group)
            await inventory.changed.wait()

    def _was_ours_since(self, name: str, since: float) -> bool:
        """Return whether this replica has owned a SearchCluster all the time since it acquired it then."""
        return self._is_ours(name) and self._context.ownership.owned_since(name) == since

    async def _serve_common(self, group: asyncio.TaskGroup) -> None:
        """Publish what belongs to no SearchCluster, or first list again what the former owner knew."""
        since = self._context.ownership.owns_common_since()
        if self._catch_up.has(since):
            self.policies.own_since(since)
            await self._publish_without_cluster()
        elif self._catching_up is None or self._catching_up.done():
            self._catching_up = group.create_task(self._catch_up_on_common(since))

    async def _catch_up_on_common(self, since: float) -> None:
        changed = self._context.inventory.changed
        try:
            await self._catch_up.until(since)
        except Exception as error:  # noqa: BLE001 - the barrier between an internal error and the process
            caught(self._context.meter, "", "list", error)
            asyncio.get_running_loop().call_later(RESTART_AFTER, changed.set)
        else:
            changed.set()

    def _start_missing(self, group: asyncio.TaskGroup) -> None:
        for name, record in self._context.inventory.clusters.items() if not self._shutting_down else ():
            if name not in self._running and self._is_ours(name):
                try:
                    peers = Peers(self._older_with_uuid, self._younger_with_uuid)
                    reconciler = Reconciler(record.cluster, self._context, self._connector, peers)
                except Exception as error:  # noqa: BLE001 - the barrier between one cluster and all others
                    caught(self._context.meter, name, "reconciler", error)
                    asyncio.get_running_loop().call_later(RESTART_AFTER, self._context.inventory.changed.set)
                    continue
                since = self._context.ownership.owned_since(name)
                task = group.create_task(self._keep_running(name, reconciler, since))
                self._running[name] = _Running(reconciler, task, since)

    async def _keep_running(self, name: str, reconciler: Reconciler, since: float) -> None:
        """Run a reconciler; after an internal error it restarts, and no other cluster is affected.

        Args:
            name: of the SearchCluster.
            reconciler: its reconciler.
            since: when this replica acquired it: until then, another may have written there.
        """
        backoff = Backoff()
        try:
            while self._was_ours_since(name, since) and reconciler.is_current():
                try:
                    await self._catch_up.until(since)
                    await reconciler.run(since)
                except Exception as error:  # noqa: BLE001 - the last barrier between one cluster and all others
                    caught(self._context.meter, name, "reconciler", error)
                    # Whatever it was about to do, it restarts with a full reconcile.
                    self._context.inventory.marks.mark_full(name)
                    await asyncio.sleep(backoff.next())
        finally:
            self._context.inventory.changed.set()

    def _is_ours(self, name: str) -> bool:
        wanted = {name} & self._context.inventory.clusters.keys()
        return bool(self._context.ownership.held(wanted & self._only if self._only else wanted))

    def is_busy(self) -> bool:
        """Return whether there is work to do that is not waiting for a retry.

        It is called many times a second, so its cost must not grow with the number of SearchAccesses.
        """
        inventory = self._context.inventory
        ours = {name for name in inventory.clusters if self._is_ours(name)}
        if not ours <= self._running.keys() or self._context.outbox.is_busy:
            return True
        if self._short_lived and self.policies.is_due:
            return True
        if inventory.policies.judgments.is_open:
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

    def _stop_reconciler(self, name: str) -> None:
        """Stop reconciling a SearchCluster that another replica owns, and write nothing more about it."""
        inventory = self._context.inventory
        uids = {record.access.uid for record in inventory.of_cluster(name)}
        if name in inventory.clusters:
            uids.add(inventory.clusters[name].cluster.uid)
        self._context.outbox.drop(uids)
        inventory.forget_aliases(name)
        self._running[name].task.cancel()

    async def stop_working(self, name: str) -> None:
        """Stop reconciling a SearchCluster; return when all work on it has ended."""
        running = self._running.get(name)
        if running is None:
            return
        self._stop_reconciler(name)
        await asyncio.wait({running.task})

    def _younger_with_uuid(self, cluster: Cluster, uuid: str) -> str:
        for name, record in self._context.inventory.clusters.items():
            if record.cluster.deleted_at or (record.cluster.created_at, name) <= (cluster.created_at, cluster.name):
                continue
            running = self._running.get(name)
            facts = running.reconciler.state.facts if running else None
            # One of another replica has it in its status: it stopped because of ours.
            if (facts.uuid if facts else duplicated(record.status)) == uuid:
                return name
        return ""

    def _older_with_uuid(self, cluster: Cluster, uuid: str) -> str:
        for name, record in self._context.inventory.clusters.items():
            if name == cluster.name:
                continue
            running = self._running.get(name)
            # After a restart the younger one may be first, or another replica has it: then the status has the uuid.
            if uuid != ((running.reconciler.state.uuid if running else "") or record.status.uuid):
                continue
            if (record.cluster.created_at, name) < (cluster.created_at, cluster.name):
                return name
        return ""

    async def _publish_without_cluster(self) -> None:
        """Publish that their SearchCluster does not exist on SearchAccesses without one."""
        inventory = self._context.inventory
        uuids = {record.status.uuid for record in inventory.clusters.values()}
        publisher, again, usable = (
            StatusPublisher(self._context, ClusterState()),
            False,
            cache(inventory.namespaces.usable_from),
        )
        async for record in inventory.one_by_one():
            access = record.access
            if access.cluster in inventory.clusters or access.uid not in inventory.accesses:
                continue
            try:
                _publish_orphan(publisher, record, uuids, usable)
            except Exception as error:  # noqa: BLE001 - the barrier between one SearchAccess and all others
                caught(self._context.meter, access.cluster, "publish", error)
                again = True
        if again:
            asyncio.get_running_loop().call_later(RESTART_AFTER, inventory.changed.set)


def _publish_orphan(
    publisher: StatusPublisher,
    record: AccessRecord,
    uuids: Collection[str | None],
    usable: Callable[[str], Sequence[str]],
) -> None:
    """Publish that a SearchAccess's SearchCluster does not exist, or release it if it has nothing left.

    Args:
        publisher: publishes its status.
        record: the SearchAccess.
        uuids: of the Elasticsearch clusters that have a SearchCluster.
        usable: returns the names of the SearchClusters that allow a namespace.
    """
    access = record.access
    if access.deleted_at and (not (had := record.status.elasticsearch) or had.cluster_uuid in uuids):
        # It never had rights, or has them where its earlier SearchCluster revokes them.
        publisher.release(access)
        return
    failure = Failure(Reason.CLUSTER_NOT_FOUND, not_found(access.cluster, access.namespace, usable(access.namespace)))
    publisher.publish(AccessFacts(access, decide(access, OPEN), failure=failure))


async def run_until_stopped(host: Host, stop: asyncio.Event) -> None:
    """Run a host until an event is set, then flush pending writes."""
    task = asyncio.create_task(host.run())
    waiter = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if not task.done():
        await host.shut_down()
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task
