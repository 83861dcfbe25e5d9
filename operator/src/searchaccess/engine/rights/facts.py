"""Builds facts about each SearchAccess from a reconcile."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.gateway.limits import default_limits
from searchaccess.core.gateway.sharing import UNLIMITED, Sharing
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.identities.identity import State
from searchaccess.core.policy.bypass import depends_on_others
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.compose import Member, in_order
from searchaccess.core.rights.elsewhere import granted_elsewhere
from searchaccess.core.rights.foreign.additions import Declared
from searchaccess.core.rights.foreign.callers import caller_of, native_caller
from searchaccess.core.rights.foreign.exclusive import NOBODY_ELSE, Exclusivity, Others
from searchaccess.core.rights.foreign.shadows import Shadow
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.rights.refused.isolation import undecided_message
from searchaccess.core.rights.widened import NOT_WIDENED, Widened
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.barrier import caught
from searchaccess.engine.rights.members import HELD
from searchaccess.engine.rights.work import Work, finding_of
from searchaccess.ports.meter import Meter


def is_reported(access: Access, principal: str) -> bool:
    """Return whether a principal's reconcile reports a SearchAccess: not before its subject was resolved."""
    if principal != access.principal and principal not in access.principals:
        return False
    known = access.identity
    # With a message, resolving has taken a while.
    waits = known is not None and not access.principals and known.state is State.RECALLED and not known.message
    return bool(access.deleted_at) or not waits


@dataclass(frozen=True, slots=True)
class FactsBuilder:
    """Builds facts from completed works.

    Args:
        operator: this operator.
        meter: counts faults.
        cluster: name of the SearchCluster.
        uuid: of the Elasticsearch cluster.
        per_principal: whether each principal has a role mapping of its own.
        realm: the realm of the callers; None: not known.
        others: what others have in Elasticsearch; None: not read yet.
        gateway: which limits the callers' requests; None: there is none.
        shadows: by principal, the roles in files that are in force instead of its own, where that was asked.
    """

    operator: Operator
    meter: Meter
    cluster: str
    uuid: str
    per_principal: bool
    realm: WantedRealm | None = None
    others: Others | None = None
    gateway: Gateway | None = None
    shadows: Mapping[str, tuple[Shadow, ...]] = field(default_factory=dict)

    def build(self, work: Work, late: Iterable[str]) -> list[AccessFacts]:
        """Return the facts of a principal's SearchAccesses; an internal error fails only this work.

        Args:
            work: the principal's work.
            late: the uids of those that were too late for this reconcile.
        """
        reported = [
            member
            for member in work.members
            if member.access.uid not in late
            and member.access.cluster == self.cluster
            and is_reported(member.access, work.principal)
        ]
        try:
            enforced = _enforced(work)
            exclusive, sharing = self._exclusive(work, enforced), self._sharing(work)
            return [self._facts(work, member, exclusive, enforced, sharing) for member in reported]
        except Exception as error:  # noqa: BLE001 - the barrier: no other principal's facts are affected
            work.failure = caught(self.meter, self.cluster, "build facts", error)
            return [AccessFacts(member.access, HELD, failure=work.failure) for member in reported]

    def _exclusive(self, work: Work, enforced: Sequence[Member]) -> Exclusivity | None:
        """Return what is known about others who give a principal rights; None: nothing yet."""
        if self.others is None or not (self.realm or self.gateway) or not work.principal:
            return None
        role = self.operator.role_name(work.principal)
        if self.realm is None:
            caller = native_caller(work.principal, role)
        else:
            caller = caller_of(work.principal, role, self.others.anybody, self.realm.principal, _other_name(work))
        # Only behind a gateway Elasticsearch can be asked what a caller really has.
        shadows = self.shadows.get(work.principal) if self.gateway else ()
        if not self.others.may_concern(caller):
            return NOBODY_ELSE if shadows == () else replace(NOBODY_ELSE, shadows=shadows)
        found = self.others.about(caller, Declared.of(_had(work, member) for member in enforced))
        return replace(found, shadows=shadows)

    def _facts(
        self,
        work: Work,
        member: Member,
        exclusive: Exclusivity | None,
        together: Sequence[Member],
        sharing: Sharing | None,
    ) -> AccessFacts:
        finding, first = finding_of(work, member.access.uid), member.access.principal
        role = self.operator.role_name(first) if first else ""
        written = work.applied or any(plan is not None and plan.write is not None for plan in (work.mapping, work.user))
        enforced, failure = member.decision.do is Do.ENFORCE, work.failure
        if failure is None and enforced and work.isolation and member.access.uid in work.undecided:
            failure, enforced = Failure(Reason.PENDING, undecided_message(work.isolation)), False
        decision = member.decision
        if failure is None and decision.reason and member.access.uid in work.retained:
            failure = Failure(decision.reason, decision.message, of_cluster=decision.of_cluster)
        return AccessFacts(
            access=member.access,
            decision=member.decision,
            finding=finding,
            failure=failure,
            applied=written and enforced and bool(finding.differences or finding.adopted),
            role=role,
            mapping="" if self.gateway else role if self.per_principal else self.operator.mapping_name,
            cluster_uuid=self.uuid,
            beside=_beside(member, together),
            widened=_widened(work, member.access.uid),
            elsewhere=granted_elsewhere(member.access, work.members, _owners(work)),
            exclusive=exclusive,
            limits=sharing.about(member.access) if sharing else UNLIMITED,
        )

    def _sharing(self, work: Work) -> Sharing | None:
        if self.gateway is None or not work.principal:
            return None
        held = {each.access.uid for each in work.members if each.decision.do is Do.HOLD} & _owners(work)
        members = [
            replace(each.access, holds_rights=True) if each.access.uid in held else each.access
            for each in work.members
            if each.access.cluster == self.cluster
        ]
        return Sharing(members, default_limits(self.gateway.limits))


def _other_name(work: Work) -> str:
    """Return the unique id of a principal that is an address, or its address; empty: not known."""
    for member in work.members:
        for account in member.access.identity.accounts if member.access.identity else ():
            names = (account.email, account.unique_id)
            if work.principal in names:
                return names[names[0] == work.principal]
    return ""


def _widened(work: Work, uid: str) -> Widened | None:
    """Return who shows what others of the same principal hide; None: an error prevented the plan."""
    planned = uid in work.plan.findings or work.failure is None
    return work.plan.widened.get(uid, NOT_WIDENED) if planned else None


def _owners(work: Work) -> set[str]:
    return {uid for uid, finding in work.plan.findings.items() if finding.owned}


def _enforced(work: Work) -> list[Member]:
    """Return a principal's SearchAccesses that have their rights now, in order."""
    return [item for item in in_order(work.members) if item.decision.do in {Do.ENFORCE, Do.HOLD}]


def _had(work: Work, member: Member) -> Share:
    """Return what a SearchAccess gives its principal: what it declares, unless something keeps that from being granted.

    What only waits, or is observed, counts as declared.
    """
    decision, access = member.decision, member.access
    waits = decision.of_cluster or (decision.reason in {None, Reason.PENDING} and not decision.unseen)
    if decision.do is Do.ENFORCE or waits:
        return access.share
    return work.plan.held.get(access.uid, Share())


def _beside(member: Member, enforced: Sequence[Member]) -> tuple[Share, ...]:
    """Return what other SearchAccesses grant the same caller, where that matters."""
    if not depends_on_others(member.access.share):
        return ()
    return tuple([item.access.share for item in enforced if item is not member])
