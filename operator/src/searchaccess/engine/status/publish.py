"""Turns facts into statuses, events and finalizers: computed once, written by the outbox."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from searchaccess.api.clusters.status import ClusterCounts
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.notfound import not_allowed
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.ownership.others import with_issued
from searchaccess.core.policy.copies import reaching
from searchaccess.core.policy.decision import AccessDecision, Do, decide
from searchaccess.core.policy.proofs import ASKING, questions_of
from searchaccess.core.rights.plan import Finding
from searchaccess.core.status.access import (
    AccessFacts,
    Failure,
    build_access_status,
    build_notes,
    is_deletable_now,
    merged,
)
from searchaccess.core.status.aspects.proofs import recalled_proof
from searchaccess.core.status.aspects.usage import AuditFacts
from searchaccess.core.status.cluster import ClusterReport, build_cluster_notes, build_cluster_status
from searchaccess.core.status.faults import with_fault
from searchaccess.core.status.placed import place_of, placed_by
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context, Failing
from searchaccess.engine.status.announce import announce, log_transition, queue_status
from searchaccess.engine.status.expiry import delete_if_due
from searchaccess.engine.status.former import what_is_left, what_stays
from searchaccess.ports.kubernetes import ObjectRef, Plural

_NOTHING_FOUND: Final = Finding()

ProbeState: TypeAlias = Literal["Active", "Unavailable"]


def ref_of(access: Access) -> ObjectRef:
    """Return the reference of a SearchAccess."""
    return ObjectRef(Plural.ACCESSES, access.namespace, access.name, access.uid)


def waits(record: AccessRecord) -> bool:
    """Return whether a SearchAccess waits for something: it is new, changed, being deleted or not ready."""
    status_summary = record.status_summary
    return (
        bool(record.access.deleted_at)
        or status_summary.generation != record.access.generation
        or not status_summary.ready
    )


def _is_lasting(facts: AccessFacts) -> bool:
    """Return whether these facts give the same status at any time.

    They do if nothing was read or done, and nothing temporary about the subject's account is published.
    """
    nothing = facts.finding == _NOTHING_FOUND and facts.credential is None and not facts.applied
    return nothing and facts.failure is not None and facts.access.identity is None


class StatusPublisher:
    """Publishes the statuses of SearchAccesses.

    Args:
        context: what all reconcilers share.
        state: what the reconciler knows of its cluster; keeps who is ready and who is drifted.
    """

    def __init__(self, context: Context, state: ClusterState) -> None:
        self._context = context
        self._state = state

    def publish(self, facts: AccessFacts) -> bool:
        """Compute a SearchAccess's status, and queue it if it changed.

        Returns:
            False: an internal error prevented that. The status reports it, and is to be published again.
        """
        record = self._context.inventory.accesses.get(facts.access.uid)
        if record is None or not self._context.may_publish(facts.access.cluster):
            return True
        try:
            self._publish(record, facts)
        except Exception as error:  # noqa: BLE001 - the barrier between one status and all others
            failure = caught(self._context.meter, facts.access.cluster, "publish", error)
            self._state.ready.discard(facts.access.uid)
            self._state.drifted.discard(facts.access.uid)
            # The error replaces whatever was queued before it. If the smallest status fails too, the last one is kept.
            for write in (self._write_failure, self._write_fault):
                try:
                    write(record, facts, failure)
                    break
                except Exception as another:  # noqa: BLE001 - as above
                    caught(self._context.meter, facts.access.cluster, "publish", another)
            return False
        return True

    def _publish(self, record: AccessRecord, facts: AccessFacts) -> None:
        facts = self._with_usable(facts)
        if stays := what_stays(self._context, record, facts.access):
            facts = replace(facts, stays=stays)
        deletable = is_deletable_now(facts)
        if deletable and (undeleted := self._context.outbox.deletions.why_not(ref_of(facts.access))):
            facts = replace(facts, undeleted=undeleted)
        if record.published is None or record.published[1] is not record.status_json or record.published[0] != facts:
            self._write(record, self._with_copies(facts))
        delete_if_due(self._context, facts.access, ref_of(facts.access), deletable=deletable)
        status_summary = record.status_summary
        (self._state.ready.add if status_summary.ready else self._state.ready.discard)(facts.access.uid)
        (self._state.drifted.add if status_summary.drifted else self._state.drifted.discard)(facts.access.uid)

    def _with_usable(self, facts: AccessFacts) -> AccessFacts:
        """Add to the message which SearchClusters the namespace may use, if it may not use this one."""
        access, decision = facts.access, facts.decision
        if decision.reason is not Reason.NAMESPACE_NOT_ALLOWED:
            return facts
        usable = self._context.inventory.namespaces.usable_from(access.namespace)
        message = not_allowed(access.cluster, access.namespace, usable)
        return replace(facts, decision=replace(decision, message=message))

    def _with_copies(self, facts: AccessFacts) -> AccessFacts:
        """Add hidden fields that mappings copy, if known; after a failure they do not matter."""
        copied = self._state.copied
        return facts if copied is None or facts.failure else replace(facts, copies=reaching(facts.access.share, copied))

    def _with_proof(self, facts: AccessFacts, previous: SearchAccessStatus) -> AccessFacts:
        """Add what is known about its queries; request a try of those that not even its status knows."""
        access, questions = facts.access, self._state.questions
        enforces = facts.decision.do in {Do.ENFORCE, Do.HOLD} and facts.decision.reports and not access.deleted_at
        if facts.failure or not enforces or not questions_of(access.share):
            return facts
        proof = questions.known(access)
        if proof is None:
            proof = recalled_proof(previous, access, self._state.uuid)
            if proof is None:
                questions.ask(access)
                proof = questions.known(access) or ASKING
        questions.note(access)
        questions.published[access.uid] = proof
        return replace(facts, proof=proof)

    def _with_absent(self, facts: AccessFacts) -> AccessFacts:
        """Add which of its patterns match nothing, if known."""
        absent = self._state.absent
        if absent is None:
            return facts
        return replace(facts, absent=tuple(sorted(absent.intersection(facts.access.share.local_indices))))

    def _write(self, record: AccessRecord, facts: AccessFacts) -> None:
        previous = record.status
        facts = self._with_absent(self._with_proof(facts, previous))
        status = build_access_status(facts, previous, self._context.clock.now())
        # Unknown fields, of a newer version or added by hand, are dropped with the next change.
        if status != previous:
            notes, ref, cluster = build_notes(facts, previous, status), ref_of(facts.access), facts.access.cluster
            log_transition(self._context, cluster, ref, previous, status, notes)
            text = stable_json(status.to_json())
            queue_status(self._context, record, ref, text, announce(self._context, cluster, ref, notes))
            record.summarize(status)
            if place_of(placed_by(status)) != place_of(placed_by(previous)):
                self._context.inventory.former.requeue(facts.access.uid)
        record.published = (facts, record.status_json) if _is_lasting(facts) else None

    def _write_failure(self, record: AccessRecord, facts: AccessFacts, failure: Failure) -> None:
        self._write(record, AccessFacts(facts.access, facts.decision, failure=failure))

    def _write_fault(self, record: AccessRecord, facts: AccessFacts, failure: Failure) -> None:
        previous = record.status
        status = with_fault(previous, facts.access.generation, failure, self._context.clock.now())
        if status != previous:
            queue_status(self._context, record, ref_of(facts.access), stable_json(status.to_json()), [])
        record.published = None

    def release(self, access: Access) -> None:
        """Remove our finalizer: nothing of the deleted SearchAccess is left on its SearchCluster.

        The finalizer stays while something may be left elsewhere; whoever removes that releases it again.
        """
        if not self._context.may_publish(access.cluster):
            return
        record = self._context.inventory.accesses.get(access.uid)
        if record and (left := what_is_left(self._context, record)):
            self.publish(AccessFacts(access, AccessDecision(Do.HOLD), failure=Failure(Reason.REVOKING, left)))
            return
        if record:
            record.confirmed = True
        self._state.ready.discard(access.uid)
        self._state.drifted.discard(access.uid)
        if access.has_finalizer:
            after = tuple(item for item in access.finalizers if item != FINALIZER)
            outbox = self._context.outbox
            outbox.put_finalizers(ref_of(access), access.finalizers, after)
            if trouble := outbox.trouble_of(access.uid):
                self._publish_released(access, trouble)
                return
        if others := [item for item in access.finalizers if item != FINALIZER]:
            self._publish_released(access, Failure(Reason.DELETED, f"it waits for {', '.join(others)}"))

    def _publish_released(self, access: Access, failure: Failure) -> None:
        """Publish why a released SearchAccess still exists."""
        decision = decide(access, self._context.open_gate(access.cluster))
        self.publish(AccessFacts(access, decision, failure=failure, released=True))

    async def report(
        self,
        facts: Iterable[AccessFacts],
        todo: set[str],
        stuck: Mapping[str, Failure],
        late: str,
    ) -> frozenset[str]:
        """Publish the results of a reconcile for its SearchAccesses.

        Args:
            facts: one for each principal of each SearchAccess.
            todo: principals that were not completed: nothing is published for their SearchAccesses.
            stuck: by uid of SearchAccesses with rights in a role that could not be written, the reason.
            late: why callers do not get their roles yet; empty: they do.

        Returns:
            The uids of those whose status could not be computed because of an internal error.
        """
        broken: set[str] = set()
        by_uid: dict[str, list[AccessFacts]] = {}
        for one in facts:
            by_uid.setdefault(one.access.uid, []).append(one)
        async for parts in in_chunks(by_uid.values()):
            access = parts[0].access
            try:
                well = self._report(_if_late(merged(parts), late), todo, stuck)
            except Exception as error:  # noqa: BLE001 - the barrier between one report and all others
                failure = caught(self._context.meter, access.cluster, "publish", error)
                self.publish(AccessFacts(access, parts[0].decision, failure=failure))
                well = False
            if not well:
                broken.add(access.uid)
        return frozenset(broken)

    def _report(self, facts: AccessFacts, todo: set[str], stuck: Mapping[str, Failure]) -> bool:
        access = facts.access
        if len(access.principals) > 1 and not todo.isdisjoint(access.principals):
            return True
        if access.deleted_at and access.uid in stuck and facts.failure is None:
            facts = replace(facts, failure=stuck[access.uid])
        if access.deleted_at and facts.failure is None and not facts.finding.conflict:
            self.release(access)
            return True
        return self.publish(facts)

    async def publish_failure(
        self,
        records: Iterable[AccessRecord],
        failure: Failure,
        decision: Callable[[Access], AccessDecision],
        *,
        only_waiting: bool,
    ) -> None:
        """Publish a failure on SearchAccesses.

        Args:
            records: the SearchAccesses; there may be many, so other tasks run meanwhile.
            failure: the reason and the message.
            decision: returns the decision about a SearchAccess.
            only_waiting: skip those that wait for nothing.
        """
        async for record in in_chunks(records):
            if not only_waiting or waits(record):
                self.publish(AccessFacts(record.access, decision(record.access), failure=failure))


def _if_late(facts: AccessFacts, late: str) -> AccessFacts:
    """Report written rights as pending while callers do not get the role."""
    concerned = late and facts.decision.do is Do.ENFORCE and facts.failure is None
    return replace(facts, failure=Failure(Reason.PENDING, late)) if concerned else facts


def cluster_ref(cluster: Cluster) -> ObjectRef:
    """Return the reference of a SearchCluster."""
    return ObjectRef(Plural.CLUSTERS, "", cluster.name, cluster.uid)


def publish_cluster(context: Context, state: ClusterState, name: str, probe: ProbeState | None) -> None:
    """Compute a SearchCluster's status, and queue it if it changed.

    Args:
        context: what all reconcilers share.
        state: what its reconciler knows.
        name: the SearchCluster's name.
        probe: whether the probe works; None: not known yet.
    """
    record = context.inventory.clusters.get(name)
    if record is None or not context.may_publish(name):
        return
    failure = state.problem
    if failure is None and state.mapping_conflict:
        failure = Failure(state.gate.reason or Reason.OWNERSHIP_CONFLICT, state.gate.message)
    if failure is None and state.mapping_unwritten:
        failure = Failure(Reason.ROLE_MAPPING_NOT_WRITTEN, state.gate.message)
    if failure is None and state.mapping_late:
        failure = Failure(Reason.IDENTITY_UNKNOWN, state.mapping_late)
    gateway = state.gateway
    if failure is None and gateway and gateway.problem:
        failure = Failure(gateway.problem.reason, gateway.problem.message)
    drift = state.mapping_drift or (gateway.drift if gateway else None)
    report = ClusterReport(
        cluster=record.cluster,
        facts=state.facts,
        failure=failure,
        licensed=state.verdict.reason is not Reason.LICENSE_INSUFFICIENT,
        counts=_counts(context, state, name) if state.uuid else None,
        drift=drift,
        mapping=context.operator.mapping_name if state.mapping_drift else "",
        probe=probe,
        uuid=state.uuid,
        url=state.url,
        exposed=state.exposed,
        missing_stores=_missing_stores(context, record.cluster),
        proof=state.proof,
        login=state.login,
        released=state.released,
        adopted=state.adopted,
        others=None if state.others is None else with_issued(state.others, state.issued_by_others),
        unseen=state.unseen_others,
        installation=context.operator.installation,
        gateway=gateway,
        former_mappings=state.former_mappings,
        audit=_audit(state, record.cluster),
    )
    rotated = bool(gateway and gateway.rotated)
    has_notes = state.mapping_adopted or state.released_notes or state.notes or rotated
    # Most reconciles find nothing new: then the status is neither parsed nor computed.
    if (
        not has_notes
        and record.published
        and record.published[1] is record.status_json
        and record.published[0] == report
    ):
        return
    previous = record.status
    status = build_cluster_status(report, previous, context.clock.now())
    own, ref = build_cluster_notes(previous, status, state.mapping_adopted, gateway), cluster_ref(record.cluster)
    if not isinstance(state.health, Failing):
        # The failure was logged when it began.
        log_transition(context, name, ref, previous, status, own)
    notes = [*announce(context, name, ref, own), *state.released_notes, *state.notes]
    state.mapping_adopted = ""
    state.released_notes.clear()
    state.notes.clear()
    if gateway and gateway.rotated:
        state.gateway = replace(gateway, rotated="")
    if status == previous:
        record.published = (report, record.status_json)
        context.outbox.put_notes(ref, notes)
        return
    text = stable_json(status.to_json())
    queue_status(context, record, ref, text, notes)


def _audit(state: ClusterState, cluster: Cluster) -> AuditFacts | None:
    """Return what is known about the audit events that a SearchCluster declares; None: it declares none."""
    if cluster.audit is None:
        return None
    known = state.audit
    return known if known is not None and known.index == cluster.audit.index else AuditFacts(cluster.audit.index)


def _missing_stores(context: Context, cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Return undeclared stores by name, each with the SearchAccesses that use it."""
    spec = cluster.spec
    if spec is None:
        return {}
    declared, users = {store.name for store in spec.secret_stores}, defaultdict[str, list[str]](list)
    for record in context.inventory.keyed(cluster.name):
        credential = record.declared.credential
        if credential and credential.store not in declared and not record.confirmed:
            users[credential.store].append(record.declared.ref)
    return {store: tuple(some) for store, some in users.items()}


def _counts(context: Context, state: ClusterState, name: str) -> ClusterCounts:
    return ClusterCounts(
        accesses=context.inventory.count(name),
        ready=len(state.ready),
        drifted=len(state.drifted),
        roles=len(state.roles),
        foreign_roles=state.foreign,
        released_rights=len(state.released or ()),
        users=state.users,
    )
