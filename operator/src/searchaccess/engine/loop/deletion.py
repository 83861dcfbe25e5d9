"""Deletion of a SearchCluster, also of one whose Elasticsearch cluster an older one manages."""

from dataclasses import dataclass, replace

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.messages import some_of
from searchaccess.core.status.access import Failure
from searchaccess.core.status.cluster import NAMED
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.state import ClusterState, Context, Session
from searchaccess.engine.status.publish import StatusPublisher, cluster_ref


@dataclass(frozen=True, slots=True)
class Deletion:
    """Decides about the deletion of one SearchCluster.

    Args:
        context: what all reconcilers share.
    """

    context: Context

    def remaining_users(self, cluster: Cluster) -> Failure | None:
        """Return which SearchAccesses block the deletion; None: none."""
        records = self.context.inventory.of_cluster(cluster.name)
        users = sorted(record.access.ref for record in records if not record.confirmed)
        if not users:
            return None
        use = "SearchAccess still uses" if len(users) == 1 else "SearchAccesses still use"
        text = f"{len(users)} {use} this SearchCluster: {some_of(users, NAMED)}. Delete them, or move them elsewhere"
        return Failure(Reason.IN_USE, text)

    def remaining_movers(self, cluster: Cluster) -> Failure | None:
        """Return which moved SearchAccesses block it because their new rights are not in place; None: none."""
        inventory = self.context.inventory
        uids = inventory.former.uids(cluster.name) & inventory.accesses.keys()
        movers = sorted(inventory.accesses[uid].access.ref for uid in uids)
        if not movers:
            return None
        some = some_of(movers, NAMED)
        text = f"{some} moved away, and still have their rights or keys here: their condition Held says why"
        return Failure(Reason.IN_USE, text)

    def unseen_left(self, state: ClusterState) -> Failure | None:
        """Say who keeps it although it cannot be seen, once everything was read; None: nobody."""
        names = state.unseen.names
        if not names:
            return None
        text = f"rights of namespaces that are not watched are here: {some_of(names, NAMED)}. Watch these namespaces"
        return Failure(Reason.IN_USE, text)

    async def hand_over(self, session: Session, successor: str, gateway: GatewayReconciler) -> Failure | None:
        """Hand over everything in Elasticsearch to a younger SearchCluster; return what it waits for.

        The younger one must have its finalizer first, so that it removes everything in the end.

        Args:
            session: the connected cluster.
            successor: name of the younger SearchCluster.
            gateway: of the one that is being deleted.

        Raises:
            ExternalError: something of the gateway could not be handed over or deleted; it is tried again.
        """
        record = self.context.inventory.clusters[successor]
        if record.cluster.spec is None:
            # Nobody can tell whether it has a gateway at the same place.
            text = f"SearchCluster {successor}, which takes everything over, cannot be read: correct it, or delete it"
            return Failure(Reason.IN_USE, text)
        if not record.cluster.has_finalizer:
            self.context.inventory.marks.mark_cluster(successor)
            return Failure(Reason.IN_USE, f"it is being handed over to SearchCluster {successor}")
        await gateway.hand_over(session, record.cluster)
        self.drop_finalizer(session.cluster)
        return None

    def is_handing_over(self, older: str) -> bool:
        """Return whether an older SearchCluster is about to hand over everything to a younger one."""
        record = self.context.inventory.clusters.get(older)
        return record is not None and bool(record.cluster.deleted_at)

    async def ensure_finalizer(self, cluster: Cluster) -> None:
        """Add our finalizer where it is missing.

        Raises:
            ExternalError: it could not be added.
        """
        if cluster.has_finalizer or cluster.deleted_at:
            return
        after, inventory = (*cluster.finalizers, FINALIZER), self.context.inventory
        version = await self.context.kubernetes.set_finalizers(cluster_ref(cluster), cluster.finalizers, after)
        inventory.wrote(cluster.uid, version)
        record = inventory.clusters.get(cluster.name)
        if record and record.cluster.uid == cluster.uid:
            record.cluster = replace(record.cluster, finalizers=after)

    def drop_finalizer(self, cluster: Cluster) -> None:
        """Remove our finalizer."""
        after = tuple(item for item in cluster.finalizers if item != FINALIZER)
        self.context.outbox.put_finalizers(cluster_ref(cluster), cluster.finalizers, after)

    async def release_to_older(self, session: Session, older: str) -> None:
        """Release SearchAccesses that are deleted here: the older SearchCluster treats their rights as orphans.

        Args:
            session: the connected cluster.
            older: name of the older SearchCluster.
        """
        inventory, state, name = self.context.inventory, session.state, session.cluster.name
        uuid = state.facts.uuid if state.facts else ""
        leaving = 0
        async for record in in_chunks(list(inventory.of_cluster(name))):
            had = record.status_summary.placed
            if record.access.deleted_at and (had is None or had.cluster_uuid == uuid):
                StatusPublisher(self.context, state).release(record.access)
                leaving += 1
        if leaving:
            inventory.marks.mark_cluster(older, full=True)
        if session.cluster.deleted_at and leaving == inventory.count(name) and not self.is_handing_over(older):
            self.drop_finalizer(session.cluster)
