"""Which objects to reconcile, by SearchCluster."""

import asyncio
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass, field

from searchaccess.core.model.access import Access
from searchaccess.engine.inventory.indexes.callers import ChangedCallers


@dataclass(slots=True)
class Dirty:
    """What one reconciler has to reconcile."""

    principals: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    """Uids of SearchAccesses whose keys or users to reconcile."""
    full: bool = False
    cluster: bool = False
    """The SearchCluster itself changed."""
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def __bool__(self) -> bool:
        return self.full or self.cluster or bool(self.principals) or bool(self.credentials)


class Marks:
    """What each reconciler has to reconcile.

    Args:
        clusters: names of the SearchClusters that exist.
        unknown: set when something is marked on any other.
        callers: records which principals are marked.
    """

    def __init__(self, clusters: Container[str], unknown: asyncio.Event, callers: ChangedCallers) -> None:
        self.callers = callers
        self._clusters = clusters
        self._unknown = unknown
        self._dirty: dict[str, Dirty] = defaultdict(Dirty)

    def dirty(self, cluster: str) -> Dirty:
        """Return what to reconcile on a cluster."""
        return self._dirty[cluster]

    def take_dirty(self, cluster: str) -> Dirty:
        """Return what to reconcile on a cluster, and reset it."""
        taken = self._dirty[cluster]
        fresh = Dirty(event=taken.event)
        fresh.event.clear()
        self._dirty[cluster] = fresh
        return taken

    def put_back(self, cluster: str, taken: Dirty) -> None:
        """Requeue what was taken and not reconciled; after a failure the SearchCluster itself is checked anyway."""
        for principal in taken.principals:
            self.mark(cluster, principal)
        for uid in taken.credentials:
            self.mark_credential(cluster, uid)
        dirty = self._dirty[cluster]
        dirty.full = dirty.full or taken.full

    def mark(self, cluster: str, principal: str) -> None:
        """Request a reconcile of a principal."""
        self._dirty[cluster].principals.add(principal)
        self.callers.note(cluster, principal)
        self._notify(cluster)

    def mark_credential(self, cluster: str, uid: str) -> None:
        """Request a reconcile of a SearchAccess's API keys."""
        self._dirty[cluster].credentials.add(uid)
        self._notify(cluster)

    def mark_access(self, access: Access) -> None:
        """Request a reconcile of what a SearchAccess has."""
        if access.has_credential:
            self.mark_credential(access.cluster, access.uid)
            return
        for principal in access.principals or ("",):
            self.mark(access.cluster, principal)

    def mark_cluster(self, cluster: str, *, full: bool = False) -> None:
        """Request a reconcile of the SearchCluster itself."""
        dirty = self._dirty[cluster]
        dirty.cluster = True
        dirty.full = dirty.full or full
        dirty.event.set()

    def mark_full(self, cluster: str) -> None:
        """Request a full reconcile of a cluster."""
        dirty = self._dirty[cluster]
        dirty.full = True
        dirty.event.set()

    def _notify(self, cluster: str) -> None:
        self._dirty[cluster].event.set()
        if cluster not in self._clusters:
            self._unknown.set()
