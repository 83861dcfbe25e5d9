"""One principal in a pass: what is declared, what was found, what is done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from searchaccess.core.canonical import stable_json
from searchaccess.core.compose import Member
from searchaccess.core.mapping import MappingPlan
from searchaccess.core.ownership import Role
from searchaccess.core.plan import Finding, RolePlan
from searchaccess.core.report import Failure
from searchaccess.core.stance import Do
from searchaccess.engine.mappings import RoleChange


def fingerprint(raw: Mapping[str, Any]) -> int:
    """Identify a role as the role API gives it."""
    return hash(stable_json(raw))


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
        enforced = all(member.stance.do is Do.ENFORCE for member in self.members)
        differs = any(finding.differences or finding.conflict for finding in self.plan.findings.values())
        return bool(self.members) and enforced and not differs and not self.plan.changes and self.failure is None

    @property
    def role_change(self) -> RoleChange:
        """What its role mapping depends on."""
        enforced = any(member.stance.do is Do.ENFORCE for member in self.members)
        return RoleChange(self.plan, self.observed, enforced, self.mapping_seen)

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
