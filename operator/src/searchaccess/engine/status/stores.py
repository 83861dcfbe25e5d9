"""Secret stores that SearchAccesses use and their SearchCluster does not, or no longer, declare."""

import structlog

from searchaccess.api.conditions.events import EventReason
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.status.events import note
from searchaccess.engine.state import Context
from searchaccess.engine.status.publish import cluster_ref, ref_of
from searchaccess.ports.stores import Owner

log = structlog.get_logger(__name__)


def report_left_behind(context: Context, cluster: Cluster, owner: Owner, store: str, name: str) -> None:
    """Report that a secret stays because its store is no longer declared: in the log and as events.

    Args:
        context: what all reconcilers share.
        cluster: the SearchCluster.
        owner: whose secret it is.
        store: name of the store.
        name: of the secret.
    """
    record = context.inventory.accesses.get(owner.uid)
    whose = record.access.ref if record else f"{owner.namespace}/{owner.name or owner.uid}"
    text = (
        f"the secret {name} of SearchAccess {whose} is left behind: spec.secretStores of SearchCluster {cluster.name} "
        f"has no store {store} any more. Its keys or users are revoked; delete it by hand"
    )
    log.warning("secret left behind", access=whose, store=store, secret=name)
    context.meter.event_emitted(cluster.name, EventReason.LEFT_BEHIND)
    event = note(EventReason.LEFT_BEHIND, text)
    context.outbox.put_notes(cluster_ref(cluster), [event])
    if record:
        context.outbox.put_notes(ref_of(record.access), [event])
