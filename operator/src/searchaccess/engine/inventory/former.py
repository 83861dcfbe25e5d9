"""Where SearchAccesses still have rights that they no longer declare there (docs/adr/0031).

Reconcilers record what they find, by SearchCluster. Such a SearchAccess is also reconciled there when it changes, and
it is not released before those rights are gone.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from searchaccess.engine.inventory.marks import Marks

KEYS: Final = ""
"""Stands for keys and users, as a principal stands for its role."""


class FormerPlace(NamedTuple):
    """Rights on a SearchCluster: of a principal's role, or (KEYS) of keys and users."""

    cluster: str
    principal: str


class FormerRights:
    """Rights that temporarily stay where they are no longer declared.

    Args:
        marks: what to reconcile.
        changed: called with the uid of a SearchAccess that got its first such rights, or lost its last ones.
    """

    def __init__(self, marks: Marks, changed: Callable[[str], None]) -> None:
        self._marks = marks
        self._changed = changed
        self._places: dict[str, set[FormerPlace]] = defaultdict(set)
        """By uid."""
        self._uids: dict[FormerPlace, set[str]] = defaultdict(set)
        self._read: set[str] = set()
        """SearchClusters that this process reconciles and has read in full."""
        self._unread: dict[str, set[str]] = {}
        """By SearchCluster that this process reconciles and has not read in full yet: the uids that wait for that."""

    def places(self, uid: str) -> Collection[FormerPlace]:
        """Return where a SearchAccess has such rights."""
        return self._places.get(uid, ())

    def principals(self, cluster: str) -> set[str]:
        """Return the principals, or KEYS, with such rights on a cluster."""
        return {place.principal for place, uids in self._uids.items() if place.cluster == cluster and uids}

    def uids(self, cluster: str, principal: str | None = None) -> set[str]:
        """Return the uids with such rights on a cluster: all, or those of one principal, or KEYS."""
        return {
            uid
            for place, uids in self._uids.items()
            if place.cluster == cluster and principal in {None, place.principal}
            for uid in uids
        }

    def at(self, cluster: str, principal: str) -> set[str]:
        """Return the uids with such rights in one place."""
        return set(self._uids.get(FormerPlace(cluster, principal), ()))

    def begin(self, cluster: str) -> None:
        """Record that this process starts to reconcile a cluster, which was not read yet."""
        self._read.discard(cluster)
        self._unread.setdefault(cluster, set())

    def read_completely(self, cluster: str) -> None:
        """Record that a cluster was read in full."""
        self._read.add(cluster)
        for uid in self._unread.pop(cluster, ()):
            self._changed(uid)

    def is_read(self, cluster: str) -> bool:
        """Return whether this process reconciles a cluster and has read it in full."""
        return cluster in self._read

    def end(self, cluster: str) -> None:
        """Record that this process stops reconciling a cluster."""
        self.read_completely(cluster)
        self._read.discard(cluster)
        for principal in self.principals(cluster):
            self.note(cluster, principal, ())

    def awaits_full_read(self, cluster: str, uid: str) -> bool:
        """Return whether a SearchAccess must wait for a full read of a cluster; then it is requeued after that."""
        waiting = self._unread.get(cluster)
        if waiting is None:
            return False
        waiting.add(uid)
        return True

    def note(self, cluster: str, principal: str, uids: Collection[str]) -> None:
        """Record exactly who has such rights in one place."""
        for uid in self._uids.get(FormerPlace(cluster, principal), set()) - set(uids):
            self.drop(uid, cluster, principal)
        for uid in uids:
            self.add(uid, cluster, principal)

    def add(self, uid: str, cluster: str, principal: str) -> None:
        """Record that a SearchAccess has such rights in one place."""
        place, places = FormerPlace(cluster, principal), self._places[uid]
        first = not places
        if place not in places:
            places.add(place)
            self._uids[place].add(uid)
            self._marks.callers.note(cluster, principal)
        if first:
            self._changed(uid)

    def leave(self, uid: str, cluster: str, principal: str) -> None:
        """Record that a SearchAccess declares something else now; what it has is read next.

        This is only known for clusters that this process has read in full.
        """
        if cluster in self._read:
            self.add(uid, cluster, principal)

    def drop(self, uid: str, cluster: str, principal: str) -> None:
        """Record that a SearchAccess has no such rights in one place."""
        place, places = FormerPlace(cluster, principal), self._places.get(uid, set())
        if place not in places:
            return
        places.discard(place)
        self._uids[place].discard(uid)
        self._marks.callers.note(cluster, principal)
        if not self._uids[place]:
            del self._uids[place]
        if not places:
            del self._places[uid]
            self._changed(uid)

    def requeue(self, uid: str) -> None:
        """Requeue a SearchAccess where it has such rights: it changed, or has its declared rights elsewhere now."""
        for place in self.places(uid):
            if place.principal == KEYS:
                self._marks.mark_credential(place.cluster, uid)
            else:
                self._marks.mark(place.cluster, place.principal)
