"""The members of principals' roles, and the decision about each, in one reconcile."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.gateway.limits import takes_part
from searchaccess.core.gateway.loading import WAITS
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.policy.decision import AccessDecision, Do, Gate, decide
from searchaccess.core.policy.former import Former, RightsPlace, decide_former
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.unseen import unseen_members, unseen_records
from searchaccess.core.status.aspects.identity import is_own_account
from searchaccess.core.status.placed import place_of
from searchaccess.engine.concurrency.chunks import Pace
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.rejections import Rejections
from searchaccess.engine.rights.work import Work, finding_of, keeps_rights_anywhere, names_all, names_only, owners_of
from searchaccess.engine.state import ClusterState, Context

HELD: Final = AccessDecision(Do.HOLD)

NOT_CONFIRMED: Final = AccessDecision(Do.HOLD, Reason.PENDING, "its service account was not read from Google again yet")
NOT_LIMITED: Final = AccessDecision(Do.HOLD, Reason.PENDING, WAITS)


LEAVES: Final = frozenset({Do.REMOVE, Do.DISABLE, Do.RELEASE})
"""Decisions that revoke or release rights."""


class Phase(IntEnum):
    """When a role is written. Revocations never wait for grants."""

    REMOVES = 0
    """A member leaves it, or nobody declares it any more."""
    GROWS = 1
    """All others."""
    MOVES = 2
    """Its members move to a role of another name, and get their rights there first."""


@dataclass(slots=True)
class Members:
    """The members of roles in one reconcile.

    Args:
        context: what all reconcilers share.
        cluster: name of the SearchCluster.
        gate: what the state of the cluster allows.
        rejections: what Elasticsearch refused.
    """

    context: Context
    cluster: str
    gate: Gate
    rejections: Rejections
    uuid: str = ""
    """Uuid of the Elasticsearch cluster."""
    state: ClusterState = field(default_factory=ClusterState)
    """Says which principals get no new rights, because a gateway does not limit them yet as they declare: that changes
    while roles are written. Receives those of them that would have got some."""
    held: dict[str, AccessDecision] = field(default_factory=dict)
    """By uid: those held this time because our finalizer could not be added."""
    keeps_old_names: bool = False
    """Callers still get roles by old names, so moved SearchAccesses keep their rights there too."""
    late: set[str] = field(default_factory=set)
    """The uids of those that were too late for this reconcile."""
    placed: set[str] = field(default_factory=set)
    """The uids of those that have what they declare, as found or written in this reconcile."""
    _decided: dict[str, tuple[Access, Gate, str, AccessDecision]] = field(default_factory=dict)
    """By uid, the last decision and all that it depends on: each is asked for several times."""

    def records(self, principal: str) -> list[AccessRecord]:
        """Return the SearchAccesses of a principal."""
        return self.context.inventory.of_principal(self.cluster, principal)

    def count(self, principal: str) -> int:
        """Return how many SearchAccesses a principal has."""
        return self.context.inventory.count_of(self.cluster, principal)

    def decision(self, access: Access) -> AccessDecision:
        """Return the decision about a SearchAccess."""
        if access.uid in self.held:
            return self.held[access.uid]
        if record := self.context.inventory.accesses.get(access.uid):
            self.rejections.recall(record)
        rejection = self.rejections.of(access)
        message = rejection.message if rejection else ""
        known = self._decided.get(access.uid)
        if known is None or known[0] is not access or known[1] is not self.gate or known[2] != message:
            known = self._decided[access.uid] = access, self.gate, message, decide(access, self.gate, message)
        return known[3]

    def decision_or_held(self, access: Access) -> AccessDecision:
        """Return the decision about a SearchAccess; it is held if deciding fails."""
        try:
            return self.decision(access)
        except Exception:  # noqa: BLE001 - planning meets the same error, and reports and counts it
            return HELD

    def member(self, access: Access) -> Member:
        """Return a SearchAccess as a member of a role; without our finalizer it gets no rights yet."""
        decision = self.decision(access)
        if decision.do is Do.ENFORCE and not access.has_finalizer:
            # It arrived while roles were being read, or became enforceable when this reconcile settled the mapping.
            self.late.add(access.uid)
            self.context.inventory.marks.mark(access.cluster, access.principal)
            decision = AccessDecision(Do.HOLD, Reason.PENDING, "its finalizer is not in place yet")
        return Member(access, decision)

    def of(self, principal: str, observed: Role | None) -> list[Member]:
        """Return the SearchAccesses of a principal, and others that have rights in its role."""
        records = self.records(principal)
        owners = set[str]()
        declared = {record.declared.uid for record in records}
        waits = self.state.nobody_limited or principal in self.state.unlimited or self.state.limits_differ(principal)
        # After a restart, all wait until pods were asked, and most have their rights.
        waits = waits and not names_all(self.context.operator, observed, declared)
        if self.context.inventory.subjects or waits or not names_only(observed, declared):
            owners = owners_of(self.context.operator, observed)
        members = []
        for record in records:
            member = self.member(record.access)
            if member.decision.do is Do.ENFORCE and record.access.uid not in owners:
                if not record.access.confirmed:
                    # Only a status confirms its principal: enough to keep rights, not to get them.
                    member = replace(member, decision=NOT_CONFIRMED)
                elif waits:
                    # The pods would let it send more than it declares.
                    self.state.awaits_limits.add(principal)
                    member = replace(member, decision=NOT_LIMITED)
            members.append(member)
        present = {member.access.uid for member in members}
        accesses = self.context.inventory.accesses
        others = [accesses[uid] for uid in sorted((owners - present) & accesses.keys())]
        unseen: list[Member] = []
        if not owners <= accesses.keys():
            unseen = unseen_members(self.context.operator, principal, observed, self.context.inventory.is_unseen)
        return [*members, *(self._undeclared(record, principal, alone=not present) for record in others), *unseen]

    def _undeclared(self, record: AccessRecord, principal: str, *, alone: bool) -> Member:
        """Return a member that has rights in a role without declaring them there.

        Args:
            record: the SearchAccess.
            principal: whose role it is.
            alone: whether nobody declares anything in the role.
        """
        access = record.access
        if self.keeps_old_names and alone and self._has_moved(access, principal) and not access.is_over:
            return Member(access, HELD)
        if keeps_rights_anywhere(access, self.cluster):
            member = self.member(access)
            return member if member.decision.do is Do.REMOVE else replace(member, decision=NOT_CONFIRMED)
        here, confirmed = RightsPlace(self.uuid, self.role_name(principal)), place_of(record.status_summary.placed)
        if access.uid in self.placed and access.cluster == self.cluster:
            confirmed = RightsPlace(self.uuid, self.role_name(access.principal))
        admission = self.context.inventory.namespaces.admission(self.cluster, access.namespace)
        own = is_own_account(record.status, access.subject, principal)
        ended = access.has_nobody and own
        refused = self.context.inventory.refuses(access, self.cluster, own=own or principal in access.principals)
        former = Former(access, here, confirmed, admission, ended=ended, gate=self.gate, refused=refused)
        return Member(access, decide_former(former))

    def role_name(self, principal: str) -> str:
        """Return the name of a principal's role."""
        return self.context.operator.role_name(principal)

    def note_former(self, work: Work) -> None:
        """Record who still has rights in a principal's role without declaring them there."""
        if work.failure is not None and work.observed is None:
            # It may not even have been read.
            return
        declared = {record.declared.uid for record in self.records(work.principal)}
        self._note_holding(work, declared)
        if all(member.access.uid in declared for member in work.members):
            self.context.inventory.former.note(self.cluster, work.principal, ())
            return
        role = work.observed if work.failure is not None else work.role_change.after()
        owners = owners_of(self.context.operator, role) & self.context.inventory.accesses.keys()
        self.context.inventory.former.note(self.cluster, work.principal, owners - declared)

    def _note_holding(self, work: Work, declared: Collection[str]) -> None:
        """Record which SearchAccesses that get no rights still have some: until then they limit their caller."""
        if not self.gate.gateway:
            return
        ending = [each.access for each in work.members if each.access.uid in declared and not takes_part(each.access)]
        role = work.observed if work.failure is not None else work.role_change.after()
        owners = owners_of(self.context.operator, role) if ending else set()
        holding = {access.uid: access.uid in owners for access in ending}
        self.context.inventory.callers.note_holding(self.cluster, work.principal, holding)

    def note_placed(self, work: Work) -> None:
        """Record who has what it declares, once a principal's role is written."""
        if work.failure is None:
            self.placed |= {
                member.access.uid
                for member in work.members
                if member.decision.do is Do.ENFORCE
                and member.access.principal == work.principal
                and member.access.uid not in work.undecided
                and not finding_of(work, member.access.uid).conflict
            }

    def recalled(self, members: Sequence[Member]) -> tuple[str, ...]:
        """Return the uids of those held only because they were refused in an earlier run of the operator."""
        return tuple(
            access.uid
            for access in (member.access for member in members if member.decision.reason is Reason.REJECTED)
            if (rejection := self.rejections.of(access)) and rejection.recalled
            if access.has_finalizer and access.confirmed and decide(access, self.gate).do is Do.ENFORCE
        )

    async def without_finalizer(self, principals: Iterable[str]) -> list[AccessRecord]:
        """Return the SearchAccesses that get rights but lack our finalizer."""
        found: dict[str, AccessRecord] = {}
        pace = Pace()
        for principal in principals:
            await pace.spent(self.count(principal))
            for record in self.records(principal):
                if not record.access.has_finalizer and self.decision_or_held(record.access).do is Do.ENFORCE:
                    found[record.access.uid] = record
        return list(found.values())

    def with_shared_accesses(self, principals: Iterable[str]) -> set[str]:
        """Return principals, and the other principals of their SearchAccesses: these are reported together."""
        found: set[str] = set()
        todo = list(principals)
        while todo:
            principal = todo.pop()
            if principal not in found:
                found.add(principal)
                if principal:
                    todo += [name for record in self.records(principal) for name in record.access.principals]
        return found

    def phases(self, principal: str, observed: Mapping[str, Any] | None) -> tuple[Phase, ...]:
        """Return the phases in which a principal's role is written.

        Args:
            principal: whose role it is.
            observed: the role as the role API gives it; None: there is none.
        """
        accesses, name = self.context.inventory.accesses, self.context.operator.role_name(principal)
        role = Role(name, RoleBody(), dict(observed.get("metadata") or {})) if observed else None
        owners = owners_of(self.context.operator, role)
        records = self.records(principal)
        unseen: set[str] = set()
        if role and not owners <= accesses.keys():
            unseen = {record.uid for record in unseen_records(role.metadata, self.context.inventory.is_unseen)}
        gone = not owners - unseen <= accesses.keys()
        if records:
            leaving = any(self.decision(record.access).do in LEAVES for record in records)
            return (Phase.REMOVES if leaving or gone else Phase.GROWS,)
        known = [accesses[uid].access for uid in owners & accesses.keys()]
        if not any(self._has_moved(access, principal) for access in known):
            return (Phase.REMOVES,)
        leaving = any(access.deleted_at or access.is_over for access in known)
        return (Phase.REMOVES, Phase.MOVES) if self.keeps_old_names and (gone or leaving) else (Phase.MOVES,)

    def _has_moved(self, access: Access, principal: str) -> bool:
        """Return whether a SearchAccess keeps its rights under another principal."""
        stays = access.cluster == self.cluster and not access.deleted_at and not access.has_credential
        return stays and bool(access.principals) and principal not in access.principals
