"""Turns facts into statuses, events and finalizers: computed once, written by the outbox."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from searchaccess.api.constants import FINALIZER
from searchaccess.api.reasons import Reason
from searchaccess.api.status import ClusterCounts
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.status.access import (
    AccessFacts,
    Failure,
    build_access_status,
    build_notes,
    is_drifted,
    is_ready,
    merged,
)
from searchaccess.core.status.cluster import ClusterReport, build_cluster_notes, build_cluster_status
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context
from searchaccess.ports.kubernetes import ObjectRef, Plural

BREATH: Final = 100
"""Principals planned, or SearchAccesses told of, before other tasks may run."""

ProbeState: TypeAlias = Literal["Active", "Unavailable"]


def ref_of(access: Access) -> ObjectRef:
    """Name a SearchAccess."""
    return ObjectRef(Plural.ACCESSES, access.namespace, access.name, access.uid)


def waits(record: AccessRecord) -> bool:
    """Say whether a SearchAccess waits for something: new, changed, being deleted or not ready."""
    status = record.status
    return (
        bool(record.access.deleted_at)
        or status.get("observedGeneration") != record.access.generation
        or not is_ready(status)
    )


class StatusPublisher:
    """Writes what became of SearchAccesses.

    Args:
        context: what all reconcilers share.
        state: what the reconciler knows of its cluster; keeps who is ready and who is drifted.
    """

    def __init__(self, context: Context, state: ClusterState) -> None:
        self._context = context
        self._state = state

    def tell(self, facts: AccessFacts) -> None:
        """Compute a SearchAccess's status, and have it written if it is news."""
        record = self._context.inventory.accesses.get(facts.access.uid)
        if record is None or not self._context.may_publish(facts.access.cluster):
            return
        previous = record.status
        status = build_access_status(facts, previous, self._context.clock.now())
        state, uid = self._state, facts.access.uid
        (state.ready.add if is_ready(status) else state.ready.discard)(uid)
        (state.drifted.add if is_drifted(status) else state.drifted.discard)(uid)
        text = stable_json(status)
        if text == record.status_json:
            return
        notes = build_notes(facts, previous, status)
        for note in notes:
            self._context.meter.noted(facts.access.cluster, note.reason)
        record.status_json = text
        self._context.outbox.put_status(ref_of(facts.access), text, notes)

    def release(self, access: Access) -> None:
        """Take our finalizer away: nothing of the deleted SearchAccess is left in Elasticsearch."""
        if not self._context.may_publish(access.cluster):
            return
        record = self._context.inventory.accesses.get(access.uid)
        if record:
            record.confirmed = True
        self._state.ready.discard(access.uid)
        self._state.drifted.discard(access.uid)
        if access.has_finalizer:
            after = tuple(item for item in access.finalizers if item != FINALIZER)
            self._context.outbox.put_finalizers(ref_of(access), access.finalizers, after)

    async def report(
        self,
        facts: Iterable[AccessFacts],
        todo: set[str],
        stuck: Mapping[str, Failure],
        late: str,
    ) -> None:
        """Tell what became of SearchAccesses in a pass.

        Args:
            facts: of each SearchAccess, one for each of its principals.
            todo: principals with whom the pass did not come to an end: whoever has one of them is not told.
            stuck: by uid of those that have rights in a role that could not be written, why it could not.
            late: why callers do not get their roles yet; empty: they do.
        """
        by_uid: dict[str, list[AccessFacts]] = {}
        for one in facts:
            by_uid.setdefault(one.access.uid, []).append(one)
        for number, parts in enumerate(by_uid.values()):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            one = _if_late(merged(parts), late)
            access = one.access
            if len(access.principals) > 1 and not todo.isdisjoint(access.principals):
                continue
            if access.deleted_at and access.uid in stuck and one.failure is None:
                one = replace(one, failure=stuck[access.uid])
            if access.deleted_at and one.failure is None and not one.finding.conflict:
                self.release(access)
            else:
                self.tell(one)

    def publish_failure(self, records: Iterable[tuple[AccessRecord, AccessDecision]], failure: Failure) -> None:
        """Say of SearchAccesses that something did not happen."""
        for record, decision in records:
            self.tell(AccessFacts(record.access, decision, failure=failure))


def _if_late(facts: AccessFacts, late: str) -> AccessFacts:
    """Say of what was written that it is not in force, while callers do not get the role."""
    concerned = late and facts.decision.do is Do.ENFORCE and facts.failure is None
    return replace(facts, failure=Failure(Reason.PENDING, late)) if concerned else facts


def cluster_ref(cluster: Cluster) -> ObjectRef:
    """Name a SearchCluster."""
    return ObjectRef(Plural.CLUSTERS, "", cluster.name, cluster.uid)


def publish_cluster(context: Context, state: ClusterState, name: str, probe: ProbeState | None) -> None:
    """Compute a SearchCluster's status, and have it written if it is news.

    Args:
        context: what all reconcilers share.
        state: what its reconciler knows.
        name: the SearchCluster's name.
        probe: whether changes are noticed by the probe; None: not known yet.
    """
    record = context.inventory.clusters.get(name)
    if record is None or not context.may_publish(name):
        return
    failure = state.closed or state.failure or state.trouble
    if failure is None and state.mapping_conflict:
        failure = Failure(Reason.OWNERSHIP_CONFLICT, state.gate.message)
    if failure is None and state.mapping_late:
        failure = Failure(Reason.IDENTITY_UNKNOWN, state.mapping_late)
    report = ClusterReport(
        cluster=record.cluster,
        facts=state.facts,
        failure=failure,
        licensed=state.verdict.reason is not Reason.LICENSE_INSUFFICIENT,
        counts=_counts(context, state, name) if state.uuid else None,
        drift=state.mapping_drift,
        mapping=context.operator.mapping_name if state.mapping_drift else "",
        probe=probe,
        uuid=state.uuid,
        url=state.url,
        exposed=state.exposed,
    )
    previous = record.status
    status = build_cluster_status(report, previous, context.clock.now())
    notes = build_cluster_notes(previous, status, state.mapping_adopted)
    state.mapping_adopted = ""
    text = stable_json(status)
    if text == record.status_json:
        context.outbox.put_notes(cluster_ref(record.cluster), notes)
        return
    record.status_json = text
    context.outbox.put_status(cluster_ref(record.cluster), text, notes)


def _counts(context: Context, state: ClusterState, name: str) -> ClusterCounts:
    return ClusterCounts(
        accesses=context.inventory.count(name),
        ready=len(state.ready),
        drifted=len(state.drifted),
        roles=len(state.roles),
        foreign_roles=state.foreign,
    )
