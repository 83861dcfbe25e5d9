"""Turns facts into statuses, events and finalizers: computed once, written by the outbox."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.api.status import ClusterCounts, SearchAccessStatus
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.notfound import not_allowed
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.ownership.others import with_issued
from searchaccess.core.policy.copies import reaching
from searchaccess.core.policy.decision import AccessDecision, Do, decide
from searchaccess.core.policy.proofs import ASKING, questions_of
from searchaccess.core.rights.plan import Finding
from searchaccess.core.status.access import AccessFacts, Failure, build_access_status, build_notes, merged
from searchaccess.core.status.cluster import ClusterReport, build_cluster_notes, build_cluster_status
from searchaccess.core.status.placed import place_of, placed_by
from searchaccess.core.status.proofs import recalled_proof
from searchaccess.engine.barrier import caught
from searchaccess.engine.chunks import in_chunks
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context, Failing
from searchaccess.engine.status.announce import announce, log_transition, queue_status
from searchaccess.engine.status.former import what_is_left, what_stays
from searchaccess.ports.kubernetes import ObjectRef, Plural

_NOTHING_FOUND: Final = Finding()

ProbeState: TypeAlias = Literal["Active", "Unavailable"]


def ref_of(access: Access) -> ObjectRef:
    """Name a SearchAccess."""
    return ObjectRef(Plural.ACCESSES, access.namespace, access.name, access.uid)


def waits(record: AccessRecord) -> bool:
    """Return whether a SearchAccess waits for something: it is new, changed, being deleted or not ready."""
    standing = record.standing
    return bool(record.access.deleted_at) or standing.generation != record.access.generation or not standing.ready


def _is_lasting(facts: AccessFacts) -> bool:
    """Return whether a status made of these facts stays the same when it is made of them again, at any time.

    It does where nothing was read or done, and nothing about the subject's account is published for a while only.
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
        """Compute a SearchAccess's status, and have it written if it is news.

        Returns:
            False: a fault of ours kept it from being computed. It says so, and is to be published again.
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
            try:
                # Whatever was written before the error gives way to it.
                self._write(record, AccessFacts(facts.access, facts.decision, failure=failure))
            except Exception as another:  # noqa: BLE001 - the same, at the least that can be said
                caught(self._context.meter, facts.access.cluster, "publish", another)
            return False
        return True

    def _publish(self, record: AccessRecord, facts: AccessFacts) -> None:
        facts = self._with_usable(facts)
        if stays := what_stays(self._context, record, facts.access):
            facts = replace(facts, stays=stays)
        if record.published is None or record.published[1] is not record.status_json or record.published[0] != facts:
            self._write(record, self._with_copies(facts))
        standing = record.standing
        (self._state.ready.add if standing.ready else self._state.ready.discard)(facts.access.uid)
        (self._state.drifted.add if standing.drifted else self._state.drifted.discard)(facts.access.uid)

    def _with_usable(self, facts: AccessFacts) -> AccessFacts:
        """Add which SearchClusters its namespace may use, if it may not use this one."""
        access, decision = facts.access, facts.decision
        if decision.reason is not Reason.NAMESPACE_NOT_ALLOWED:
            return facts
        usable = self._context.inventory.usable_from(access.namespace)
        message = not_allowed(access.cluster, access.namespace, usable)
        return replace(facts, decision=replace(decision, message=message))

    def _with_copies(self, facts: AccessFacts) -> AccessFacts:
        """Add what mappings copy of what is hidden, as far as that is known; after a failure it is of no interest."""
        copied = self._state.copied
        return facts if copied is None or facts.failure else replace(facts, copies=reaching(facts.access.share, copied))

    def _with_proof(self, facts: AccessFacts, previous: SearchAccessStatus) -> AccessFacts:
        """Add what is known of its queries, and have those tried of which nothing is known, not even by its status."""
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
        """Add which of its patterns match nothing, as far as that is known."""
        absent = self._state.absent
        if absent is None:
            return facts
        return replace(facts, absent=tuple(sorted(absent.intersection(facts.access.share.local_indices))))

    def _write(self, record: AccessRecord, facts: AccessFacts) -> None:
        previous = record.status
        facts = self._with_absent(self._with_proof(facts, previous))
        status = build_access_status(facts, previous, self._context.clock.now())
        # What else is there, from a newer version or by hand, goes with the next change.
        if status != previous:
            notes, ref, cluster = build_notes(facts, previous, status), ref_of(facts.access), facts.access.cluster
            log_transition(self._context, cluster, ref, previous, status, notes)
            text = stable_json(status.to_json())
            queue_status(self._context, record, ref, text, announce(self._context, cluster, ref, notes))
            if place_of(placed_by(status)) != place_of(placed_by(previous)):
                self._context.inventory.former.wake(facts.access.uid)
        record.published = (facts, record.status_json) if _is_lasting(facts) else None

    def release(self, access: Access) -> None:
        """Remove our finalizer: nothing of the deleted SearchAccess is left where it is declared.

        It stays while something may be left elsewhere; whoever confirms that it is gone has it released again.
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
        """Publish why one with which we are done is still there."""
        decision = decide(access, self._context.open_gate(access.cluster))
        self.publish(AccessFacts(access, decision, failure=failure, released=True))

    async def report(
        self,
        facts: Iterable[AccessFacts],
        todo: set[str],
        stuck: Mapping[str, Failure],
        late: str,
    ) -> frozenset[str]:
        """Tell what became of SearchAccesses in a pass.

        Args:
            facts: of each SearchAccess, one for each of its principals.
            todo: principals that the reconcile did not complete: nothing is published for their SearchAccesses.
            stuck: by uid of those that have rights in a role that could not be written, why it could not.
            late: why callers do not get their roles yet; empty: they do.

        Returns:
            The uids of those whose status a fault of ours kept from being computed.
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
            records: the SearchAccesses; may be all of a cluster, other tasks run meanwhile.
            failure: the reason and the message.
            decision: returns the decision about a SearchAccess.
            only_waiting: leave those as they are that wait for nothing.
        """
        async for record in in_chunks(records):
            if not only_waiting or waits(record):
                self.publish(AccessFacts(record.access, decision(record.access), failure=failure))


def _if_late(facts: AccessFacts, late: str) -> AccessFacts:
    """Report that written rights are not in force, while callers do not get the role."""
    concerned = late and facts.decision.do is Do.ENFORCE and facts.failure is None
    return replace(facts, failure=Failure(Reason.PENDING, late)) if concerned else facts


def cluster_ref(cluster: Cluster) -> ObjectRef:
    """Name a SearchCluster."""
    return ObjectRef(Plural.CLUSTERS, "", cluster.name, cluster.uid)


def publish_cluster(context: Context, state: ClusterState, name: str, probe: ProbeState | None) -> None:
    """Compute a SearchCluster's status, and queue it if it changed.

    Args:
        context: what all reconcilers share.
        state: what its reconciler knows.
        name: the SearchCluster's name.
        probe: whether changes are noticed by the probe; None: not known yet.
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
        missing_stores=_missing_stores(context, record.cluster),
        proof=state.proof,
        login=state.login,
        released=state.released,
        adopted=state.adopted,
        others=None if state.others is None else with_issued(state.others, state.issued_by_others),
        life=context.operator.life,
    )
    news = state.mapping_adopted or state.released_notes
    # Most reconciles find nothing new: neither is the status parsed nor computed for that.
    if not news and record.published and record.published[1] is record.status_json and record.published[0] == report:
        return
    previous = record.status
    status = build_cluster_status(report, previous, context.clock.now())
    own, ref = build_cluster_notes(previous, status, state.mapping_adopted), cluster_ref(record.cluster)
    if not isinstance(state.health, Failing):
        # That it fails was logged when it began.
        log_transition(context, name, ref, previous, status, own)
    notes = [*announce(context, name, ref, own), *state.released_notes]
    state.mapping_adopted = ""
    state.released_notes.clear()
    if status == previous:
        record.published = (report, record.status_json)
        context.outbox.put_notes(ref, notes)
        return
    text = stable_json(status.to_json())
    queue_status(context, record, ref, text, notes)


def _missing_stores(context: Context, cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Return by name the stores that SearchAccesses use although they are not declared, and who does."""
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
    )
