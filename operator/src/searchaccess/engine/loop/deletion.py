"""What is done when a SearchCluster is deleted, and when its Elasticsearch is an older one's."""

from dataclasses import dataclass

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.patterns.namesets import some_of
from searchaccess.core.status.access import Failure
from searchaccess.core.status.cluster import NAMED
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.state import Context, Session
from searchaccess.engine.status.publish import StatusPublisher, cluster_ref


@dataclass(frozen=True, slots=True)
class Deletion:
    """Takes leave of one SearchCluster.

    Args:
        context: what all reconcilers share.
    """

    context: Context

    def remaining_users(self, cluster: Cluster) -> Failure | None:
        """Return who keeps a SearchCluster from being deleted; None: nobody."""
        records = self.context.inventory.of_cluster(cluster.name)
        users = sorted(record.access.ref for record in records if not record.confirmed)
        if not users:
            return None
        use = "SearchAccess still uses" if len(users) == 1 else "SearchAccesses still use"
        text = f"{len(users)} {use} this SearchCluster: {some_of(users, NAMED)}. Delete them, or move them elsewhere"
        return Failure(Reason.IN_USE, text)

    def remaining_movers(self, cluster: Cluster) -> Failure | None:
        """Return who keeps it because what they declare elsewhere is not in place; None: nobody."""
        inventory = self.context.inventory
        uids = inventory.former.uids(cluster.name) & inventory.accesses.keys()
        movers = sorted(inventory.accesses[uid].access.ref for uid in uids)
        if not movers:
            return None
        some = some_of(movers, NAMED)
        text = f"{some} moved away, and still have their rights or keys here: their condition Held says why"
        return Failure(Reason.IN_USE, text)

    def hand_over(self, cluster: Cluster, successor: str) -> Failure | None:
        """Leave everything in Elasticsearch to a younger SearchCluster for it; return what it waits for.

        The younger one has its finalizer before: somebody must be there who removes all of it in the end.
        """
        record = self.context.inventory.clusters[successor]
        if not record.cluster.has_finalizer:
            self.context.inventory.marks.mark_cluster(successor)
            return Failure(Reason.IN_USE, f"it is being handed over to SearchCluster {successor}")
        self.drop_finalizer(cluster)
        return None

    def is_handing_over(self, older: str) -> bool:
        """Return whether an older SearchCluster is about to leave everything to a younger one."""
        record = self.context.inventory.clusters.get(older)
        return record is not None and bool(record.cluster.deleted_at)

    def drop_finalizer(self, cluster: Cluster) -> None:
        """Take our finalizer away."""
        after = tuple(item for item in cluster.finalizers if item != FINALIZER)
        self.context.outbox.put_finalizers(cluster_ref(cluster), cluster.finalizers, after)

    async def release_to_older(self, session: Session, older: str) -> None:
        """Release what is deleted here: in this Elasticsearch, the older SearchCluster takes it for orphans.

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
