"""Which SearchAccesses are taken: by the namespaces that SearchClusters allow, by policies, and by the time."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.consent import NOT_NEEDED, Consent, ConsentState
from searchaccess.core.model.labels import may_limit
from searchaccess.core.model.verdict import PolicyVerdict
from searchaccess.core.policy.consent.decision import (
    Around,
    Demand,
    consent_of,
    first_end,
    given_ahead,
    with_approvals,
)
from searchaccess.core.policy.guardrails.aliases import Aliases, IndexNames
from searchaccess.core.policy.namespaces import needs_labels
from searchaccess.core.work import Work
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import Pace, in_chunks
from searchaccess.engine.concurrency.fairness import in_turn
from searchaccess.engine.inventory.consent.approvals import Approvals
from searchaccess.engine.inventory.declared import Declared
from searchaccess.engine.inventory.former import FormerRights
from searchaccess.engine.inventory.intake import PLACE
from searchaccess.engine.inventory.marks import Marks
from searchaccess.engine.inventory.policy.allowed import Labels, selects_by_labels
from searchaccess.engine.inventory.policy.judgments.judgments import MEANWHILE
from searchaccess.engine.inventory.policy.policies import Policies
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.inventory.timeboxes import TimeBoxes
from searchaccess.ports.clock import Clock
from searchaccess.ports.meter import Meter

_SCHEDULE: Final = 5
"""Usual SearchAccesses that are judged while an odd schedule is compared with the time: two or three milliseconds."""


class _Wanted(NamedTuple):
    """Which approvals policies want.

    Args:
        consent: whether those are there without which there are no rights.
        demands: of each policy that wants one.
        consents: by policy, whether its own is there.
    """

    consent: Consent
    demands: tuple[Demand, ...]
    consents: Mapping[str, Consent]

    @property
    def audited(self) -> dict[str, Consent]:
        """By policy that only reports, whether its own is there."""
        return {each.policy: self.consents[each.policy] for each in self.demands if each.audits}


_NOTHING_WANTED: Final = _Wanted(NOT_NEEDED, (), {})


class Judged(Declared):
    """The declared objects, with what SearchClusters and policies decide about each SearchAccess.

    Args:
        meter: counts SearchAccesses at which an internal error occurred.
        clock: by which rights, and exceptions of policies, end; None: those that end are not in force.
    """

    def __init__(self, meter: Meter, clock: Clock | None) -> None:
        self._meter = meter
        self._clock = clock
        self.relist = asyncio.Event()
        """Set when a full list is needed: an event may have been missed, or could not be read."""
        self.time_boxes = TimeBoxes(clock)
        self.policies = Policies(meter, clock)
        self.approvals = Approvals(meter, self.time_boxes.request)
        super().__init__(self.policies)
        self._aliases: dict[str, Aliases] = {}
        """By SearchCluster, where its aliases lead; absent: it was not read yet."""
        self._unjudged: set[str] = set()
        """Clusters that want policies since just now, or no longer: their SearchAccesses were not judged since."""
        self.changed = asyncio.Event()
        """Set when a SearchCluster is added or removed, or a SearchAccess names an unknown one."""
        self.marks = Marks(self.clusters, self.changed, self.callers)
        self.former = FormerRights(self.marks, self._mark_access_of)
        """Rights that are no longer declared where they are."""

    def generation_of(self, uid: str) -> int | None:
        """Return the known generation of a SearchAccess; None: there is none."""
        record = self.accesses.get(uid)
        return record.declared.generation if record else None

    def _mark_access_of(self, uid: str) -> None:
        if record := self.accesses.get(uid):
            self.marks.mark_access(record.access)

    def report_unreadable(self, error: Exception) -> None:
        """Count an object whose name cannot be read, and request a full list, which reads it again."""
        caught(self._meter, "", PLACE, error)
        self.relist.set()

    def mark_uid(self, uid: str) -> None:
        """Request a reconcile of a SearchAccess or SearchCluster, if it still exists."""
        self._mark_access_of(uid)
        for name, known in self.clusters.items():
            if known.cluster.uid == uid:
                self.marks.mark_cluster(name)

    def see_namespaces(self, labels: Labels) -> None:
        """Replace all namespaces: by name, their labels."""
        if not self.namespaces.replace_labels(labels):
            return
        if self.policies.needs_labels:
            self.policies.judge_all()
        for name, record in self.clusters.items():
            if needs_labels(record.cluster.allowed_namespaces):
                self._readmit(name)
            if needs_labels(record.cluster.adopting_namespaces):
                for asking in self.of_cluster(name):
                    if asking.declared.adopt:
                        self.marks.mark_access(asking.declared)

    def _limited(self, access: Access) -> bool:
        """Return whether a SearchAccess that is gone may have limited its caller; if that is not known, it may have."""
        try:
            return may_limit(access)
        except Exception as error:  # noqa: BLE001 - the barrier between this question and the removal
            caught(self._meter, access.cluster, PLACE, error)
            return True

    def _admitted(self, access: Access, *, read: bool = True) -> Access:
        admission = self.namespaces.admission(access.cluster, access.namespace, read=read)
        return access if admission is access.admission else replace(access, admission=admission)

    def _judged(self, access: Access, *, keeps: bool = False) -> Access:
        """Return a SearchAccess with what is decided about it now.

        Args:
            access: the SearchAccess.
            keeps: whether the former verdict stays until another one is found.
        """
        if access.fault_in_judgment:
            # Whether the former verdict still counts was not found out.
            access, keeps = replace(access, fault="", fault_in_judgment=False), False
        wanted = self._wanted(access)
        approvals = self.approvals.of(access.uid)
        ahead = given_ahead(access, wanted.demands, approvals) if approvals else []
        if ahead and self.approvals.suspect(access.uid, ahead):
            if wanted.demands:
                # Otherwise nothing depends on it now: the next regular list is soon enough.
                self.relist.set()
            # What is suspected does not count.
            wanted = self._wanted(access)
        timed = self.time_boxes.judge(self._consented(access, wanted))
        judged = self._judged_by_policies(timed, wanted, keeps=keeps)
        self.time_boxes.remind(access.uid, first_end(wanted.audited))
        return judged

    def _judged_or_held(self, access: Access, *, keeps: bool = False) -> Access:
        """Return what ``_judged`` does; after an internal error it is held, and judged again after a while."""
        try:
            return self._judged(access, keeps=keeps)
        except Exception as error:  # noqa: BLE001 - the barrier between one object and all others
            fault = caught(self._meter, access.cluster, PLACE, error).message
            self.policies.judgments.retry(access.uid)
            is_read = not access.fault or access.fault_in_judgment
            return self._despite_fault(replace(access, fault=fault, fault_in_judgment=True) if is_read else access)

    def _wanted(self, access: Access) -> _Wanted:
        """Return which approvals policies want of a SearchAccess: computed once for all that depend on it."""
        demands = tuple(self.policies.demands(access, self.namespaces.labels_of(access.namespace)))
        if not demands and not self.approvals.of(access.uid):
            return _NOTHING_WANTED
        around = self._around(access)
        consent = consent_of(access, [each for each in demands if not each.audits], around)
        if around.premature:
            consent = replace(consent, premature=around.premature)
        return _Wanted(consent, demands, {each.policy: consent_of(access, [each], around) for each in demands})

    def _consented(self, access: Access, wanted: _Wanted | None = None) -> Access:
        """Return a SearchAccess with what the required approvals allow now."""
        consent = (wanted or self._wanted(access)).consent
        return access if consent == access.consent else replace(access, consent=consent)

    def _around(self, access: Access) -> Around:
        approvals = self.approvals
        listed = approvals.listed_in(access.namespace)
        premature, suspects = approvals.premature(access.uid), approvals.suspects.keys()
        return Around(approvals.of(access.uid), listed, approvals.vouching, self.time_boxes.now(), premature, suspects)

    def _despite_fault(self, access: Access) -> Access:
        """Return a SearchAccess with an internal error, judged: consent, its time and policies end its rights."""
        for judge in (self._consented, self.time_boxes.judge, self._judged_by_policies):
            try:
                access = judge(access)
            except Exception as error:  # noqa: BLE001 - what is judged may itself be the cause
                caught(self._meter, access.cluster, PLACE, error)
        return access

    def _judged_by_policies(self, access: Access, wanted: _Wanted | None = None, *, keeps: bool = False) -> Access:
        if access.fault and access.verdict.refused:
            # What could not be read may declare anything: what was refused stays so.
            return access
        labels, aliases, needs_one = self._beside(access)
        if labels is None and self.policies.needs_labels:
            self.namespaces.labels_wanted.set()
        verdict = self.policies.judge(access, labels, aliases, wanted=needs_one)
        if keeps and verdict in MEANWHILE:
            return access
        return self._with_verdict(access, verdict, wanted)

    def _beside(self, access: Access) -> tuple[Mapping[str, str] | None, Aliases | None, bool]:
        """Return what policies evaluate beside a SearchAccess.

        These are the labels of its namespace, where aliases of its cluster lead, and whether that wants a policy.
        """
        record = self.clusters.get(access.cluster)
        needs_one = record is not None and record.cluster.wants_policies
        return self.namespaces.labels_of(access.namespace), self._aliases.get(access.cluster), needs_one

    def _with_verdict(self, access: Access, verdict: PolicyVerdict, wanted: _Wanted | None = None) -> Access:
        wanted = wanted or self._wanted(access)
        verdict = with_approvals(verdict, wanted.demands, wanted.consents) if wanted.demands else verdict
        return access if verdict == access.verdict else replace(access, verdict=verdict)

    def decided(self, access: Access) -> Access:
        """Return a SearchAccess with what its SearchCluster and policies are known to decide about it now."""
        return self._judged(self._admitted(access))

    def previewing(self, access: Access) -> Work[Access]:
        """Find out, in parts, what would be decided now about a SearchAccess that may never be stored.

        It is not remembered. No labels are requested: anybody may name a namespace that does not exist.
        """
        if not access.created_at and self._clock:
            access = replace(access, created_at=self._clock.now())
        timed = self.time_boxes.compared(self._consented(self._admitted(access, read=False)))
        if timed.fault and timed.verdict.refused:
            return timed
        labels, aliases, needs_one = self._beside(timed)
        verdict = yield from self.policies.judging(timed, labels, aliases, wanted=needs_one)
        return self._with_verdict(timed, verdict)

    def note_verdict(self, before: Access | None, after: Access | None) -> None:
        """Have SearchAccesses counted again if policies decide otherwise than before; None: there is none.

        What was decided about it on a SearchCluster that does not exist is forgotten when it names another one: it may
        name any number of them.
        """
        if before and after and before.cluster != after.cluster and before.cluster not in self.clusters:
            self.policies.judgments.leave(before)
        if (before.verdict.outcomes if before else ()) != (after.verdict.outcomes if after else ()):
            self.policies.recount.set()

    def refuses(self, access: Access, cluster: str, *, own: bool = True) -> bool:
        """Return whether policies refuse a SearchAccess, and let no rights stay, where it is or at a former place.

        Args:
            access: the SearchAccess.
            cluster: the SearchCluster of the former place.
            own: whether the rights there are those of its present subject, or end by themselves.
        """
        there = replace(access, cluster=cluster)
        # Another subject may have needed an approval: an edit of the subject must not let its rights stay without end.
        had = there if own else replace(there, subject=None)
        if self._consented(had).consent.state is ConsentState.MISSING:
            return True
        if access.invalid:
            # It is held, not judged.
            return False
        if access.fault:
            return access.verdict.revokes
        return access.verdict.revokes or self._judged_by_policies(there).verdict.revokes

    async def judge_all(self) -> None:
        """Decide anew about SearchAccesses to which a policy that changed may apply.

        Those about which policies decide otherwise than before are reconciled.
        """
        is_due = self.policies.take_due()
        try:
            # Where it has rights still, policies of another cluster apply.
            items = self.accesses.items()
            await self._judge_each([uid for uid, record in items if is_due(record.declared) or self.former.places(uid)])
        except BaseException:
            # Which of them were judged is not known.
            self.policies.judge_all()
            raise

    async def judge_due(self) -> None:
        """Wait until rights of some SearchAccesses begin or end, and have these reconciled."""
        await self._judge_each(await self.time_boxes.due())

    async def _judge_each(self, uids: Iterable[str], *, keeps: bool = True) -> None:
        """Decide anew about SearchAccesses, and let other tasks run in between.

        Args:
            uids: of the SearchAccesses.
            keeps: whether what is known of one stays until a judgment of it that takes long is finished.
        """
        pace, accesses = Pace(), self.accesses
        # However many one namespace has, those of others are not judged after all of them.
        ordered = in_turn(uids, lambda uid: accesses[uid].declared.namespace if uid in accesses else "")
        for uid in ordered:
            if record := self.accesses.get(uid):
                self._judge(record, keeps=keeps)
                if self.policies.judgments.allowance.is_low:
                    await asyncio.sleep(0)
                await pace.spent(_SCHEDULE if record.declared.time_box.schedule else 1)

    async def finish_judgments(self) -> None:
        """Continue the judgments that take long, until cancelled."""
        await self.policies.judgments.run(self._judge_again)

    async def judge_to_the_end(self) -> None:
        """Decide anew as ``judge_all`` does, and wait for what takes long: for those who look once."""
        await self.judge_all()
        await self.policies.judgments.finish(self._judge_again)

    def _judge_again(self, uid: str) -> None:
        if record := self.accesses.get(uid):
            self._judge(record)

    async def see_aliases(self, cluster: str, aliases: Aliases) -> None:
        """Take in where the aliases of a cluster lead, and judge the SearchAccesses anew whose names lead elsewhere."""
        before, self._aliases[cluster] = self._aliases.get(cluster, Aliases(IndexNames())), aliases
        if not self.policies.deny:
            return
        led = list[str]()
        async for record in in_chunks(list(self.of_cluster(cluster))):
            patterns = record.declared.share.local_indices
            if before.says(patterns) != aliases.says(patterns):
                led.append(record.declared.uid)
        await self._judge_each(led)

    def forget_aliases(self, cluster: str) -> None:
        """Forget where the aliases of a cluster lead: it is another one, or it is gone."""
        self._aliases.pop(cluster, None)

    def _judge(self, record: AccessRecord, *, keeps: bool = True) -> None:
        before = record.access
        access = self._judged_or_held(before, keeps=keeps)
        if access is not before:
            record.access = access
            self.marks.mark_access(access)
            self.note_verdict(before, access)
        if access is not before or self.former.places(access.uid):
            # Policies of another cluster, where it has rights still, may say something else than those of its own.
            self.former.requeue(access.uid)

    def _readmit(self, cluster: str) -> None:
        """Decide again which namespaces are allowed: for all at once, so that no refused SearchAccess is enforced."""
        decided = dict[str, Admission]()
        for record in self.of_cluster(cluster):
            namespace = record.declared.namespace
            if namespace not in decided:
                decided[namespace] = self.namespaces.admission(cluster, namespace)
            if record.admit(decided[namespace]):
                self.marks.mark_access(record.declared)

    def _apply_limits(self, cluster: Cluster, before: Cluster | None) -> None:
        """Decide anew whom a SearchCluster takes, if that is another than before."""
        if before is None or before.allowed_namespaces != cluster.allowed_namespaces:
            self._readmit(cluster.name)
        if selects_by_labels(cluster) and not (before and selects_by_labels(before)):
            self.namespaces.labels_wanted.set()
        if cluster.wants_policies != (before is not None and before.wants_policies):
            self._unjudged.add(cluster.name)
            self.policies.judge_all()

    async def settle_judging(self, cluster: str) -> None:
        """Judge all SearchAccesses of a cluster that wants policies since just now, or no longer."""
        if cluster not in self._unjudged:
            return
        self._unjudged.discard(cluster)
        # Until a policy is known to apply, it gets nothing: the SearchCluster is reconciled next.
        await self._judge_each([record.declared.uid for record in self.of_cluster(cluster)], keeps=False)
