"""Where SearchAccesses still have rights that they do not declare there any more (docs/adr/0031).

Reconcilers note what they find, by SearchCluster. Whoever has something there is reconciled there too when it changes,
and is not released before it is gone.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from searchaccess.engine.inventory.marks import Marks

KEYS: Final = ""
"""Stands for keys and users, where a principal stands for its role."""


class FormerPlace(NamedTuple):
    """Rights on a SearchCluster: those of a principal's role, or (KEYS) of keys and users."""

    cluster: str
    principal: str


class FormerRights:
    """Rights that stay for a while where they are not declared.

    Args:
        marks: what is to be reconciled.
        changed: called with the uid of a SearchAccess that came to have such rights, or lost the last of them.
    """

    def __init__(self, marks: Marks, changed: Callable[[str], None]) -> None:
        self._marks = marks
        self._changed = changed
        self._places: dict[str, set[FormerPlace]] = defaultdict(set)
        """By uid."""
        self._uids: dict[FormerPlace, set[str]] = defaultdict(set)
        self._read: set[str] = set()
        """SearchClusters that are reconciled by this process and were read as a whole."""
        self._unread: dict[str, set[str]] = {}
        """By SearchCluster that is reconciled and was not read as a whole yet: the uids that wait for that."""

    def places(self, uid: str) -> Collection[FormerPlace]:
        """Return where a SearchAccess has such rights."""
        return self._places.get(uid, ())

    def principals(self, cluster: str) -> set[str]:
        """Return the principals, or KEYS, with such rights on a cluster."""
        return {place.principal for place, uids in self._uids.items() if place.cluster == cluster and uids}

    def uids(self, cluster: str, principal: str | None = None) -> set[str]:
        """Return the uids of those that have such rights on a cluster, all or those of one principal, or KEYS."""
        return {
            uid
            for place, uids in self._uids.items()
            if place.cluster == cluster and principal in {None, place.principal}
            for uid in uids
        }

    def begin(self, cluster: str) -> None:
        """Record that a cluster is reconciled by this process from now on, and was not read yet."""
        self._read.discard(cluster)
        self._unread.setdefault(cluster, set())

    def read_completely(self, cluster: str) -> None:
        """Record that a cluster was read as a whole."""
        self._read.add(cluster)
        for uid in self._unread.pop(cluster, ()):
            self._changed(uid)

    def end(self, cluster: str) -> None:
        """Record that a cluster is not reconciled by this process any more."""
        self.read_completely(cluster)
        self._read.discard(cluster)
        for principal in self.principals(cluster):
            self.note(cluster, principal, ())

    def awaits_full_read(self, cluster: str, uid: str) -> bool:
        """Return whether it is yet to be read what a SearchAccess has on a cluster; if so, it is reconciled then."""
        waiting = self._unread.get(cluster)
        if waiting is None:
            return False
        waiting.add(uid)
        return True

    def note(self, cluster: str, principal: str, uids: Collection[str]) -> None:
        """Take in who has such rights in one place: these and nobody else."""
        for uid in self._uids.get(FormerPlace(cluster, principal), set()) - set(uids):
            self.drop(uid, cluster, principal)
        for uid in uids:
            self.add(uid, cluster, principal)

    def add(self, uid: str, cluster: str, principal: str) -> None:
        """Record that a SearchAccess has such rights in one place."""
        place, places = FormerPlace(cluster, principal), self._places[uid]
        first = not places
        places.add(place)
        self._uids[place].add(uid)
        if first:
            self._changed(uid)

    def leave(self, uid: str, cluster: str, principal: str) -> None:
        """Record that a SearchAccess declares something else from now on; what it has is looked at next.

        Of a cluster that was not read yet, or is another replica's, that is not known here.
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
        if not self._uids[place]:
            del self._uids[place]
        if not places:
            del self._places[uid]
            self._changed(uid)

    def requeue(self, uid: str) -> None:
        """Request a reconcile of a SearchAccess where it has such rights: it changed, or has them elsewhere now."""
        for place in self.places(uid):
            if place.principal == KEYS:
                self._marks.mark_credential(place.cluster, uid)
            else:
                self._marks.mark(place.cluster, place.principal)
