"""The loop of one SearchCluster: when to look, how much to look at, and what to do when it does not answer."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from searchaccess.api.constants import FINALIZER
from searchaccess.api.durations import seconds
from searchaccess.api.reasons import Reason
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.exposure import allowed_exposures, find_exposures, hosts_of, refusal
from searchaccess.core.policy.decision import OPEN, decide
from searchaccess.core.status.access import Failure
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.credentials.reconcile import CredentialReconciler
from searchaccess.engine.inventory.records import Dirty
from searchaccess.engine.loop.check import Peers, check
from searchaccess.engine.loop.schedule import Schedule
from searchaccess.engine.replicas.ownership import NotHolder
from searchaccess.engine.rights.reconcile import RightsReconciler, RightsResult
from searchaccess.engine.state import ClusterState, Context, Scope, Session
from searchaccess.engine.status.publish import StatusPublisher, cluster_ref, publish_cluster, waits
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, NotPrivate

log = structlog.get_logger(__name__)

CLOSED_RETRY: Final = 5.0
"""Seconds between checks of a cluster that must not be touched."""

UNSURE_RETRY: Final = 1.0
"""Seconds between looks while it is not sure that no other replica has the cluster."""

DOUBT_AFTER: Final = 60.0
"""Seconds without contact after which every SearchAccess is told that its truth is not known."""


class Reconciler:
    """Keeps one Elasticsearch cluster as declared.

    Args:
        name: the SearchCluster's name.
        context: what all reconcilers share.
        connector: opens connections.
        peers: what is known of other clusters.
    """

    def __init__(self, name: str, context: Context, connector: Connector, peers: Peers) -> None:
        self._name = name
        self._context = context
        self._connector = connector
        self._peers = peers
        self._session: Session | None = None
        self._schedule = Schedule(context.clock)
        self._backoff = Backoff()
        self._failing_since: float | None = None
        self._doubted = False
        self._state = ClusterState()
        self._rights = RightsReconciler(context, name)
        self._keeper = CredentialReconciler(context, name, self._state)
        self._looks = 0
        self.busy_since: float | None = None
        """When the look that goes on began, by the monotonic clock; None: it rests."""
        self.looked_at = context.clock.monotonic()
        """When the last look began."""
        self.looked = asyncio.Event()
        """Set after the first step, whatever came of it."""

    @property
    def is_failing(self) -> bool:
        """Whether the last look did not come to an end, so that another one follows."""
        return self._failing_since is not None or self._state.closed is not None

    @property
    def state(self) -> ClusterState:
        """What is known of the cluster."""
        return self._state

    async def run(self) -> None:
        """Reconcile until cancelled, or until the SearchCluster is gone or another replica's."""
        try:
            while self._name in self._context.ownership.held(set(self._context.inventory.clusters)):
                self._looks += 1
                # What is logged meanwhile, by whomever, says to what it belongs.
                looking = self._context.meter.looking(self._name)
                with bound_contextvars(cluster=self._name, look=self._looks), looking:
                    await self.step()
                self.looked.set()
                await self._rest()
        finally:
            self.busy_since = None
            self.looked.set()
            await self._disconnect()

    async def step(self) -> None:
        """Do what is due now. Never raises for trouble outside; that shows in statuses and in the schedule."""
        record = self._context.inventory.clusters[self._name]
        cluster = record.cluster
        dirty = self._context.inventory.take_dirty(self._name)
        self._state.failure = None
        self._schedule.begin()
        self.looked_at = self.busy_since = self._context.clock.monotonic()
        everything = dirty.everything
        try:
            if cluster.spec is None:
                self._state.failure = Failure(Reason.INVALID_SPEC, cluster.invalid)
                self._publish_failure(self._state.failure, dirty)
                self._schedule.retry_in(DOUBT_AFTER)
            else:
                await self._look(cluster, cluster.spec, dirty)
                self._recovered()
        except NotHolder:
            # Nothing is wrong with the cluster: we go on when it is ours again, or never.
            self._put_back(dirty)
            self._schedule.retry_in(UNSURE_RETRY)
        except ExternalError as error:
            self._failed(error, dirty)
        publish_cluster(self._context, self._state, self._name, self._schedule.probe_state)
        failure = self._state.closed or self._state.failure
        taken, self.busy_since = self._context.clock.monotonic() - self.looked_at, None
        self._context.meter.looked(
            self._name,
            everything=everything or dirty.everything,
            seconds=taken,
            result=failure.reason if failure else "ok",
        )

    # Time

    async def _rest(self) -> None:
        """Wait until something is due, or something was declared."""
        event = self._context.inventory.dirty(self._name).event
        failing = self._failing_since is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay()):
                await event.wait()
                if not failing:
                    await self._settle()
        if failing:
            # News does not shorten the back-off; it is told what is wrong, and then waits with everything else.
            await self._while_failing()

    def _delay(self) -> float:
        delay = self._schedule.delay()
        waits = self._failing_since is not None or self._state.closed
        return delay if waits else min(delay, self._rights.delay(), self._keeper.delay())

    async def _while_failing(self) -> None:
        while self._schedule.delay() > 0:
            dirty = self._context.inventory.dirty(self._name)
            if dirty.cluster:
                return
            if dirty.principals and self._state.failure:
                self._publish_failure(self._state.failure, dirty)
            dirty.event.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._schedule.delay()):
                    await dirty.event.wait()

    async def _settle(self) -> None:
        """Let a burst of declarations arrive, so that one pass serves them all."""
        dirty = self._context.inventory.dirty(self._name)
        if dirty.cluster or dirty.everything:
            return
        quiet, longest = self._schedule.settling()
        end = self._context.clock.monotonic() + longest
        while self._context.clock.monotonic() < end:
            before = len(dirty.principals)
            await asyncio.sleep(min(quiet, end - self._context.clock.monotonic()))
            if len(dirty.principals) == before:
                return

    # Looking

    async def _look(self, cluster: Cluster, spec: SearchClusterSpec, dirty: Dirty) -> None:
        session = await self._connected(cluster, spec, dirty)
        if self._schedule.check_due() or dirty.cluster or self._state.closed or self._failing_since is not None:
            await self._check(session, dirty)
        everything = dirty.everything or self._schedule.sweep_due()
        if not self._state.closed and (everything or self._schedule.probe_due()):
            everything = await self._probe(session) or everything
            if self._schedule.check_due():
                await self._check(session, dirty)
        if self._state.closed:
            self._publish_failure(self._state.closed, None)
            if self._state.closed.reason is Reason.DUPLICATE_CLUSTER:
                self._leave_to_older(session)
            self._look_at_everything_later()
            self._schedule.retry_in(CLOSED_RETRY)
            return
        # Only from here on is there anything to clean up: one that never could be connected to can just be deleted.
        await self._ensure_cluster_finalizer(cluster)
        if everything or dirty.everything:
            await self._reconcile_rights(
                session, Scope(everything=True, principals=frozenset(dirty.principals), afresh=dirty.everything)
            )
        elif dirty.principals or self._rights.delay() <= 0:
            await self._reconcile_rights(session, Scope(principals=frozenset(dirty.principals)))
        everything = everything or dirty.everything
        await self._keeper.run(session, None if everything else dirty.credentials | self._keeper.due())
        if cluster.deleted_at:
            await self._let_cluster_go(session)

    async def _probe(self, session: Session) -> bool:
        """Say whether somebody else changed something since the last probe."""
        probe = await session.port.probe()
        operations, self._state.operations = self._state.operations, 0
        return self._schedule.probed(probe, operations)

    async def _reconcile_rights(self, session: Session, scope: Scope) -> None:
        started = self._context.clock.monotonic()
        try:
            result = await self._rights.reconcile(session, scope)
        except ExternalError:
            self._schedule.doubt()
            raise
        self._take(result)
        self._schedule.passed(everything=scope.everything, started=started, changed=result.changed)

    def _take(self, result: RightsResult) -> None:
        """Take over what is known of roles and role mappings."""
        state, mapping = self._state, result.mapping
        state.operations += result.operations
        state.trouble = result.trouble
        state.roles, state.user_roles, state.foreign = result.roles, result.user_roles, result.foreign
        state.mapping_conflict, state.mapping_drift, state.mapping_late = mapping.conflict, mapping.drift, mapping.late
        state.mapping_adopted = mapping.adopted or state.mapping_adopted

    async def _connected(self, cluster: Cluster, spec: SearchClusterSpec, dirty: Dirty) -> Session:
        """Connect, or connect anew: where the SearchCluster or what its Secrets have is another, and after trouble."""
        session = self._session
        if session is not None and (self._failing_since is not None or not _same_spec(session.cluster, cluster)):
            session = None
        if session is None or self._schedule.check_due():
            connection = await self._connector.find(spec)
            await self._expect_private(spec, connection)
        else:
            connection = session.connection
        if session is not None and connection == session.connection:
            session.cluster = cluster
            return session
        await self._disconnect()
        port = await self._connector.open(connection, self._name)
        self._session = Session(cluster, connection, port, self._state)
        self._schedule.configure(seconds(spec.drift.probe_every), seconds(spec.drift.sweep_every))
        dirty.cluster = True
        return self._session

    async def _expect_private(self, spec: SearchClusterSpec, connection: Connection) -> None:
        """Look whether others could listen, before the login is sent.

        Raises:
            NotPrivate: they could, and nobody allowed that.
        """
        hosts = hosts_of(connection)
        found = await asyncio.gather(*(self._connector.resolve(host) for host in hosts))
        exposed = find_exposures(connection, dict(zip(hosts, found, strict=True)))
        self._state.url = connection.urls[0]
        # What cannot be looked up now cannot be connected to either, but it is not known to be private.
        self._state.exposed = exposed if exposed or all(found) else None
        if refused := refusal(exposed, allowed_exposures(spec)):
            await self._disconnect()
            raise NotPrivate(refused)

    async def _disconnect(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.port.close()

    async def _ensure_cluster_finalizer(self, cluster: Cluster) -> None:
        if cluster.has_finalizer or cluster.deleted_at:
            return
        after = (*cluster.finalizers, FINALIZER)
        version = await self._context.kubernetes.set_finalizers(cluster_ref(cluster), cluster.finalizers, after)
        self._context.inventory.wrote(cluster.uid, version)
        record = self._context.inventory.clusters.get(self._name)
        if record:
            record.cluster = replace(record.cluster, finalizers=after)

    async def _check(self, session: Session, dirty: Dirty) -> None:
        if session.cluster.wanted_realm is None:
            return
        known = self._context.inventory.clusters.get(self._name)
        recalled = known.status.get("uuid", "") if known else ""
        if await check(session, session.cluster.wanted_realm, recalled, self._peers):
            dirty.everything = True
        self._schedule.checked(well=self._state.closed is None and self._state.verdict.grants)

    async def _let_cluster_go(self, session: Session) -> None:
        """Remove what is ours when a SearchCluster is deleted, once nobody uses it any more."""
        users = sum(1 for record in self._context.inventory.of_cluster(self._name) if not record.confirmed)
        if users:
            self._state.failure = Failure(Reason.IN_USE, f"{users} SearchAccesses still use this SearchCluster")
            return
        # Roles that nobody declares go too: nobody looks for them later.
        await self._reconcile_rights(session, Scope(everything=True))
        await self._rights.remove_mappings(session)
        self._drop_finalizer(session.cluster)
        self._schedule.rest()

    def _leave_to_older(self, session: Session) -> None:
        """Let go what is deleted here: in this Elasticsearch, the older SearchCluster takes it for orphans."""
        inventory, uuid = self._context.inventory, self._state.facts.uuid if self._state.facts else ""
        leaving = [
            record
            for record in inventory.of_cluster(self._name)
            if record.access.deleted_at and (record.status.get("elasticsearch") or {}).get("clusterUuid", uuid) == uuid
        ]
        for record in leaving:
            StatusPublisher(self._context, self._state).release(record.access)
        if leaving:
            inventory.mark_cluster(self._peers.older_with_uuid(session.cluster, uuid), everything=True)
        if session.cluster.deleted_at and len(leaving) == inventory.count(self._name):
            self._drop_finalizer(session.cluster)

    def _drop_finalizer(self, cluster: Cluster) -> None:
        after = tuple(item for item in cluster.finalizers if item != FINALIZER)
        self._context.outbox.put_finalizers(cluster_ref(cluster), cluster.finalizers, after)

    # Trouble

    def _recovered(self) -> None:
        if self._failing_since is not None:
            log.info("cluster answers again")
        self._backoff.reset()
        self._failing_since = None
        self._doubted = False

    def _failed(self, error: ExternalError, dirty: Dirty) -> None:
        now = self._context.clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            log.warning("cluster failing", reason=error.reason, error=error.message)
        delay = self._backoff.next()
        self._schedule.retry_in(delay)
        failure = Failure(error.reason, error.message)
        self._state.failure = failure
        doubt = now - self._failing_since >= DOUBT_AFTER and not self._doubted
        if doubt:
            self._doubted = True
            dirty.everything = True
        self._publish_failure(failure, None if doubt else dirty)
        self._put_back(dirty)

    def _put_back(self, dirty: Dirty) -> None:
        for principal in dirty.principals:
            self._context.inventory.mark(self._name, principal)
        for uid in dirty.credentials:
            self._context.inventory.mark_credential(self._name, uid)
        if dirty.everything:
            self._look_at_everything_later()

    def _look_at_everything_later(self) -> None:
        """When it goes on, look at everything: all were told of the trouble, and news was not looked at."""
        self._context.inventory.dirty(self._name).everything = True

    def _publish_failure(self, failure: Failure, dirty: Dirty | None) -> None:
        """Tell SearchAccesses what is wrong with the cluster: all of them (None), or those that wait for something."""
        inventory, state = self._context.inventory, self._state
        if dirty is None:
            records = list(inventory.of_cluster(self._name))
        elif dirty.everything:
            records = [record for record in inventory.of_cluster(self._name) if waits(record)]
        else:
            of_principals = [
                record for principal in dirty.principals for record in inventory.of_principal(self._name, principal)
            ]
            keyed = [record for record in inventory.keyed(self._name) if record.access.uid in dirty.credentials]
            records = [record for record in (*of_principals, *keyed) if waits(record)]
        told = [(record, decide(record.access, OPEN)) for record in records]
        StatusPublisher(self._context, state).publish_failure(told, failure)


def _same_spec(one: Cluster, other: Cluster) -> bool:
    return (one.uid, one.generation) == (other.uid, other.generation)
