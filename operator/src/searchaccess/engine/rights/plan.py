"""Plans principals' roles from what is declared and observed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import RolePlan, plan_role
from searchaccess.core.rights.refused.isolation import Isolation
from searchaccess.core.rights.refused.refusals import with_refusals
from searchaccess.core.status.placed import seen_of
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import Pace
from searchaccess.engine.rights.members import HELD, Members, Phase
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.rights.ownership.released import ReleasedLedger
from searchaccess.engine.rights.work import Work, fingerprint
from searchaccess.engine.state import Context


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans roles in one reconcile.

    Args:
        context: what all reconcilers share.
        cluster: name of the SearchCluster.
        uuid: of the Elasticsearch cluster.
        members: the members of each role.
        observed: what was read.
        settled: by unchanged principal, the fingerprint of its role when it was last settled.
        released: the list of released rights.
        agreed: which foreign roles may be adopted.
    """

    context: Context
    cluster: str
    uuid: str
    members: Members
    observed: Observed
    settled: Mapping[str, int]
    released: ReleasedLedger
    agreed: Agreed = field(default_factory=Agreed)
    _again: set[str] = field(default_factory=set)
    """Principals that are planned twice; for all others, planning drops what was read."""

    async def in_order(self, principals: Collection[str]) -> dict[Phase, list[str]]:
        """Return principals by the phase in which their roles are written, without settled ones."""
        found: dict[Phase, list[str]] = {phase: [] for phase in Phase}
        pace = Pace()
        for principal in sorted(principals):
            await pace.spent(self.members.count(principal))
            name = self.context.operator.role_name(principal)
            raw = self.observed.roles.get(name)
            try:
                if principal in self.settled and raw and self.settled[principal] == fingerprint(raw):
                    # Neither what is declared nor the role changed since it was settled.
                    del self.observed.roles[name]
                    continue
                phases = self.members.phases(principal, raw)
            except Exception:  # noqa: BLE001 - planning meets the same error, and reports and counts it
                phases = (Phase.GROWS,)
            for phase in phases:
                found[phase].append(principal)
            if len(phases) > 1:
                self._again.add(principal)
        return found

    async def plan(self, principals: Sequence[str]) -> list[Work]:
        """Plan roles; one that cannot be planned affects only its principal."""
        works, pace = [], Pace()
        for principal in principals:
            try:
                works.append(await self._plan(principal, pace))
            except Exception as error:  # noqa: BLE001 - the barrier: a principal that cannot be planned affects no other
                works.append(self._unplanned(principal, error))
        return works

    async def _plan(self, principal: str, pace: Pace) -> Work:
        name = self.context.operator.role_name(principal)
        roles = self.observed.roles
        raw = roles.get(name) if principal in self._again else roles.pop(name, None)
        self._again.discard(principal)
        role = Role(name, role_from_json(raw), dict(raw.get("metadata") or {})) if raw is not None else None
        members = self.members.of(principal, role)
        await pace.spent(len(members))
        plan = self.plan_role(principal, members, role)
        members = with_refusals(members, plan.refused)
        work = Work(principal, members, role, plan, refused=dict(plan.refused))
        waiting = self.members.rejections.resumed(principal, members)
        if waiting and waiting.undecided:
            work.plan = self.without(work, waiting.undecided)
        groups = waiting.groups if waiting else ()
        if (recalled := self.members.recalled(members)) or groups:
            work.isolation = Isolation((), waiting.message if waiting else "", (*groups, recalled))
        work.fingerprint = fingerprint(raw) if raw else None
        work.mapping_seen = any(
            (had := record.status_summary.placed) is not None and had.mapping == name
            for record in self.members.records(principal)
        )
        return work

    def _unplanned(self, principal: str, error: Exception) -> Work:
        members = [Member(record.access, HELD) for record in self.members.records(principal)]
        work = Work(principal, members, None, RolePlan(self.context.operator.role_name(principal)))
        work.failure = caught(self.context.meter, self.cluster, "plan role", error)
        return work

    def plan_role(self, principal: str, members: Sequence[Member], observed: Role | None) -> RolePlan:
        """Plan one principal's role."""
        if not principal:
            return RolePlan("")
        seen = {
            member.access.uid: known
            for member in members
            if (record := self.context.inventory.accesses.get(member.access.uid))
            and (known := seen_of(record.status_summary.placed, self.uuid))
        }
        operator, inventory = self.context.operator, self.context.inventory
        asking = {member.access.namespace for member in members if member.access.adopt}
        namespaces = frozenset(name for name in asking if inventory.namespaces.may_adopt(self.cluster, name))
        agreed = replace(self.agreed, namespaces=namespaces) if namespaces != self.agreed.namespaces else self.agreed
        remembered = self.released.of(operator.role_name(principal))
        return plan_role(operator, principal, members, observed, seen, remembered, agreed)

    def without(self, work: Work, uids: Collection[str]) -> RolePlan:
        """Plan a role in which some SearchAccesses keep what they have."""
        members = [replace(member, decision=HELD) if member.access.uid in uids else member for member in work.members]
        return self._again_planned(work, members)

    def _again_planned(self, work: Work, members: Sequence[Member]) -> RolePlan:
        """Plan a role again, and keep the released rights that the first plan found."""
        plan = self.plan_role(work.principal, members, work.observed)
        remember = (*work.plan.releasing.remember, *plan.releasing.remember)
        return replace(plan, releasing=replace(plan.releasing, remember=remember))

    def trying(self, work: Work, isolation: Isolation) -> RolePlan:
        """Plan a role with a group of SearchAccesses that Elasticsearch may refuse."""
        group, undecided = set(isolation.group), isolation.undecided

        def attempted(member: Member) -> Member:
            uid = member.access.uid
            if uid in group:
                return replace(member, decision=AccessDecision(Do.ENFORCE))
            return replace(member, decision=HELD) if uid in undecided or uid in isolation.refused else member

        return self._again_planned(work, [attempted(member) for member in work.members])
