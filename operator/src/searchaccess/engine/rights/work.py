"""One principal in a reconcile: what is declared, what was found, what is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
    """Identify a role as the role API gives it."""
    return hash(stable_json(raw))


def owners_of(operator: Operator, observed: Role | None) -> set[str]:
    """Return the uids of the SearchAccesses that have rights in a role, as its metadata says."""
    if observed is None or not operator.owns(observed.metadata):
        return set()
    return {record.uid for record in metadata_from_json(observed.metadata).records}


def names_only(observed: Role | None, uids: set[str]) -> bool:
    """Return whether a role surely names no other owners than these; it costs less than to read them."""
    owners = observed.metadata.get("owners") if observed else []
    if not isinstance(owners, list):
        return False
    found = (owner.get("uid") if isinstance(owner, Mapping) else None for owner in owners)
    return all(isinstance(uid, str) and uid in uids for uid in found)


def keeps_rights_anywhere(access: Access, cluster: str) -> bool:
    """Return whether a SearchAccess keeps rights wherever it has them: nothing at all is known of its subject yet."""
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
    """Something was written for it, or existed already when it was to be written."""

    isolation: Isolation | None = None
    """Whose rights Elasticsearch refuses, as far as that is known; None: nobody's."""

    refused: dict[str, AccessDecision] = field(default_factory=dict)
    """By uid, what is done about those that would widen others, in this reconcile."""

    mapping: MappingPlan | None = None
    """What was found and done about its role mapping, where each principal has one."""
    mapping_seen: bool = False
    """Whether a status says that it had a role mapping of its own."""

    fingerprint: int | None = None
    """Of the role as it was read."""

    def drop_plan(self) -> None:
        """Drop what only planning and applying need, if all of that is done: thousands wait until all are reported."""
        if self.failure is not None or self.undecided:
            return
        if self.plan.changes:
            # The role is not as it was read any more.
            self.fingerprint, self.plan = None, replace(self.plan, write=None, delete=False)
        self.observed = None

    @property
    def retained(self) -> frozenset[str]:
        """The uids of those that are being deleted and wait, such as for their rights to be remembered."""
        return frozenset(
            member.access.uid
            for member in self.members
            if member.access.deleted_at and member.decision.do is Do.HOLD and member.decision.reason
        )

    @property
    def undecided(self) -> frozenset[str]:
        """The uids of those of whom it is not known yet whether Elasticsearch takes their rights."""
        return self.isolation.undecided if self.isolation else frozenset()

    @property
    def is_as_declared(self) -> bool:
        """Whether all is as declared, and nothing was to be done."""
        enforced = all(member.decision.do is Do.ENFORCE for member in self.members)
        differs = any(finding.differences or finding.conflict for finding in self.plan.findings.values())
        return bool(self.members) and enforced and not differs and not self.plan.changes and self.failure is None

    @property
    def role_change(self) -> RoleChange:
        """What its role mapping depends on."""
        enforced = any(member.decision.do is Do.ENFORCE for member in self.members)
        return RoleChange(self.plan, self.observed, enforced, self.mapping_seen)

    @property
    def suspects(self) -> list[str]:
        """The uids of those whose rights Elasticsearch may have refused: each that was to get other ones."""
        undecided = self.undecided
        enforced = [
            member.access.uid
            for member in self.members
            if member.decision.do is Do.ENFORCE and member.access.uid not in undecided
        ]
        return [uid for uid in enforced if self.plan.findings[uid].differences] or enforced


def finding_of(work: Work, uid: str) -> Finding:
    """Return what was found about a SearchAccess, in its role and in its role mapping."""
    finding, mapping = work.plan.findings.get(uid, Finding()), work.mapping
    if mapping is None or not (mapping.drift or mapping.conflict):
        return finding
    return replace(
        finding,
        drift=(*finding.drift, *mapping.drift),
        differences=(*finding.differences, *mapping.drift),
        conflict=finding.conflict or mapping.conflict,
        refusal=finding.refusal if finding.conflict else mapping.refusal,
    )
