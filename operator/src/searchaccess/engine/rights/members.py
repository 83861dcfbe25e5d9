"""Who counts in the role of a principal, and what is to be done about each of them, in one pass."""

from dataclasses import dataclass, field, replace
from typing import Final

from searchaccess.api.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import AccessDecision, Do, decide
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Role
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.facts import keeps_rights_anywhere, owners_of
from searchaccess.engine.state import Context, Session

NOT_CONFIRMED: Final = AccessDecision(
    Do.HOLD, Reason.PENDING, "Google was not asked yet whether this is still its service account"
)


@dataclass(slots=True)
class Members:
    """The members of roles, as one pass sees them.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
    """

    context: Context
    session: Session
    held: dict[str, AccessDecision] = field(default_factory=dict)
    """By uid: who must be left alone in this pass, because our finalizer could not be put in place."""
    late: set[str] = field(default_factory=set)
    """The uids of those that came too late for this pass."""

    def records(self, principal: str) -> list[AccessRecord]:
        """Give the SearchAccesses of a principal."""
        return self.context.inventory.of_principal(self.session.cluster.name, principal)

    def decision(self, access: Access) -> AccessDecision:
        """Say what is to be done about a SearchAccess."""
        state = self.session.state
        if access.uid in self.held:
            return self.held[access.uid]
        return decide(access, state.gate, state.rejection_of(access))

    def member(self, access: Access) -> Member:
        """Give a SearchAccess as a member of a role; without our finalizer it gets nothing yet."""
        decision = self.decision(access)
        if decision.do is Do.ENFORCE and not access.has_finalizer:
            # It came while roles were being read, or might be served only since this pass settled the role mapping.
            self.late.add(access.uid)
            self.context.inventory.mark(access.cluster, access.principal)
            decision = AccessDecision(Do.HOLD, Reason.PENDING)
        return Member(access, decision)

    def of(self, principal: str, observed: Role | None) -> list[Member]:
        """Give the SearchAccesses of a principal, and those that may be its own and are not known yet."""
        # Where all subjects are declared accounts, this costs nothing.
        owners = owners_of(self.context.operator, observed) if self.context.inventory.subjects else set()
        members = []
        for record in self.records(principal):
            member = self.member(record.access)
            if member.decision.do is Do.ENFORCE and not record.access.confirmed and record.access.uid not in owners:
                # Only a status says that it is this principal's: that is enough to keep rights, not to get them.
                member = replace(member, decision=NOT_CONFIRMED)
            members.append(member)
        present = {member.access.uid for member in members}
        for uid in owners - present:
            known = self.context.inventory.accesses.get(uid)
            if known and keeps_rights_anywhere(known.access, self.session.cluster.name):
                member = self.member(known.access)
                leaves = member.decision.do is Do.REMOVE
                members.append(member if leaves else replace(member, decision=NOT_CONFIRMED))
        return members
