"""One principal in a pass: what is declared, what was found, what is done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.model.identity import State
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.mapping import MappingPlan
from searchaccess.core.rights.ownership import Operator, Role, metadata_from_json
from searchaccess.core.rights.plan import Finding, RolePlan
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.rights.mappings import RoleChange


def fingerprint(raw: Mapping[str, Any]) -> int:
    """Identify a role as the role API gives it."""
    return hash(stable_json(raw))


def owners_of(operator: Operator, observed: Role | None) -> set[str]:
    """Give the uids of the SearchAccesses that have rights in a role, as its metadata says."""
    if observed is None or not operator.owns(observed.metadata):
        return set()
    return {record.uid for record in metadata_from_json(observed.metadata).records}


def keeps_rights_anywhere(access: Access, cluster: str) -> bool:
    """Say whether a SearchAccess keeps rights wherever it has them: nothing at all is known of its subject yet."""
    known = access.principals or access.has_nobody or access.has_credential or access.subject is None
    return access.cluster == cluster and not known and not access.deleted_at


def is_told(access: Access, principal: str) -> bool:
    """Say whether a pass over a principal tells of a SearchAccess: not while Google's first answer is on its way."""
    if principal != access.principal and principal not in access.principals:
        return False
    known = access.identity
    # With a message it has been on its way for a while.
    waits = known is not None and not access.principals and known.state is State.RECALLED and not known.message
    return bool(access.deleted_at) or not waits


@dataclass(slots=True)
class Work:
    """One principal in a pass."""

    principal: str
    members: list[Member]
    observed: Role | None
    plan: RolePlan
    failure: Failure | None = None
    applied: bool = False

    mapping: MappingPlan | None = None
    """What was found and done about its role mapping, where each principal has one."""
    mapping_seen: bool = False
    """Whether a status says that it had a role mapping of its own."""

    fingerprint: int | None = None
    """Of the role as it was read."""

    @property
    def uneventful(self) -> bool:
        """Whether all is as declared, and nothing was to be done."""
        enforced = all(member.decision.do is Do.ENFORCE for member in self.members)
        differs = any(finding.differences or finding.conflict for finding in self.plan.findings.values())
        return bool(self.members) and enforced and not differs and not self.plan.changes and self.failure is None

    @property
    def role_change(self) -> RoleChange:
        """What its role mapping depends on."""
        enforced = any(member.decision.do is Do.ENFORCE for member in self.members)
        return RoleChange(self.plan, self.observed, enforced, self.mapping_seen)

    def facts_of(self, member: Member, operator: Operator, cluster_uuid: str, *, per_principal: bool) -> AccessFacts:
        """Give all that a pass learned about a SearchAccess here.

        Args:
            member: the SearchAccess.
            operator: this operator.
            cluster_uuid: of the Elasticsearch cluster.
            per_principal: whether each principal has a role mapping of its own.
        """
        finding, first = self.finding_of(member.access.uid), member.access.principal
        role = operator.role_name(first) if first else ""
        written = self.applied or (self.mapping is not None and self.mapping.write is not None)
        enforced = member.decision.do is Do.ENFORCE
        return AccessFacts(
            access=member.access,
            decision=member.decision,
            finding=finding,
            failure=self.failure,
            applied=written and enforced and bool(finding.differences or finding.adopted),
            role=role,
            mapping=role if per_principal else operator.mapping_name,
            cluster_uuid=cluster_uuid,
        )

    def finding_of(self, uid: str) -> Finding:
        """Give what was found about a SearchAccess, in its role and in its role mapping."""
        finding = self.plan.findings.get(uid, Finding())
        if self.mapping is None or not (self.mapping.drift or self.mapping.conflict):
            return finding
        return replace(
            finding,
            drift=(*finding.drift, *self.mapping.drift),
            differences=(*finding.differences, *self.mapping.drift),
            conflict=finding.conflict or self.mapping.conflict,
        )
