"""One principal in a reconcile: declared members, the observed role, the plan and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from searchaccess.core.gateway.users import UserPlan
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.mapping import MappingPlan
from searchaccess.core.rights.ownership import Operator, Role, metadata_from_json
from searchaccess.core.rights.plan import Finding, RolePlan
from searchaccess.core.rights.refused.isolation import Isolation
from searchaccess.core.status.access import Failure
from searchaccess.engine.rights.mappings import RoleChange


def fingerprint(raw: Mapping[str, Any]) -> int:
    """Return a hash of a role as the role API returns it."""
    return hash(stable_json(raw))


def owners_of(operator: Operator, observed: Role | None) -> set[str]:
    """Return the uids of the SearchAccesses that have rights in a role, as its metadata says."""
    if observed is None or not operator.owns(observed.metadata):
        return set()
    return {record.uid for record in metadata_from_json(observed.metadata).records}


def names_only(observed: Role | None, uids: set[str]) -> bool:
    """Return whether a role certainly has no other owners than these; cheaper than reading them."""
    found = _named(observed)
    return found is not None and all(isinstance(uid, str) and uid in uids for uid in found)


def names_all(operator: Operator, observed: Role | None, uids: set[str]) -> bool:
    """Return whether a role of ours names all of these as its owners; cheaper than reading them."""
    if observed is None or not operator.owns(observed.metadata):
        return not uids
    found = _named(observed)
    return found is not None and uids <= {uid for uid in found if isinstance(uid, str)}


def _named(observed: Role | None) -> list[Any] | None:
    """Return the uids that a role names; None: it names none as it should."""
    owners = observed.metadata.get("owners") if observed else []
    if not isinstance(owners, list):
        return None
    return [owner.get("uid") if isinstance(owner, Mapping) else None for owner in owners]


def keeps_rights_anywhere(access: Access, cluster: str) -> bool:
    """Return whether a SearchAccess keeps its rights everywhere, because its subject is not known yet."""
    known = access.principals or access.has_nobody or access.has_credential or access.subject is None
    return access.cluster == cluster and not known and not access.deleted_at


@dataclass(slots=True)
class Work:
    """One principal in a reconcile."""

    principal: str
    members: list[Member]
    observed: Role | None
    """The role as it is now."""
    plan: RolePlan
    failure: Failure | None = None
    applied: bool = False
    """Something was written for it, or existed already."""

    isolation: Isolation | None = None
    """Whose rights Elasticsearch refuses, as far as known; None: nobody's."""

    refused: dict[str, AccessDecision] = field(default_factory=dict)
    """By uid, the decision about those that would widen others in this reconcile."""

    mapping: MappingPlan | None = None
    """The applied plan of its role mapping, if each principal has one."""
    mapping_seen: bool = False
    """Whether a status shows that it had a role mapping of its own."""

    user: UserPlan | None = None
    """The applied plan of its native user, if a gateway has callers run as one."""

    fingerprint: int | None = None
    """Fingerprint of the role as read."""

    def drop_plan(self) -> None:
        """Free what only planning and applying need: thousands of works are kept until all are reported."""
        if self.failure is not None or self.undecided:
            return
        if self.plan.changes:
            # The role is no longer as it was read.
            self.fingerprint, self.plan = None, replace(self.plan, write=None, delete=False)
        self.observed = None

    @property
    def retained(self) -> frozenset[str]:
        """The uids of deleted members that wait, for example until their rights are recorded as released."""
        return frozenset(
            member.access.uid
            for member in self.members
            if member.access.deleted_at and member.decision.do is Do.HOLD and member.decision.reason
        )

    @property
    def undecided(self) -> frozenset[str]:
        """The uids of members whose rights Elasticsearch may refuse."""
        return self.isolation.undecided if self.isolation else frozenset()

    @property
    def is_as_declared(self) -> bool:
        """Whether all was as declared, with nothing to do."""
        enforced = all(member.decision.do is Do.ENFORCE for member in self.members)
        differs = any(finding.differences or finding.conflict for finding in self.plan.findings.values())
        differs = differs or (self.user is not None and bool(self.user.drift or self.user.conflict))
        return bool(self.members) and enforced and not differs and not self.plan.changes and self.failure is None

    @property
    def role_change(self) -> RoleChange:
        """What its role mapping depends on."""
        enforced = any(member.decision.do is Do.ENFORCE for member in self.members)
        return RoleChange(self.plan, self.observed, enforced, self.mapping_seen)

    @property
    def suspects(self) -> list[str]:
        """The uids of members whose rights Elasticsearch may have refused: those that were to change."""
        undecided = self.undecided
        enforced = [
            member.access.uid
            for member in self.members
            if member.decision.do is Do.ENFORCE and member.access.uid not in undecided
        ]
        return [uid for uid in enforced if self.plan.findings[uid].differences] or enforced


def finding_of(work: Work, uid: str) -> Finding:
    """Return the finding about a SearchAccess, in its role, and in its role mapping or user."""
    finding, mapping, user = work.plan.findings.get(uid, Finding()), work.mapping, work.user
    if user is not None and (user.drift or user.conflict):
        return replace(
            finding,
            drift=(*finding.drift, *user.drift),
            differences=(*finding.differences, *user.drift),
            conflict=finding.conflict or (f"user {user.conflict}" if user.conflict else ""),
        )
    if mapping is None or not (mapping.drift or mapping.conflict):
        return finding
    return replace(
        finding,
        drift=(*finding.drift, *mapping.drift),
        differences=(*finding.differences, *mapping.drift),
        conflict=finding.conflict or mapping.conflict,
        refusal=finding.refusal if finding.conflict else mapping.refusal,
    )
