"""The loop of one SearchCluster: what is due, its scope, and what to do after a failure."""

import asyncio
from dataclasses import replace
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.api.times.durations import seconds
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.ownership.takeover import problem_of
from searchaccess.core.status.access import Failure
from searchaccess.engine.barrier import caught
from searchaccess.engine.beside import Beside
from searchaccess.engine.concurrency.tasks import with_background
from searchaccess.engine.credentials.reconcile import CredentialReconciler
from searchaccess.engine.gateway.meanwhile import reconcile_meanwhile
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.inventory.marks import Dirty
from searchaccess.engine.loop.background import Background
from searchaccess.engine.loop.check import Peers, know_login
from searchaccess.engine.loop.checker import Checker
from searchaccess.engine.loop.deletion import Deletion
from searchaccess.engine.loop.failures import UNKNOWN_AFTER, FailureReporter, failed, should_report_unknown
from searchaccess.engine.loop.link import Link
from searchaccess.engine.loop.results import record_credentials, record_rights
from searchaccess.engine.loop.schedule import Schedule
from searchaccess.engine.loop.waiting import Waiting
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.engine.rights.reconcile import RightsReconciler
from searchaccess.engine.state import Closed, ClusterState, Context, Failing, Healthy, Scope, Session
from searchaccess.engine.status.publish import publish_cluster
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, NotHolder, TransientError

log = structlog.get_logger(__name__)

CLOSED_RETRY: Final = 5.0
"""Seconds between checks of a closed cluster."""

OWNERSHIP_RETRY: Final = 1.0
"""Seconds between tries while the owner of the cluster is not known for certain."""


class Reconciler:
    """Reconciles one Elasticsearch cluster, as long as one SearchCluster object exists.

    Args:
        cluster: the SearchCluster. A recreated one of the same name gets another reconciler.
        context: what all reconcilers share.
        connector: opens connections.
        peers: other SearchClusters.
    """

    def __init__(self, cluster: Cluster, context: Context, connector: Connector, peers: Peers) -> None:
        self.uid = cluster.uid
        self._name = cluster.name
        self._context = context
        self._peers = peers
        self.state = ClusterState()
        """What is known about the cluster."""
        self._link = Link(connector, self.state)
        self._schedule = Schedule(context.clock)
        self._checker = Checker(context, cluster, self.state, self._schedule, peers)
        self._backoff = Backoff()
        self._rights = RightsReconciler(context, cluster.name)
        self._credentials = CredentialReconciler(context, cluster.name, self.state)
        self._gateway = GatewayReconciler(context, cluster.name, self.state)
        self.reconciled = asyncio.Event()
        """Set after the first reconcile, whatever its result."""
        beside = Beside(
            context,
            cluster.name,
            self.state,
            connector,
            current=lambda: self._link.current,
            begun=self.reconciled.is_set,
            publish=self._publish_cluster,
        )
        self._background = Background(beside, self._gateway)
        self._failures = FailureReporter(context, cluster.name, self.state)
        self._deletion = Deletion(context)
        self._waiting = Waiting(context, cluster.name, self.state, self._schedule, self._failures)
        self._number = 0
        self._ownership_unknown = False
        """Whether the last reconcile found that another replica may own the cluster."""
        self.busy_since: float | None = None
        """When the running reconcile began, by the monotonic clock; None: none is running."""
        self.began_at = context.clock.monotonic()
        """When the last reconcile began."""

    @property
    def is_failing(self) -> bool:
        """Whether the last reconcile did not complete, so that a retry follows."""
        return not isinstance(self.state.health, Healthy)

    @property
    def is_isolating(self) -> bool:
        """Whether it still isolates which SearchAccesses Elasticsearch refuses."""
        return self._rights.is_isolating

    @property
    def is_proving(self) -> bool:
        """Whether new queries are still being tried, or last uses read."""
        return self._background.is_busy

    async def run(self, since: float) -> None:
        """Reconcile until cancelled, or until the SearchCluster is gone, recreated, or was owned by another replica.

        Args:
            since: when this replica acquired it: what was declared until then is known.
        """
        former = self._context.inventory.former
        former.begin(self._name)
        try:
            await with_background(self._loop(since), self._background.run())
        finally:
            self.busy_since = None
            self.reconciled.set()
            former.end(self._name)
            await self._link.close()

    async def _loop(self, since: float) -> None:
        ownership = self._context.ownership
        while self.is_current() and ownership.held({self._name}) and ownership.owned_since(self._name) == since:
            self._number += 1
            # All log lines of a reconcile have these fields.
            reconciling = self._context.meter.reconciling(self._name)
            with bound_contextvars(cluster=self._name, reconcile=self._number), reconciling:
                await self.step()
            self.reconciled.set()
            self._background.wake()
            await self._waiting.wait(self._delay(), ownership_unknown=self._ownership_unknown)

    def is_current(self) -> bool:
        """Return whether its SearchCluster still exists."""
        return self._cluster() is not None

    def _cluster(self) -> Cluster | None:
        """Return the SearchCluster as it is declared now; None: it is gone or was recreated."""
        record = self._context.inventory.clusters.get(self._name)
        return record.cluster if record and record.cluster.uid == self.uid else None

    # One reconcile

    async def step(self) -> None:
        """Reconcile what is due now. A failure shows in statuses, and what was dirty stays dirty."""
        fault = await self._settle_principals()
        cluster, dirty = self._cluster(), self._context.inventory.marks.take_dirty(self._name)
        if cluster is None:
            return
        self._schedule.begin()
        self._ownership_unknown = False
        self.began_at = self.busy_since = self._context.clock.monotonic()
        full = dirty.full
        try:
            await self._reconcile_unless(fault, cluster, dirty)
            self._recovered()
        except NotHolder:
            # Nothing is wrong with the cluster: continue if this replica owns it again.
            self._context.inventory.marks.put_back(self._name, dirty)
            self._schedule.retry_in(OWNERSHIP_RETRY)
            self._ownership_unknown = True
        except ExternalError as error:
            await self._failed(Failure(error.reason, error.message), dirty)
        except Exception as error:  # noqa: BLE001 - the barrier between an internal error and everybody else
            await self._failed(caught(self._context.meter, self._name, "reconcile", error), dirty, fault=True)
        self._publish_cluster()
        problem = self.state.problem if self.is_failing else None
        taken, self.busy_since = self._context.clock.monotonic() - self.began_at, None
        result = problem.reason if problem else "ok"
        self._context.meter.reconciled(self._name, full=full or dirty.full, seconds=taken, result=result)

    async def _settle_principals(self) -> Exception | None:
        """Recompute principals before the dirty items are taken. Return the internal error that prevented it."""
        try:
            await self._context.inventory.settle(self._name)
        except Exception as error:  # noqa: BLE001 - caught and published by the caller
            return error
        return None

    async def _reconcile_unless(self, fault: Exception | None, cluster: Cluster, dirty: Dirty) -> None:
        if fault is not None:
            raise fault
        await self.reconcile(cluster, dirty)

    async def reconcile(self, cluster: Cluster, dirty: Dirty) -> None:
        """Observe, plan, apply and report rights, the gateway and credentials.

        Args:
            cluster: the SearchCluster.
            dirty: what changed since the last reconcile; extended by what turns out to be necessary.

        Raises:
            ExternalError: the cluster as a whole could not be read or written.
        """
        if cluster.spec is None:
            reason = Reason.INTERNAL_ERROR if cluster.fault else Reason.INVALID_SPEC
            await self._close(Failure(reason, cluster.fault or cluster.invalid), retry=UNKNOWN_AFTER)
            return
        if wrong := problem_of(self._context.operator.installation, cluster.taken_over):
            await self._close(Failure(Reason.INVALID_SPEC, wrong), retry=UNKNOWN_AFTER)
            return
        session = await self._connect(cluster, cluster.spec, dirty)
        checked = await self._checker.check_if_due(session, dirty)
        scope = await self._scope(session, dirty, checked=checked)
        if isinstance(self.state.health, Closed):
            await self._publish_closed(session, self.state.health.failure)
            return
        # Only from here on is there anything to clean up: one that never connected needs no finalizer.
        await self._deletion.ensure_finalizer(cluster)
        await self._background.queries.read_aliases(session)
        await self._reconcile_wings(session, scope)
        if cluster.deleted_at:
            await self._finish_deletion(session)

    async def _reconcile_wings(self, session: Session, scope: Scope) -> None:
        """Reconcile roles and the gateway, then credentials: a failure in one of them does not block the others."""
        await self._gateway.begin(session)
        beside, known = session.cluster.gateway is not None, await self._gateway.knows_callers(session)
        rights = self._try_rights(session, scope)
        if beside and known:
            rights = reconcile_meanwhile(self._gateway, session, scope, self._background.watcher.reconciled, rights)
        trouble = await rights
        record_credentials(self.state, await self._credentials.reconcile(session, scope))
        if known or trouble is None:
            # Limits of those whose rights just ended; without a gateway, the objects of a former one.
            await self._gateway.reconcile(session, Scope() if beside and known else scope)
        if trouble is not None:
            raise trouble
        if scope.full:
            self._context.inventory.former.read_completely(self._name)

    async def _try_rights(self, session: Session, scope: Scope) -> Exception | None:
        """Reconcile roles; return what failed, unless everything else would fail too.

        Raises:
            TransientError: there is no response, or another replica owns the cluster.
        """
        try:
            await self._reconcile_rights(session, scope)
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 - raised by the caller, after the others
            return error
        return None

    async def _reconcile_rights(self, session: Session, scope: Scope) -> None:
        if not (
            scope.full or scope.principals or self._rights.delay() <= 0 or self._rights.has_pending_revocation(session)
        ):
            return
        started = self._context.clock.monotonic()
        with self._schedule.reread_on_error():
            result = await self._rights.reconcile(session, scope)
        record_rights(self.state, result)
        if self.state.is_denied:
            self._schedule.check_again()
        self._schedule.reconciled(full=scope.full, started=started, changed=result.changed)

    async def _connect(self, cluster: Cluster, spec: SearchClusterSpec, dirty: Dirty) -> Session:
        before = self._link.current
        reconnect, recheck = isinstance(self.state.health, Failing), self._schedule.check_due()
        session = await self._link.session(cluster, spec, reconnect=reconnect, recheck=recheck)
        if session is not before:
            self._schedule.configure(seconds(spec.drift.probe_every), seconds(spec.drift.sweep_every))
            dirty.cluster = True
        return session

    async def _scope(self, session: Session, dirty: Dirty, *, checked: bool) -> Scope:
        """Return the scope: what is dirty, or all, because a sweep is due or somebody changed something."""
        full = dirty.full or self._schedule.sweep_due()
        if not isinstance(self.state.health, Closed) and (full or self._schedule.probe_due()):
            probe = await session.port.probe()
            operations, self.state.operations = self.state.operations, 0
            full = self._schedule.probed(probe, operations) or full
            self.state.foreign_writes += self._schedule.take_foreign_writes()
            self.state.reads_are_settled = self._schedule.is_settled
            if self._schedule.check_due():
                await self._checker.check(session, dirty)
        # What is due stays due until it is done, whatever happens to this reconcile.
        include_settled, dirty.full = dirty.full, full or dirty.full
        if full and not checked and self.state.login_may_gain_rights and not isinstance(self.state.health, Closed):
            # The change may concern the login's role.
            await know_login(session)
        principals, credentials = frozenset(dirty.principals), frozenset(dirty.credentials)
        return Scope(dirty.full, principals, credentials, include_settled=include_settled)

    async def _finish_deletion(self, session: Session) -> None:
        """Remove what is ours from a deleted SearchCluster once no SearchAccess uses it any more."""
        self.state.waiting = self._deletion.remaining_users(session.cluster)
        successor = self._peers.younger_with_uuid(session.cluster, self.state.uuid)
        if self.state.waiting is None and successor:
            self.state.waiting = await self._deletion.hand_over(session, successor, self._gateway)
            self._schedule.wait_for_probe()
            return
        if self.state.waiting is None:
            self.state.waiting = self._deletion.remaining_movers(session.cluster)
        if self.state.waiting is None:
            # Undeclared roles and keys go too: there is no later reconcile.
            await self._reconcile_rights(session, Scope(full=True))
            left = await self._credentials.reconcile(session, Scope(full=True, include_settled=True))
            record_credentials(self.state, left)
            if left.failing or self.state.trouble:
                text = "rights that nobody declares any more could not be revoked yet"
                self.state.waiting = self.state.trouble or Failure(Reason.IN_USE, text)
                return
            self.state.waiting = self._deletion.unseen_left(self.state)
            if self.state.waiting is not None:
                return
            await self._gateway.remove(session)
            await self._rights.remove_mappings(session)
            self._deletion.drop_finalizer(session.cluster)
            self._schedule.wait_for_probe()

    # Failures

    async def _close(self, failure: Failure, retry: float) -> None:
        """Write nothing, and report that on every SearchAccess."""
        self.state.health = Closed(failure)
        # A full reconcile follows: all statuses report the failure, and dirty items were not reconciled.
        self._context.inventory.marks.dirty(self._name).full = True
        self._schedule.retry_in(retry)
        await self._failures.publish_to_all(failure)

    async def _publish_closed(self, session: Session, failure: Failure) -> None:
        await self._close(failure, CLOSED_RETRY)
        if failure.reason is Reason.DUPLICATE_CLUSTER:
            uuid = self.state.facts.uuid if self.state.facts else ""
            older = self._peers.older_with_uuid(session.cluster, uuid)
            if self._deletion.is_handing_over(older):
                await self._deletion.ensure_finalizer(session.cluster)
            await self._deletion.release_to_older(session, older)

    def _recovered(self) -> None:
        self._backoff.reset()
        if isinstance(self.state.health, Failing):
            log.info("cluster recovered")
            self.state.health = Healthy()

    async def _failed(self, failure: Failure, dirty: Dirty, *, fault: bool = False) -> None:
        now = self._context.clock.monotonic()
        health = failed(self.state.health, failure, now, fault=fault)
        if health.times == 1:
            log.warning("cluster failing", reason=failure.reason, error=failure.message)
        report_unknown = should_report_unknown(health, now)
        self.state.health = replace(health, reported_unknown=health.reported_unknown or report_unknown)
        if report_unknown:
            dirty.full = True
        self._schedule.retry_in(self._backoff.next())
        self._context.inventory.marks.put_back(self._name, dirty)
        if report_unknown:
            await self._failures.publish_to_all(failure)
        else:
            await self._failures.publish_to_waiting(failure, dirty)

    def _publish_cluster(self) -> None:
        if self._cluster() is None:
            return
        try:
            publish_cluster(self._context, self.state, self._name, self._schedule.probe_state)
        except Exception as error:  # noqa: BLE001 - the cluster is reconciled even if its status fails
            self.state.trouble = caught(self._context.meter, self._name, "publish", error)

    def _delay(self) -> float:
        delay = self._schedule.delay()
        subsystems = (self._rights, self._credentials, self._gateway)
        return delay if self.is_failing else min(delay, *(each.delay() for each in subsystems))
