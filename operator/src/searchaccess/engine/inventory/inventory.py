"""What was declared: the objects as last observed, and which of them are to be reconciled.

Events and lists only put into it; reconcilers only read from it. An event says that something changed, never what to
do about it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access, Subject, identified
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.identity import Identity
from searchaccess.core.model.intake.metadata import Metadata, metadata_of, version_of
from searchaccess.core.policy.namespaces import admit, needs_labels
from searchaccess.engine.barrier import caught
from searchaccess.engine.chunks import in_chunks
from searchaccess.engine.inventory.contested import Contested
from searchaccess.engine.inventory.former import KEYS, FormerRights
from searchaccess.engine.inventory.index import Index
from searchaccess.engine.inventory.intake import (
    PLACE,
    faulty_access,
    faulty_cluster,
    read_access,
    read_cluster,
    read_status,
)
from searchaccess.engine.inventory.marks import Marks
from searchaccess.engine.inventory.news import is_old, is_recalled, may_differ, news_of
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord
from searchaccess.engine.inventory.stored import Difference, StoredStatuses
from searchaccess.engine.inventory.subjects import Subjects
from searchaccess.ports.kubernetes import ObjectRef, Plural
from searchaccess.ports.meter import Meter

log = structlog.get_logger(__name__)


def _chooses_by_labels(cluster: Cluster) -> bool:
    """Return whether labels of namespaces must be known for a SearchCluster."""
    return needs_labels(cluster.allowed_namespaces) or needs_labels(cluster.adopting_namespaces)


class Inventory:
    """All SearchAccesses and SearchClusters.

    Args:
        meter: counts objects that cannot be taken in.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter or Meter()
        self.accesses: dict[str, AccessRecord] = {}
        self.clusters: dict[str, ClusterRecord] = {}
        self._index = Index()
        self._recalled: Counter[str] = Counter()
        """By cluster, how many SearchAccesses have accounts that only their status knows of."""
        self._reclaimed: dict[str, int] = {}
        """Clusters that know callers by another claim than most of their principals were worked out by, and how many
        times it changed."""
        self.subjects = Subjects()
        self._gone: set[str] = set()
        self._gone_clusters: set[str] = set()
        self.writing: set[str] = set()
        """Uids whose status is on its way: what events say of it meanwhile is old."""
        self._written: dict[str, int] = {}
        """By uid, the resource version that our last write made."""
        self.statuses = StoredStatuses()
        self.changed = asyncio.Event()
        """Set when a SearchCluster comes or goes, or an access names an unknown one."""
        self.marks = Marks(self.clusters, self.changed)
        self.former = FormerRights(self.marks, self._mark_access_of)
        """Who has rights where it does not declare them any more."""
        self.contested = Contested(self.marks)
        self._labels: Mapping[str, Mapping[str, str]] = {}
        """By namespace, as listed last."""
        self.relist = asyncio.Event()
        """Set when only a full list shows what there is: an event may have been missed, or could not be read."""
        self.labels_wanted = asyncio.Event()
        """Set when labels of a namespace are needed that are not known."""

    # Reading

    def principals(self, cluster: str) -> list[str]:
        """Give all principals that SearchAccesses of a cluster name."""
        return self._index.principals(cluster)

    def of_principal(self, cluster: str, principal: str) -> list[AccessRecord]:
        """Give the SearchAccesses of a principal on a cluster."""
        return [self.accesses[uid] for uid in self._index.of_principal(cluster, principal) if uid in self.accesses]

    def count_of(self, cluster: str, principal: str) -> int:
        """Say how many SearchAccesses a principal has on a cluster."""
        return len(self._index.of_principal(cluster, principal))

    def of_cluster(self, cluster: str) -> Iterator[AccessRecord]:
        """Give all SearchAccesses of a cluster."""
        for principal in self._index.principals(cluster):
            for uid in list(self._index.of_principal(cluster, principal)):
                # One with several principals is given with its first.
                record = self.accesses.get(uid)
                if record and record.declared.principal == principal:
                    yield record
        yield from self.keyed(cluster)

    def keyed(self, cluster: str) -> list[AccessRecord]:
        """Give the SearchAccesses of a cluster whose rights are those of API keys."""
        return [self.accesses[uid] for uid in self._index.keyed(cluster) if uid in self.accesses]

    def count(self, cluster: str) -> int:
        """Say how many SearchAccesses a cluster has."""
        return self._index.count(cluster)

    def recalled(self, cluster: str) -> int:
        """Say how many SearchAccesses of a cluster have a subject that was not read from Google yet."""
        return self._recalled[cluster]

    def claim(self, cluster: str) -> PrincipalClaim:
        """Say by which claim of their tokens a cluster identifies callers."""
        record = self.clusters.get(cluster)
        wanted = record.cluster.wanted_realm if record else None
        return wanted.principal if wanted else PrincipalClaim.EMAIL

    # Namespaces

    @property
    def needs_labels(self) -> bool:
        """Whether labels of namespaces must be known."""
        return any(_chooses_by_labels(record.cluster) for record in self.clusters.values())

    def see_namespaces(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Take in a full list of namespaces: by name, their labels."""
        before, self._labels = self._labels, labels
        if before == labels:
            return
        for name, record in self.clusters.items():
            if needs_labels(record.cluster.allowed_namespaces):
                self._readmit(name)
            if needs_labels(record.cluster.adopting_namespaces):
                for asking in self.of_cluster(name):
                    if asking.declared.adopt:
                        self.marks.mark_access(asking.declared)

    def usable_from(self, namespace: str) -> Sequence[str]:
        """Return the names of the SearchClusters that take SearchAccesses of a namespace, as far as is known."""
        found = (name for name in self.clusters if self.admission(name, namespace, read=False) is Admission.ALLOWED)
        return sorted(found)

    def admission(self, cluster: str, namespace: str, *, read: bool = True) -> Admission:
        """Say whether a cluster admits SearchAccesses of a namespace; one that does not exist admits all.

        Args:
            cluster: name of the SearchCluster.
            namespace: name of the namespace.
            read: have its labels read if they are needed and not known; there may be none of a namespace that is gone.
        """
        record = self.clusters.get(cluster)
        allowed = record.cluster.allowed_namespaces if record else None
        admission = admit(allowed, namespace, self._labels.get(namespace))
        if read and admission is Admission.UNKNOWN:
            self.labels_wanted.set()
        return admission

    def may_adopt(self, cluster: str, namespace: str) -> bool:
        """Say whether a cluster takes it from a namespace that the role of a principal of its own is adopted."""
        record = self.clusters.get(cluster)
        allowed = record.cluster.adopting_namespaces if record else None
        return allowed is not None and admit(allowed, namespace, self._labels.get(namespace)) is Admission.ALLOWED

    def _admitted(self, access: Access) -> Access:
        admission = self.admission(access.cluster, access.namespace)
        return access if admission is access.admission else replace(access, admission=admission)

    def _readmit(self, cluster: str) -> None:
        """Decide anew whose namespaces are allowed: of all at once, so that nobody is enforced who is refused."""
        decided: dict[str, Admission] = {}
        for record in self.of_cluster(cluster):
            namespace = record.declared.namespace
            if namespace not in decided:
                decided[namespace] = self.admission(cluster, namespace)
            if record.admit(decided[namespace]):
                self.marks.mark_access(record.declared)

    def knows(self, uid: str) -> bool:
        """Say whether a SearchAccess or SearchCluster still exists."""
        return uid in self.accesses or any(record.cluster.uid == uid for record in self.clusters.values())

    def pinned_to(self, uuid: str) -> str:
        """Return the name of the SearchCluster that is pinned to an Elasticsearch cluster; empty: none is."""
        return next((name for name, record in self.clusters.items() if uuid and record.pinned == uuid), "")

    def _mark_access_of(self, uid: str) -> None:
        if record := self.accesses.get(uid):
            self.marks.mark_access(record.access)

    def mark_uid(self, uid: str) -> None:
        """Request a reconcile of a SearchAccess or SearchCluster, if it still exists."""
        self._mark_access_of(uid)
        for name, known in self.clusters.items():
            if known.cluster.uid == uid:
                self.marks.mark_cluster(name)

    # Events and lists

    def is_news(self, raw: Mapping[str, Any]) -> bool:
        """Say whether a SearchAccess, as an event has it, may be other than it is known here.

        It is not if we have seen a later version, or if at most its status is another and we are writing that, or wrote
        it since: what such an event says of it is old, or our own.
        """
        try:
            meta = metadata_of(raw)
            known = self.accesses.get(meta.uid)
            return known is None or may_differ(meta, known.access, self.writing, self._written)
        except Exception as error:  # noqa: BLE001 - the barrier between one event and the watch
            self.unread(error)
            return True

    def see_access(self, raw: Mapping[str, Any]) -> None:
        """Take in a SearchAccess from an event or a list; an older version than the known one is ignored.

        Never raises: one that cannot be read is held, reports it, and is retried with the next list.
        """
        try:
            self._see_access(raw)
        except Exception as error:  # noqa: BLE001 - not even its name could be read
            self.unread(error)

    def unread(self, error: Exception) -> None:
        """Note a fault of ours at something of which not even a name is known: only a full list finds it again."""
        caught(self._meter, "", PLACE, error)
        self.relist.set()

    def _see_access(self, raw: Mapping[str, Any]) -> None:
        meta = metadata_of(raw)
        known = self.accesses.get(meta.uid)
        if not self._has_names(meta, meta.namespace) or meta.uid in self._gone:
            return
        if known and is_old(meta, known.access):
            return
        access = read_access(raw, known.access if known else None, self._meter)
        try:
            self._take_access(access, self.statuses.as_written(meta.uid, read_status(raw)))
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            self._replace_faulty(faulty_access(raw, known.access if known else None, self._meter, error))

    def _has_names(self, meta: Metadata, *names: str) -> bool:
        """Say whether an object can be identified, so that it can be kept and reported on at all."""
        if meta.uid and meta.name and all(names):
            return True
        log.warning("an object without uid or name is left out", name=meta.name, namespace=meta.namespace)
        self._meter.faulted("", PLACE)
        return False

    def _replace_faulty(self, access: Access) -> None:
        known = self.accesses.get(access.uid)
        if known is None:
            # Where it has rights is not known, so wherever it has some they stay.
            access = replace(access, principals=())
            self.accesses[access.uid] = AccessRecord(access, "")
            self._index.add(access)
        else:
            self._replace(known, access)
        self.marks.mark_access(access)

    def _take_access(self, access: Access, status_json: str) -> None:
        uid, known = access.uid, self.accesses.get(access.uid)
        if known:
            older = self._is_older_than_ours(uid, access.resource_version)
            if older:
                access = replace(access, finalizers=known.access.finalizers)
            if older or uid in self.writing:
                status_json = known.status_json
        access = self._admitted(self.subjects.see(access, self.claim(access.cluster), status_json))
        if known is None:
            # In this order: what is known and cannot be found by its principal would never be reconciled.
            self._index.add(access)
            self.accesses[uid] = AccessRecord(access, status_json)
            self._recalled[access.cluster] += is_recalled(access)
            self.marks.mark_access(access)
            return
        before = known.access
        lost_finalizer = before.has_finalizer and not access.has_finalizer and not access.deleted_at
        news = news_of(before) != news_of(access) or lost_finalizer or known.status_json != status_json
        known.status_json = status_json
        self._replace(known, access)
        asked = before.reconcile_requested != access.reconcile_requested
        if asked and self.subjects.ask(access, self.claim(access.cluster)):
            # It is reconciled when Google has answered.
            return
        if news:
            self.marks.mark_access(access)
            self.former.wake(uid)

    def _replace(self, known: AccessRecord, access: Access) -> None:
        before, known.access = known.access, access
        self._recalled[before.cluster] -= is_recalled(before)
        self._recalled[access.cluster] += is_recalled(access)
        if (before.cluster, before.principals, before.auth) != (access.cluster, access.principals, access.auth):
            self._index.remove(before)
            self._index.add(access)
            self.marks.mark_access(before)
            self.marks.mark_access(access)
            self.former.wake(access.uid)
            self._leave(before, known)
            if not before.principals and not before.has_credential and known.status.elasticsearch:
                # It kept rights wherever it had them: nobody knows where, before all roles are read.
                for cluster in {before.cluster, access.cluster}:
                    self.marks.mark_cluster(cluster, everything=True)

    def _leave(self, before: Access, known: AccessRecord) -> None:
        """Note what a SearchAccess has where it does not declare it any more: it is not released before that."""
        placed, cluster = known.standing.placed, self.clusters.get(before.cluster)
        if placed is None or cluster is None or not placed.cluster_uuid or cluster.pinned != placed.cluster_uuid:
            return
        now = known.access if known.access.cluster == before.cluster else None
        if before.has_credential:
            left = {KEYS} if now is None or not now.has_credential else set()
        else:
            left = set(before.principals) - set(now.principals if now else ())
        for principal in left:
            self.former.leave(before.uid, before.cluster, principal)

    def identify(self, subject: Subject, identity: Identity, *, look: bool) -> None:
        """Take in what Google says of a subject.

        Args:
            subject: the subject.
            identity: what is known of it now.
            look: reconcile whoever names it in any case, not only if it makes a difference.
        """
        for uid in self.subjects.learn(subject, identity):
            known = self.accesses[uid]
            access = identified(known.access, identity, self.claim(known.access.cluster))
            if look or access != known.access:
                self._replace(known, access)
                self.marks.mark_access(access)
                self.former.wake(uid)

    async def settle(self, cluster: str) -> None:
        """Work out everybody's principals anew, if the cluster knows callers by another claim than before.

        To be done before a cluster is reconciled: until then, only what was seen since has the new principals.
        """
        while (change := self._reclaimed.get(cluster)) is not None:
            async for record in in_chunks(list(self.of_cluster(cluster))):
                access = record.access
                if self.accesses.get(access.uid) is record and access.cluster == cluster:
                    self._reidentify(record)
            if self._reclaimed[cluster] == change:
                del self._reclaimed[cluster]

    def _reidentify(self, record: AccessRecord) -> None:
        cluster = record.access.cluster
        try:
            access = self.subjects.see(record.access, self.claim(cluster), record.status_json)
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            access = replace(record.access, fault=caught(self._meter, cluster, PLACE, error).message)
            self.marks.mark_access(access)
        self._replace(record, access)

    def wrote(self, uid: str, version: str) -> None:
        """Take in that we wrote an object's status or finalizers: events of older versions say nothing of these."""
        if uid not in self._gone:
            self._written[uid] = max(version_of(version), self._written.get(uid, 0))

    def stored(self, ref: ObjectRef, written: str, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        """Take in what Kubernetes has of a status that we wrote.

        Args:
            ref: the object.
            written: the status, as JSON.
            stored: what Kubernetes has of it.
            sent: the status.
        """
        kept = self.statuses.compare(ref, written, stored, sent)
        record = self.clusters.get(ref.name) if ref.plural is Plural.CLUSTERS else None
        if record and record.cluster.uid == ref.uid:
            record.stored_json = kept
        for uid, known in self.statuses.completed(ref.plural, sent) if kept is written else ():
            self._write_again(uid, known)

    def _write_again(self, uid: str, known: Difference) -> None:
        """Let a status be written once more of which not all was stored."""
        clusters = {record.cluster.uid: record for record in self.clusters.values()}
        record = self.accesses.get(uid) or clusters.get(uid)
        if record and record.status_json == known.written:
            record.status_json, record.wrote = known.stored, 0
            self.mark_uid(uid)

    def _is_older_than_ours(self, uid: str, version: str) -> bool:
        return version_of(version) < self._written.get(uid, 0)

    def forget_access(self, uid: str) -> None:
        """Take in that a SearchAccess is gone."""
        self._gone.add(uid)
        self._written.pop(uid, None)
        self.statuses.forget(uid)
        known = self.accesses.pop(uid, None)
        if known:
            self._index.remove(known.access)
            self._recalled[known.access.cluster] -= is_recalled(known.access)
            self.subjects.forget(uid)
            self.former.wake(uid)
            if known.access.credential:
                self.contested.wake(known.access.credential.name)
            if not known.confirmed:
                self.marks.mark_access(known.access)

    def see_cluster(self, raw: Mapping[str, Any]) -> None:
        """Take in a SearchCluster from an event or a list.

        Never raises: one that cannot be read reports it, and is retried with the next list.
        """
        try:
            self._see_cluster(raw)
        except Exception as error:  # noqa: BLE001 - not even its name could be read
            self.unread(error)

    def _see_cluster(self, raw: Mapping[str, Any]) -> None:
        meta = metadata_of(raw)
        known = self.clusters.get(meta.name)
        if not self._has_names(meta) or meta.uid in self._gone_clusters:
            return
        # Versions of a kind grow over all objects: an earlier one of this name has a lower one too.
        if known and is_old(meta, known.cluster):
            return
        try:
            self._take_cluster(read_cluster(raw, self._meter), read_status(raw))
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            self.clusters[meta.name] = ClusterRecord(faulty_cluster(raw, self._meter, error), "")
            self.changed.set()
            self.marks.mark_cluster(meta.name, everything=True)

    def _take_cluster(self, cluster: Cluster, status_json: str) -> None:
        known, stored_json = self.clusters.get(cluster.name), status_json
        status_json = self.statuses.as_written(cluster.uid, status_json)
        if known:
            older = self._is_older_than_ours(cluster.uid, cluster.resource_version)
            if older:
                cluster = replace(cluster, finalizers=known.cluster.finalizers)
                stored_json = known.stored_json
            if older or cluster.uid in self.writing:
                status_json = known.status_json
        claim = self.claim(cluster.name)
        wrote = known.wrote if known and known.cluster.uid == cluster.uid else 0
        self.clusters[cluster.name] = ClusterRecord(cluster, status_json, stored_json, wrote=wrote)
        if claim is not self.claim(cluster.name) and self.count(cluster.name):
            self._reclaimed[cluster.name] = self._reclaimed.get(cluster.name, 0) + 1
        if known is None or known.cluster.allowed_namespaces != cluster.allowed_namespaces:
            self._readmit(cluster.name)
        if _chooses_by_labels(cluster) and not (known and _chooses_by_labels(known.cluster)):
            self.labels_wanted.set()
        if known is None or known.cluster.uid != cluster.uid:
            self.changed.set()
            self.marks.mark_cluster(cluster.name, everything=True)
            return
        blank = {"resource_version": "", "finalizers": ()}
        if replace(known.cluster, **blank) != replace(cluster, **blank):  # type: ignore[arg-type]
            self.marks.mark_cluster(cluster.name, everything=True)
        elif known.status_json != status_json:
            self.marks.mark_cluster(cluster.name)

    def forget_cluster(self, name: str, uid: str) -> None:
        """Take in that a SearchCluster is gone."""
        self._gone_clusters.add(uid)
        self.statuses.forget(uid)
        known = self.clusters.get(name)
        if known and known.cluster.uid == uid:
            del self.clusters[name]
            self.changed.set()

    async def keep_accesses(self, present: set[str], known_before: frozenset[str]) -> None:
        """Take in the end of a full list: what was known before it was asked for and is not in it is gone.

        A deletion while the watch was down leaves no event.

        Args:
            present: the uids that are in the list.
            known_before: the uids that were known when it started.
        """
        self._gone &= present
        async for uid in in_chunks(known_before - present):
            self.forget_access(uid)
            self._gone.discard(uid)

    def keep_clusters(self, present: set[str], known_before: Mapping[str, str]) -> None:
        """Take in the end of a full list of SearchClusters.

        Args:
            present: the uids that are in the list.
            known_before: by name, the uids that were known when it started.
        """
        for name, uid in known_before.items():
            if uid not in present:
                self.forget_cluster(name, uid)
        self._gone_clusters &= present
