"""When a cluster is checked, and what a check means for the next ones."""

from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.status.credential import epoch
from searchaccess.engine.inventory.marks import Dirty
from searchaccess.engine.loop.check import Peers, check, has_changed
from searchaccess.engine.loop.proving import Prover
from searchaccess.engine.loop.schedule import Schedule
from searchaccess.engine.state import ClusterState, Context, Healthy, Session


class Checker:
    """Checks the cluster of one reconciler when that is due.

    Args:
        context: what all reconcilers share.
        cluster: the SearchCluster.
        state: what is known about the cluster; receives what a check finds.
        schedule: when the next check is due.
        peers: other SearchClusters.
    """

    def __init__(
        self, context: Context, cluster: Cluster, state: ClusterState, schedule: Schedule, peers: Peers
    ) -> None:
        self._context = context
        self._uid = cluster.uid
        self._name = cluster.name
        self._state = state
        self._schedule = schedule
        self._peers = peers
        self._prover = Prover(context.clock)

    async def check_if_due(self, session: Session, dirty: Dirty) -> bool:
        """Check the cluster if that is due, or if it is failing, declared otherwise, or has changed.

        Args:
            session: the connected cluster.
            dirty: what changed since the last reconcile; becomes full if the check found a change.

        Returns:
            Whether it was checked.

        Raises:
            ExternalError: it could not be read.
        """
        is_failing = not isinstance(self._state.health, Healthy)
        due = self._schedule.check_due() or dirty.cluster or is_failing or await self._has_changed(session)
        if due:
            await self.check(session, dirty)
        return due

    async def _has_changed(self, session: Session) -> bool:
        if not self._schedule.fingerprint_due():
            return False
        changed = await has_changed(session)
        self._schedule.fingerprint_read()
        return changed

    async def check(self, session: Session, dirty: Dirty) -> None:
        """Check the cluster, and schedule the next check.

        Args:
            session: the connected cluster.
            dirty: what changed since the last reconcile; becomes full if the check found a change.

        Raises:
            ExternalError: it could not be read.
        """
        wanted, state = session.cluster.wanted_realm, self._state
        record = self._context.inventory.clusters.get(self._name)
        recalled = (record.status.uuid or "") if record and record.cluster.uid == self._uid else ""
        if state.users is None and recalled and record and record.status.counts:
            state.users = record.status.counts.users
        if await check(session, wanted, recalled, self._peers):
            dirty.full = True
        if wanted is None:
            state.proof = None
        elif state.facts and state.closed is None:
            await self._prover.prove(session, wanted, state.facts)
        well = state.closed is None and state.verdict.grants and not state.is_denied
        ends = state.facts.license_ends if state.facts else None
        lasts = ends - epoch(self._context.clock.now()) if ends else float("inf")
        self._schedule.checked(well=well, lasts=lasts)
