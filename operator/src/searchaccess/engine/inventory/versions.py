"""Which versions of objects are outdated, and what to do when the API server's history went back (docs/adr/0091)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.intake.metadata import Metadata, metadata_of, version_of
from searchaccess.engine.inventory.changes import is_stale, may_differ
from searchaccess.engine.inventory.judging import Judged
from searchaccess.engine.inventory.policy.newest import Latest
from searchaccess.ports.clock import Clock
from searchaccess.ports.kubernetes import Plural
from searchaccess.ports.meter import Meter


class Versioned(Judged):
    """The declared objects, with what is known about their versions.

    Args:
        meter: counts objects that cannot be read.
        clock: by which rights, and exceptions of policies, end; None: those that end are not in force.
    """

    def __init__(self, meter: Meter, clock: Clock | None) -> None:
        super().__init__(meter, clock)
        self._gone: set[str] = set()
        self._gone_clusters: set[str] = set()
        self.writing: set[str] = set()
        """Uids whose status is being written: meanwhile, events show an outdated one."""
        self._written: dict[str, int] = {}
        """By uid, the resource version of our last write."""
        self._anew: set[str] = set()
        """Uids of which the next version counts, whichever it is."""
        self.rewatch = asyncio.Event()
        """Set when other namespaces may be read than before, or watches began at a version that is yet to come."""
        self.histories = 1
        """How many histories the API server has had, as far as was noticed."""

    def may_have_changed(self, raw: Mapping[str, Any]) -> bool:
        """Return whether a SearchAccess in an event may differ from the known one.

        It does not if a later version is known, or if only its status differs and we are writing, or wrote, that:
        then the event is outdated, or caused by our own write.
        """
        try:
            meta = metadata_of(raw)
            known = self.accesses.get(meta.uid)
            if known is None or meta.uid in self._anew:
                return True
            return may_differ(meta, known.access, self.writing, self._written)
        except Exception as error:  # noqa: BLE001 - the barrier between one event and the watch
            self.report_unreadable(error)
            return True

    def latest(self, plural: Plural) -> Latest:
        """Return what is known now of the objects of a kind, to compare a list with that begins later."""
        match plural:
            case Plural.ACCESSES:
                known = {uid: record.declared.resource_version for uid, record in self.accesses.items()}
                return Latest(known, frozenset(self._gone), dict(self._written))
            case Plural.CLUSTERS:
                clusters = [record.cluster for record in self.clusters.values()]
                known = {one.uid: one.resource_version for one in clusters}
                return Latest(known, frozenset(self._gone_clusters), dict(self._written))
            case Plural.POLICIES:
                return self.policies.latest()
            case Plural.APPROVALS:
                return self.approvals.latest()

    def begin_anew(self) -> None:
        """Take the next version of each object, whichever it is: the API server's history went back.

        What was read of this list before is read once more.
        """
        self.histories += 1
        self._anew = {*self.accesses, *(record.cluster.uid for record in self.clusters.values())}
        for known in (self._gone, self._gone_clusters, self._written):
            known.clear()
        # Another status than ours is no edit by somebody else.
        for access in self.accesses.values():
            access.wrote = 0
        for cluster in self.clusters.values():
            cluster.wrote = 0
        self.policies.begin_anew()
        self.approvals.begin_anew()
        self.rewatch.set()
        self.relist.set()

    def wrote(self, uid: str, version: str) -> None:
        """Record that we wrote an object's status or finalizers: those in events of older versions are outdated."""
        if uid not in self._gone:
            self._written[uid] = max(version_of(version), self._written.get(uid, 0))

    def _is_older_than_ours(self, uid: str, version: str) -> bool:
        return version_of(version) < self._written.get(uid, 0)

    def _is_known(self, meta: Metadata, known: Access | Cluster) -> bool:
        """Return whether a version, or a later one, is known already."""
        if meta.uid in self._anew:
            self._anew.discard(meta.uid)
            return False
        return is_stale(meta, known)
