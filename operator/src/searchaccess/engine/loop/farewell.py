"""What is done when a SearchCluster is deleted, and when its Elasticsearch is an older one's."""

from dataclasses import dataclass

from searchaccess.api.constants import FINALIZER
from searchaccess.api.reasons import Reason
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.status.access import Failure
from searchaccess.engine.chunks import in_chunks
from searchaccess.engine.state import Context, Session
from searchaccess.engine.status.publish import StatusPublisher, cluster_ref


@dataclass(frozen=True, slots=True)
class Farewell:
    """Takes leave of one SearchCluster.

    Args:
        context: what all reconcilers share.
    """

    context: Context

    def users_left(self, cluster: Cluster) -> Failure | None:
        """Say who keeps a SearchCluster from being deleted; None: nobody."""
        users = sum(1 for record in self.context.inventory.of_cluster(cluster.name) if not record.confirmed)
        return Failure(Reason.IN_USE, f"{users} SearchAccesses still use this SearchCluster") if users else None

    def drop_finalizer(self, cluster: Cluster) -> None:
        """Take our finalizer away."""
        after = tuple(item for item in cluster.finalizers if item != FINALIZER)
        self.context.outbox.put_finalizers(cluster_ref(cluster), cluster.finalizers, after)

    async def leave_to_older(self, session: Session, older: str) -> None:
        """Release what is deleted here: in this Elasticsearch, the older SearchCluster takes it for orphans.

        Args:
            session: the connected cluster.
            older: name of the older SearchCluster.
        """
        inventory, state, name = self.context.inventory, session.state, session.cluster.name
        uuid = state.facts.uuid if state.facts else ""
        leaving = 0
        async for record in in_chunks(list(inventory.of_cluster(name))):
            had = record.standing.placed
            if record.access.deleted_at and (had is None or had.cluster_uuid == uuid):
                StatusPublisher(self.context, state).release(record.access)
                leaving += 1
        if leaving:
            inventory.marks.mark_cluster(older, everything=True)
        if session.cluster.deleted_at and leaving == inventory.count(name):
            self.drop_finalizer(session.cluster)
