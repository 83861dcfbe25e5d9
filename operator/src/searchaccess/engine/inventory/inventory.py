"""The inventory of declared objects: updated by events and lists, it marks what to reconcile.

An event only shows that something changed, never what to do about it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access, Subject, identified
from searchaccess.core.model.identities.identity import Identity
from searchaccess.core.model.intake.metadata import Metadata, metadata_of
from searchaccess.core.model.watched import EVERYWHERE, Watched
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.inventory.changes import (
    is_declared_alike,
    is_recalled,
    left_by,
    reconcile_key,
)
from searchaccess.engine.inventory.indexes.contested import Contested
from searchaccess.engine.inventory.indexes.subjects import Subjects
from searchaccess.engine.inventory.intake import (
    PLACE,
    faulty_access,
    faulty_cluster,
    read_access,
    read_cluster,
    read_status,
    spec_hash,
)
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord
from searchaccess.engine.inventory.stored import Difference, StoredStatuses
from searchaccess.engine.inventory.versions import Versioned
from searchaccess.ports.clock import Clock
from searchaccess.ports.kubernetes import ObjectRef, Plural
from searchaccess.ports.meter import Meter

log = structlog.get_logger(__name__)


class Inventory(Versioned):
    """Keeps the declared objects up to date, and marks what changed.

    Args:
        meter: counts objects that cannot be read.
        watched: the namespaces whose SearchAccesses are listed.
        clock: by which rights, and exceptions of policies, end; None: those that end are not in force.
    """

    def __init__(self, meter: Meter | None = None, watched: Watched = EVERYWHERE, clock: Clock | None = None) -> None:
        super().__init__(meter or Meter(), clock)
        self.watched = watched
        """Only in these namespaces does absence mean that an object does not exist."""
        self._reclaimed: dict[str, int] = {}
        """Clusters whose claim changed since most of their principals were computed, and how often it changed."""
        self.subjects = Subjects()
        self.statuses = StoredStatuses()
        self.contested = Contested(self.marks)

    def is_unseen(self, namespace: str, uid: str) -> bool:
        """Return whether a SearchAccess may exist although it is not known: its namespace is not watched."""
        return uid not in self.accesses and not self.watched.sees(namespace)

    # Events and lists

    def see_access(self, raw: Mapping[str, Any]) -> None:
        """Add or update a SearchAccess from an event or a list; an older version than the known one is ignored.

        Never raises: one that cannot be read is held, reports that, and is retried with the next list.
        """
        try:
            self._see_access(raw)
        except Exception as error:  # noqa: BLE001 - not even its name could be read
            self.report_unreadable(error)

    def _see_access(self, raw: Mapping[str, Any]) -> None:
        meta = metadata_of(raw)
        known = self.accesses.get(meta.uid)
        if not self._has_names(meta, meta.namespace) or meta.uid in self._gone:
            return
        goes_back = meta.uid in self._anew
        if known and self._is_known(meta, known.declared):
            return
        if goes_back:
            # An approval that never counts may be back, too.
            self.approvals.recall_from(meta.uid, read_status(raw))
        spec = spec_hash(raw)
        same = known is not None and spec is not None and spec == known.spec_hash
        if known and same and not known.declared.fault and is_declared_alike(meta, known.declared):
            # Most versions are made by our own writes. To read a spec takes longer than all else.
            access = replace(known.declared, resource_version=meta.resource_version)
        else:
            access = read_access(raw, known.access if known else None, self._meter)
        try:
            self._take_access(access, self.statuses.as_written(meta.uid, read_status(raw)))
            if (record := self.accesses[meta.uid]).spec_hash != spec:
                record.spec_hash = spec
                self.marks.mark_access(record.access)
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            self.policies.judgments.retry(meta.uid, partial(self.see_access, raw))
            self._replace_faulty(faulty_access(raw, known.access if known else None, self._meter, error))

    def _has_names(self, meta: Metadata, *names: str) -> bool:
        """Return whether an object can be identified; otherwise it cannot be kept or reported on."""
        if meta.uid and meta.name and all(names):
            return True
        log.warning("an object without uid or name is left out", name=meta.name, namespace=meta.namespace)
        self._meter.faulted("", PLACE)
        return False

    def _replace_faulty(self, access: Access) -> None:
        access, known = self._despite_fault(access), self.accesses.get(access.uid)
        if known is None:
            # It is not known where it has rights, so they stay everywhere.
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
        if known is None:
            self.approvals.recall_from(uid, status_json)
        access = self.decided(self.subjects.register(access, self.claim(access.cluster), status_json))
        if known is None:
            # In this order: a known object that is not in the index would never be reconciled.
            self._index.add(access)
            self.accesses[uid] = AccessRecord(access, status_json)
            self._recalled[access.cluster] += is_recalled(access)
            self.marks.mark_access(access)
            self.note_verdict(None, access)
            return
        before = known.access
        lost_finalizer = before.has_finalizer and not access.has_finalizer and not access.deleted_at
        changed = reconcile_key(before) != reconcile_key(access) or lost_finalizer or known.status_json != status_json
        known.status_json = status_json
        # A restored etcd may undo a deletion.
        known.confirmed = known.confirmed and bool(access.deleted_at)
        self._replace(known, access)
        asked = before.reconcile_requested != access.reconcile_requested
        if asked and self.subjects.ask(access, self.claim(access.cluster)):
            # It is reconciled once Google has answered.
            return
        if changed:
            self.marks.mark_access(access)
            self.former.requeue(uid)

    def _replace(self, known: AccessRecord, access: Access) -> None:
        before, known.access = known.access, access
        self.note_verdict(before, access)
        self._recalled[before.cluster] -= is_recalled(before)
        self._recalled[access.cluster] += is_recalled(access)
        if (before.cluster, before.principals, before.auth) != (access.cluster, access.principals, access.auth):
            self._index.remove(before)
            self._index.add(access)
            self.marks.mark_access(before)
            self.marks.mark_access(access)
            self.former.requeue(access.uid)
            self._note_left(before, known)
            if not before.principals and not before.has_credential and known.status.elasticsearch:
                # It kept its rights everywhere: only a full read shows where.
                for cluster in {before.cluster, access.cluster}:
                    self.marks.mark_cluster(cluster, full=True)

    def _note_left(self, before: Access, known: AccessRecord) -> None:
        """Record what a SearchAccess has where it no longer declares it: it is not released before that is gone."""
        placed, cluster = known.status_summary.placed, self.clusters.get(before.cluster)
        if placed is None or cluster is None or not placed.cluster_uuid or cluster.pinned != placed.cluster_uuid:
            return
        for principal in left_by(before, known.access):
            self.former.leave(before.uid, before.cluster, principal)

    def identify(self, subject: Subject, identity: Identity, *, force: bool) -> None:
        """Record the identity of a subject.

        Args:
            subject: the subject.
            identity: what is known about it now.
            force: requeue its SearchAccesses in any case, not only if it changed something.
        """
        for uid in self.subjects.set_identity(subject, identity):
            known = self.accesses[uid]
            access = self._judged_or_held(identified(known.access, identity, self.claim(known.access.cluster)))
            if force or access != known.access:
                self._replace(known, access)
                self.marks.mark_access(access)
                self.former.requeue(uid)

    async def settle(self, cluster: str) -> None:
        """Recompute all principals of a cluster if its claim changed, and judge all if it wants policies since.

        Call this before a cluster is reconciled: until then, only objects read since have the new principals.
        """
        await self.settle_judging(cluster)
        while (change := self._reclaimed.get(cluster)) is not None:
            async for record in in_chunks(list(self.of_cluster(cluster))):
                access = record.access
                if self.accesses.get(access.uid) is record and access.cluster == cluster:
                    self._reidentify(record)
            if self._reclaimed[cluster] == change:
                del self._reclaimed[cluster]

    def _reidentify(self, record: AccessRecord) -> None:
        before = record.access
        try:
            claim = self.claim(before.cluster)
            access = self._judged_or_held(self.subjects.register(before, claim, record.status_json))
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            fault = caught(self._meter, before.cluster, PLACE, error).message
            access = self._despite_fault(replace(before, fault=fault, fault_in_judgment=False))
        if (access.fault, access.validity) != (before.fault, before.validity):  # Its time may have come just now.
            self.marks.mark_access(access)
        self._replace(record, access)

    def stored(self, ref: ObjectRef, written: str, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        """Record what Kubernetes has stored of our status.

        Args:
            ref: the object.
            written: the status, as JSON.
            stored: what Kubernetes has stored.
            sent: the status.
        """
        kept = self.statuses.compare(ref, written, stored, sent)
        record = self.clusters.get(ref.name) if ref.plural is Plural.CLUSTERS else None
        if record and record.cluster.uid == ref.uid:
            record.stored_json = kept
        for uid, known in self.statuses.completed(ref.plural, sent) if kept is written else ():
            self._write_again(uid, known)

    def _write_again(self, uid: str, known: Difference) -> None:
        """Have a status rewritten that was stored in part."""
        clusters = {record.cluster.uid: record for record in self.clusters.values()}
        record = self.accesses.get(uid) or clusters.get(uid)
        if record and record.status_json == known.written:
            record.status_json, record.wrote = known.stored, 0
            self.mark_uid(uid)

    def forget_access(self, uid: str) -> None:
        """Remove a SearchAccess that is gone."""
        self._gone.add(uid)
        self._written.pop(uid, None)
        self.statuses.forget(uid)
        self.time_boxes.forget(uid)
        if known := self.accesses.pop(uid, None):
            self.policies.judgments.forget_all(known.declared)
            self.note_verdict(known.access, None)
            self._index.remove(known.access)
            self._recalled[known.access.cluster] -= is_recalled(known.access)
            self.subjects.forget(uid)
            self.former.requeue(uid)
            if known.access.credential:
                self.contested.requeue(known.access.credential.name)
            if not known.confirmed or self._limited(known.access):
                self.marks.mark_access(known.access)

    def see_cluster(self, raw: Mapping[str, Any]) -> None:
        """Add or update a SearchCluster from an event or a list.

        Never raises: one that cannot be read reports that, and is retried with the next list.
        """
        try:
            self._see_cluster(raw)
        except Exception as error:  # noqa: BLE001 - not even its name could be read
            self.report_unreadable(error)

    def _see_cluster(self, raw: Mapping[str, Any]) -> None:
        meta = metadata_of(raw)
        known = self.clusters.get(meta.name)
        if not self._has_names(meta) or meta.uid in self._gone_clusters:
            return
        # Resource versions grow over all objects of a kind: an earlier object of this name has a lower one too.
        if known and self._is_known(meta, known.cluster):
            return
        try:
            self._take_cluster(read_cluster(raw, self._meter), read_status(raw))
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            self.clusters[meta.name] = ClusterRecord(faulty_cluster(raw, self._meter, error), "")
            self.changed.set()
            self.marks.mark_cluster(meta.name, full=True)

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
        self._apply_limits(cluster, known.cluster if known else None)
        if known is None or known.cluster.uid != cluster.uid:
            self.changed.set()
            self.marks.mark_cluster(cluster.name, full=True)
            return
        blank = {"resource_version": "", "finalizers": ()}
        if replace(known.cluster, **blank) != replace(cluster, **blank):  # type: ignore[arg-type]
            self.marks.mark_cluster(cluster.name, full=True)
        elif known.status_json != status_json:
            self.marks.mark_cluster(cluster.name)

    def forget_cluster(self, name: str, uid: str, *, returns: bool = False) -> None:
        """Remove a SearchCluster that is gone.

        Args:
            name: its name.
            uid: its uid.
            returns: whether an object with this uid can come back, as in files; no later event is outdated then.
        """
        if not returns:
            self._gone_clusters.add(uid)
        self.statuses.forget(uid)
        known = self.clusters.get(name)
        if known and known.cluster.uid == uid:
            del self.clusters[name]
            self.changed.set()

    def see_unlisted(self, namespaces: Collection[str]) -> None:
        """Take in which of the watched namespaces a full list could not read: absence says nothing there."""
        before, self.watched = self.watched, self.watched.without(namespaces)
        if before != self.watched:
            self.rewatch.set()
            for name in self.clusters:
                self.marks.mark_cluster(name, full=True)

    async def keep_accesses(self, present: set[str], known_before: frozenset[str]) -> None:
        """Remove what is gone after a full list: objects that were known before it and are not in it.

        A deletion while the watch was down leaves no event.

        Args:
            present: the uids in the list.
            known_before: the uids that were known before it started.
        """
        self._gone &= present
        async for uid in in_chunks(known_before - present):
            known = self.accesses.get(uid)
            if known is None or self.watched.sees(known.declared.namespace):
                self.forget_access(uid)
            self._gone.discard(uid)

    def keep_clusters(self, present: set[str], known_before: Mapping[str, str]) -> None:
        """Remove SearchClusters that are gone after a full list.

        Args:
            present: the uids in the list.
            known_before: by name, the uids that were known before it started.
        """
        for name, uid in known_before.items():
            if uid not in present:
                self.forget_cluster(name, uid)
        self._gone_clusters &= present
