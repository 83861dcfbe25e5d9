"""The loop of one SearchCluster: what is due, how much of it, and what to do when it fails."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog
from structlog.contextvars import bound_contextvars

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.api.durations import seconds
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.ownership.takeover import problem_of
from searchaccess.core.status.access import Failure
from searchaccess.core.status.credential import epoch
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.barrier import caught
from searchaccess.engine.credentials.reconcile import CredentialReconciler, CredentialResult
from searchaccess.engine.inventory.marks import Dirty
from searchaccess.engine.loop.check import Peers, check, has_changed, know_login
from searchaccess.engine.loop.farewell import Farewell
from searchaccess.engine.loop.link import Link
from searchaccess.engine.loop.proving import Prover
from searchaccess.engine.loop.schedule import Schedule
from searchaccess.engine.loop.trouble import DOUBT_AFTER, Trouble, doubts, failed
from searchaccess.engine.rights.beside.proofs import QueryProver
from searchaccess.engine.rights.reconcile import RightsReconciler, RightsResult
from searchaccess.engine.state import Closed, ClusterState, Context, Failing, Fine, Scope, Session
from searchaccess.engine.status.publish import cluster_ref, publish_cluster
from searchaccess.engine.tasks import beside
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import ExternalError, NotHolder, TransientError

log = structlog.get_logger(__name__)

CLOSED_RETRY: Final = 5.0
"""Seconds between checks of a cluster that must not be touched."""

UNSURE_RETRY: Final = 1.0
"""Seconds between tries while it is not sure that no other replica has the cluster."""


class Reconciler:
    """Keeps one Elasticsearch cluster as declared, for the life of one SearchCluster object.

    Args:
        cluster: the SearchCluster. Another one of its name, recreated, is another reconciler's.
        context: what all reconcilers share.
        connector: opens connections.
        peers: what is known of other clusters.
    """

    def __init__(self, cluster: Cluster, context: Context, connector: Connector, peers: Peers) -> None:
        self.uid = cluster.uid
        self._name = cluster.name
        self._context = context
        self._peers = peers
        self.state = ClusterState()
        """What is known of the cluster."""
        self._link = Link(connector, self.state)
        self._schedule = Schedule(context.clock)
        self._prover = Prover(context.clock)
        self._backoff = Backoff()
        self._rights = RightsReconciler(context, cluster.name)
        self._queries = QueryProver(context, cluster.name, self.state, self._open_session)
        self._credentials = CredentialReconciler(context, cluster.name, self.state)
        self._trouble = Trouble(context, cluster.name, self.state)
        self._farewell = Farewell(context)
        self._number = 0
        self._unsure = False
        """Whether another replica may have the cluster, as the last reconcile found."""
        self.busy_since: float | None = None
        """When the reconcile that goes on began, by the monotonic clock; None: it rests."""
        self.began_at = context.clock.monotonic()
        """When the last reconcile began."""
        self.reconciled = asyncio.Event()
        """Set after the first reconcile, whatever came of it."""

    @property
    def is_failing(self) -> bool:
        """Whether the last reconcile did not come to its end, so that another one follows by itself."""
        return not isinstance(self.state.health, Fine)

    @property
    def is_isolating(self) -> bool:
        """Whether it is still finding out which SearchAccesses Elasticsearch refuses."""
        return self._rights.is_isolating

    @property
    def is_proving(self) -> bool:
        """Whether it is still having Elasticsearch try queries that are new."""
        return self._queries.is_busy

    def _open_session(self) -> Session | None:
        """Give the session where the cluster may be asked something now; None: it may not."""
        well = isinstance(self.state.health, Fine) and self.state.uuid and self.reconciled.is_set()
        return self._link.current if well and self._context.ownership.held({self._name}) else None

    async def run(self) -> None:
        """Reconcile until cancelled, or until the SearchCluster is gone, recreated or another replica's."""
        former = self._context.inventory.former
        former.begin(self._name)
        try:
            await beside(self._go_on(), self._queries.run())
        finally:
            self.busy_since = None
            self.reconciled.set()
            former.end(self._name)
            await self._link.close()

    async def _go_on(self) -> None:
        while self.is_current() and self._context.ownership.held({self._name}):
            self._number += 1
            # What is logged meanwhile, by whomever, says to what it belongs.
            reconciling = self._context.meter.reconciling(self._name)
            with bound_contextvars(cluster=self._name, reconcile=self._number), reconciling:
                await self.step()
            self.reconciled.set()
            self._queries.wake()
            await self._rest()

    def is_current(self) -> bool:
        """Say whether its SearchCluster still exists."""
        return self._cluster() is not None

    def _cluster(self) -> Cluster | None:
        """Give the SearchCluster as it is declared now; None: it is gone, or another one has its name."""
        record = self._context.inventory.clusters.get(self._name)
        return record.cluster if record and record.cluster.uid == self.uid else None

    # One reconcile

    async def step(self) -> None:
        """Reconcile what is due now. Whatever goes wrong shows in statuses, and what was news stays news."""
        fault = await self._settle_principals()
        cluster, news = self._cluster(), self._context.inventory.marks.take_dirty(self._name)
        if cluster is None:
            return
        self._schedule.begin()
        self._unsure = False
        self.began_at = self.busy_since = self._context.clock.monotonic()
        everything = news.everything
        try:
            await self._reconcile_unless(fault, cluster, news)
            self._recovered()
        except NotHolder:
            # Nothing is wrong with the cluster: we go on when it is ours again, or never.
            self._context.inventory.marks.put_back(self._name, news)
            self._schedule.retry_in(UNSURE_RETRY)
            self._unsure = True
        except ExternalError as error:
            await self._failed(Failure(error.reason, error.message), news)
        except Exception as error:  # noqa: BLE001 - the barrier between a fault of ours and everybody else
            await self._failed(caught(self._context.meter, self._name, "reconcile", error), news, fault=True)
        self._publish_cluster()
        problem = self.state.problem if self.is_failing else None
        taken, self.busy_since = self._context.clock.monotonic() - self.began_at, None
        self._context.meter.reconciled(
            self._name,
            full=everything or news.everything,
            seconds=taken,
            result=problem.reason if problem else "ok",
        )

    async def _settle_principals(self) -> Exception | None:
        """Compute everybody's principals before the news is taken. Returns the fault of ours that prevented it."""
        try:
            await self._context.inventory.settle(self._name)
        except Exception as error:  # noqa: BLE001 - caught and published by the caller
            return error
        return None

    async def _reconcile_unless(self, fault: Exception | None, cluster: Cluster, news: Dirty) -> None:
        if fault is not None:
            raise fault
        await self.reconcile(cluster, news)

    async def reconcile(self, cluster: Cluster, news: Dirty) -> None:
        """Observe, plan, apply and report, in both wings: roles with their mappings, and credentials.

        Args:
            cluster: the SearchCluster.
            news: what changed since the last time; grows by what is found to be necessary.

        Raises:
            ExternalError: the cluster as a whole could not be read or written.
        """
        if cluster.spec is None:
            reason = Reason.INTERNAL_ERROR if cluster.fault else Reason.INVALID_SPEC
            await self._close(Failure(reason, cluster.fault or cluster.invalid), retry=DOUBT_AFTER)
            return
        if wrong := problem_of(self._context.operator.life, cluster.taken_over):
            await self._close(Failure(Reason.INVALID_SPEC, wrong), retry=DOUBT_AFTER)
            return
        session = await self._connect(cluster, cluster.spec, news)
        checked = await self._check_if_due(session, news)
        scope = await self._scope(session, news, checked=checked)
        if isinstance(self.state.health, Closed):
            await self._stay_away(session, self.state.health.failure)
            return
        # Only from here on is there anything to clean up: one that never could be connected to can just be deleted.
        await self._ensure_finalizer(cluster)
        await self._reconcile_wings(session, scope)
        if cluster.deleted_at:
            await self._take_leave(session)

    async def _reconcile_wings(self, session: Session, scope: Scope) -> None:
        """Reconcile roles, then credentials: what is wrong with one wing keeps nobody's rights in the other."""
        trouble: Exception | None = None
        try:
            await self._reconcile_rights(session, scope)
        except TransientError:
            # Nobody answers, or it is another replica's: the other wing would fare no better.
            raise
        except Exception as error:  # noqa: BLE001 - raised below
            trouble = error
        self._take_credentials(await self._credentials.reconcile(session, scope))
        if trouble is not None:
            raise trouble
        if scope.everything:
            self._context.inventory.former.surveyed(self._name)

    async def _reconcile_rights(self, session: Session, scope: Scope) -> None:
        if not (scope.everything or scope.principals or self._rights.delay() <= 0 or self._rights.owes(session)):
            return
        started = self._context.clock.monotonic()
        with self._schedule.doubting():
            result = await self._rights.reconcile(session, scope)
        self._take_rights(result)
        self._schedule.passed(everything=scope.everything, started=started, changed=result.changed)

    def _take_rights(self, result: RightsResult) -> None:
        """Take over what is known of roles and role mappings."""
        state, mapping = self.state, result.mapping
        state.operations += result.operations
        state.trouble = result.trouble
        state.roles, state.user_roles, state.foreign = result.roles, result.user_roles, result.foreign
        state.mapping_conflict, state.mapping_drift, state.mapping_late = mapping.conflict, mapping.drift, mapping.late
        state.mapping_unwritten = mapping.unwritten
        if state.is_denied:
            self._schedule.check_again()
        state.mapping_adopted = mapping.adopted or state.mapping_adopted
        state.mapping_refusal, state.adopted, state.others = mapping.refusal, result.adopted, result.others

    def _take_credentials(self, result: CredentialResult) -> None:
        """Take over what is known of keys and users."""
        self.state.operations += result.operations
        self.state.rejections |= result.rejected
        if result.others is not None:
            self.state.issued_by_others = result.others

    async def _connect(self, cluster: Cluster, spec: SearchClusterSpec, news: Dirty) -> Session:
        before = self._link.current
        anew, recheck = isinstance(self.state.health, Failing), self._schedule.check_due()
        session = await self._link.session(cluster, spec, anew=anew, recheck=recheck)
        if session is not before:
            self._schedule.configure(seconds(spec.drift.probe_every), seconds(spec.drift.sweep_every))
            news.cluster = True
        return session

    async def _check_if_due(self, session: Session, news: Dirty) -> bool:
        due = self._schedule.check_due() or news.cluster or self.is_failing or await self._has_changed(session)
        if due:
            await self._check(session, news)
        return due

    async def _has_changed(self, session: Session) -> bool:
        if not self._schedule.glance_due():
            return False
        changed = await has_changed(session)
        self._schedule.glanced()
        return changed

    async def _check(self, session: Session, news: Dirty) -> None:
        if session.cluster.wanted_realm is None:
            return
        record = self._context.inventory.clusters.get(self._name)
        recalled = (record.status.uuid or "") if record and record.cluster.uid == self.uid else ""
        if await check(session, session.cluster.wanted_realm, recalled, self._peers):
            news.everything = True
        if self.state.facts and self.state.closed is None:
            await self._prover.prove(session, session.cluster.wanted_realm, self.state.facts)
        well = self.state.closed is None and self.state.verdict.grants and not self.state.is_denied
        ends = self.state.facts.license_ends if self.state.facts else None
        lasts = ends - epoch(self._context.clock.now()) if ends else float("inf")
        self._schedule.checked(well=well, lasts=lasts)

    async def _scope(self, session: Session, news: Dirty, *, checked: bool) -> Scope:
        """Say what is to be reconciled: what there is news of, or all, because it is time or somebody changed it."""
        everything = news.everything or self._schedule.sweep_due()
        if not isinstance(self.state.health, Closed) and (everything or self._schedule.probe_due()):
            probe = await session.port.probe()
            operations, self.state.operations = self.state.operations, 0
            everything = self._schedule.probed(probe, operations) or everything
            if self._schedule.check_due():
                await self._check(session, news)
        # What is due stays due until it is done, whatever happens to this reconcile.
        afresh, news.everything = news.everything, everything or news.everything
        if everything and not checked and self.state.may_grow and not isinstance(self.state.health, Closed):
            # What somebody changed may be the login's role.
            await know_login(session)
        return Scope(news.everything, frozenset(news.principals), frozenset(news.credentials), afresh=afresh)

    async def _ensure_finalizer(self, cluster: Cluster) -> None:
        if cluster.has_finalizer or cluster.deleted_at:
            return
        after = (*cluster.finalizers, FINALIZER)
        version = await self._context.kubernetes.set_finalizers(cluster_ref(cluster), cluster.finalizers, after)
        self._context.inventory.wrote(cluster.uid, version)
        record = self._context.inventory.clusters.get(self._name)
        if record and record.cluster.uid == cluster.uid:
            record.cluster = replace(record.cluster, finalizers=after)

    async def _take_leave(self, session: Session) -> None:
        """Remove what is ours when the SearchCluster is deleted, once nobody uses it any more."""
        self.state.waiting = self._farewell.users_left(session.cluster)
        successor = self._peers.younger_with_uuid(session.cluster, self.state.uuid)
        if self.state.waiting is None and successor:
            self.state.waiting = self._farewell.hand_over(session.cluster, successor)
            self._schedule.rest()
            return
        if self.state.waiting is None:
            self.state.waiting = self._farewell.movers_left(session.cluster)
        if self.state.waiting is None:
            # Roles and keys that nobody declares go too: nobody looks for them later.
            await self._reconcile_rights(session, Scope(everything=True))
            left = await self._credentials.reconcile(session, Scope(everything=True, afresh=True))
            self._take_credentials(left)
            if left.failing or self.state.trouble:
                text = "rights that nobody declares any more could not be taken away yet"
                self.state.waiting = self.state.trouble or Failure(Reason.IN_USE, text)
                return
            self.state.waiting = self._farewell.unseen_left(self.state)
            if self.state.waiting is not None:
                return
            await self._rights.remove_mappings(session)
            self._farewell.drop_finalizer(session.cluster)
            self._schedule.rest()

    # Trouble

    async def _close(self, failure: Failure, retry: float) -> None:
        """Touch nothing, and say so on every SearchAccess."""
        self.state.health = Closed(failure)
        # When it goes on, reconcile everything: all say that there is trouble, and news was not reconciled.
        self._context.inventory.marks.dirty(self._name).everything = True
        self._schedule.retry_in(retry)
        await self._trouble.publish_to_all(failure)

    async def _stay_away(self, session: Session, failure: Failure) -> None:
        await self._close(failure, CLOSED_RETRY)
        if failure.reason is Reason.DUPLICATE_CLUSTER:
            uuid = self.state.facts.uuid if self.state.facts else ""
            older = self._peers.older_with_uuid(session.cluster, uuid)
            if self._farewell.inherits(older):
                await self._ensure_finalizer(session.cluster)
            await self._farewell.leave_to_older(session, older)

    def _recovered(self) -> None:
        self._backoff.reset()
        if isinstance(self.state.health, Failing):
            log.info("cluster recovered")
            self.state.health = Fine()

    async def _failed(self, failure: Failure, news: Dirty, *, fault: bool = False) -> None:
        now = self._context.clock.monotonic()
        health = failed(self.state.health, failure, now, fault=fault)
        if health.times == 1:
            log.warning("cluster failing", reason=failure.reason, error=failure.message)
        doubt = doubts(health, now)
        self.state.health = replace(health, doubted=health.doubted or doubt)
        if doubt:
            news.everything = True
        self._schedule.retry_in(self._backoff.next())
        self._context.inventory.marks.put_back(self._name, news)
        if doubt:
            await self._trouble.publish_to_all(failure)
        else:
            await self._trouble.publish_to_waiting(failure, news)

    def _publish_cluster(self) -> None:
        if self._cluster() is None:
            return
        try:
            publish_cluster(self._context, self.state, self._name, self._schedule.probe_state)
        except Exception as error:  # noqa: BLE001 - whatever its status says, the cluster is reconciled
            self.state.trouble = caught(self._context.meter, self._name, "publish", error)

    # Time

    async def _rest(self) -> None:
        """Wait until something is due, or something was declared."""
        event = self._context.inventory.marks.dirty(self._name).event
        if self._unsure:
            # News does not help: it was put back.
            await asyncio.sleep(self._schedule.delay())
            return
        health = self.state.health
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay()):
                await event.wait()
                if not isinstance(health, Failing):
                    await self._settle()
        if isinstance(health, Failing):
            # News does not shorten the back-off; what is wrong is published, and it waits with everything else.
            await self._while_failing(health.failure)

    def _delay(self) -> float:
        delay = self._schedule.delay()
        return delay if self.is_failing else min(delay, self._rights.delay(), self._credentials.delay())

    async def _while_failing(self, failure: Failure) -> None:
        while self._schedule.delay() > 0:
            dirty = self._context.inventory.marks.dirty(self._name)
            if dirty.cluster:
                return
            # First, as more may come while it is published.
            dirty.event.clear()
            if dirty.principals or dirty.credentials:
                await self._trouble.publish_to_waiting(failure, dirty)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._schedule.delay()):
                    await dirty.event.wait()

    async def _settle(self) -> None:
        """Let a burst of declarations arrive, so that one reconcile serves them all."""
        dirty = self._context.inventory.marks.dirty(self._name)
        if dirty.cluster or dirty.everything:
            return
        quiet, longest = self._schedule.settling()
        end = self._context.clock.monotonic() + longest
        while self._context.clock.monotonic() < end:
            before = len(dirty.principals)
            await asyncio.sleep(min(quiet, end - self._context.clock.monotonic()))
            if len(dirty.principals) == before:
                return
