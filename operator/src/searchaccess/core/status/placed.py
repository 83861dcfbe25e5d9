"""Where a SearchAccess has its rights, according to its status."""

from sys import intern
from typing import NamedTuple

from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.policy.former import RightsPlace
from searchaccess.core.rights.recollection import Seen


class Placed(NamedTuple):
    """The objects in Elasticsearch according to a status. It takes less memory than the status: thousands are kept."""

    role: str
    mapping: str
    spec_hash: str
    cluster_uuid: str


def placed_by(status: SearchAccessStatus) -> Placed | None:
    """Return the objects in Elasticsearch according to a status; None: there are none."""
    known = status.elasticsearch
    if known is None:
        return None
    # The same for all of a cluster.
    mapping, cluster_uuid = intern(known.mapping or ""), intern(known.cluster_uuid)
    return Placed(known.role or "", mapping, known.spec_hash, cluster_uuid)


def place_of(known: Placed | None) -> RightsPlace | None:
    """Return where a SearchAccess was last known to have all rights that it declared then; None: nowhere."""
    return RightsPlace(known.cluster_uuid, known.role) if known and known.cluster_uuid else None


def seen_of(known: Placed | None, cluster_uuid: str) -> Seen | None:
    """Return the result of an earlier reconcile on this cluster, from the status; None: there was none."""
    if known is None or known.cluster_uuid != cluster_uuid:
        return None
    return Seen(known.role, known.spec_hash)
