"""Parts of the page of actions: what grants beyond the cluster's own indices come to."""

from typing import Final

ON_REMOTE_CLUSTERS: Final = (
    "With `remoteClusters` a grant is for indices of clusters that are connected to this one, and takes `can: [read]` "
    "alone: `read`, `view_index_metadata` and `read_cross_cluster`. The column ACCESS shows `r eu:logs-*`. [Remote "
    "clusters](remote-clusters.md) has what that needs, and what `where` takes there."
)
IN_KIBANA: Final = (
    "Features in spaces, by `read` or `all` each, for those who call Kibana with the same token or key: "
    "[Kibana](kibana.md). They allow nothing in Elasticsearch itself."
)
