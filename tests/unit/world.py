"""Roles as Elasticsearch keeps them: what was measured of its reading and writing, without a server.

The contract tests prove the same of the real one.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from searchaccess.core.model.canonical import canonical_json, role_from_json
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.ownership.released import Remembered
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import RolePlan, plan_role, seen_role
from searchaccess.core.rights.recollection import Seen
from tests.unit.builders import OPERATOR, PRINCIPAL


def as_served(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a role as a GET returns it after a PUT."""
    body: dict[str, Any] = json.loads(json.dumps(raw))
    served: dict[str, Any] = {"cluster": [], "indices": [], "applications": [], "run_as": [], "metadata": {}} | body
    served["transient_metadata"] = {"enabled": True}
    for entry in (*served["indices"], *served.get("remote_indices", ())):
        entry.setdefault("allow_restricted_indices", False)
        if not entry.get("query"):
            entry.pop("query", None)
        elif not isinstance(entry["query"], str):
            entry["query"] = json.dumps(entry["query"], separators=(",", ":"))
    if not served.get("description"):
        served.pop("description", None)
    return served


class World:
    """One principal's role."""

    def __init__(self, raw: dict[str, Any] | None = None) -> None:
        self.raw = as_served(raw) if raw is not None else None
        self.writes = 0
        self.agreed = Agreed()
        self.released = Remembered().kept
        """What the SearchCluster's status remembers."""
        self.revoke = frozenset[str]()
        """Names of SearchAccesses of which it is to go."""

    @property
    def remembered(self) -> Remembered:
        """What is remembered of the role."""
        gone = tuple(item for item in self.released if item.name in self.revoke)
        kept = tuple(item for item in self.released if item not in gone)
        return Remembered(kept, gone, confirmed=self.released)

    @property
    def role(self) -> Role | None:
        """The role as the operator reads it."""
        if self.raw is None:
            return None
        return Role(OPERATOR.role_name(PRINCIPAL), role_from_json(self.raw), deepcopy(self.raw["metadata"]))

    def agree(self) -> None:
        """Let the platform agree to adopt the role as it is now, and have that recorded."""
        if (role := self.role) is not None:
            seen = seen_role(role)
            self.agreed = Agreed("prod", {role.name: seen.hash}, adopted={(role.name, seen.hash): ""})

    def put(self, role: Role) -> None:
        """Write the role."""
        self.writes += 1
        self.raw = as_served(role.to_json())

    def plan(self, members: Sequence[Member], seen: dict[str, Seen] | None = None) -> RolePlan:
        """Plan, and change nothing."""
        return plan_role(OPERATOR, PRINCIPAL, members, self.role, seen or {}, self.remembered, self.agreed)

    def run(self, members: Sequence[Member], seen: dict[str, Seen] | None = None) -> RolePlan:
        """Plan and apply; what is released is remembered first."""
        plan = self.plan(members, seen)
        if plan.releasing.remember:
            self.remember(plan)
            plan = self.plan(members, seen)
        self.apply(plan)
        return plan

    def remember(self, plan: RolePlan) -> None:
        """Remember what a plan wants remembered."""
        new = plan.releasing.remember
        self.released = (*(item for item in self.released if item.uid not in {one.uid for one in new}), *new)

    def apply(self, plan: RolePlan) -> None:
        """Apply a plan."""
        assert not (plan.write and plan.delete)
        if plan.write:
            self.put(plan.write)
        elif plan.delete:
            self.writes += 1
            self.raw = None
        self.released = tuple(item for item in self.released if item not in plan.releasing.revoked)

    @property
    def entries(self) -> list[str]:
        """The entries in canonical form, in one order."""
        role = self.role
        return sorted(canonical_json(entry.to_json()) for entry in role.body.entries) if role else []

    @property
    def names(self) -> set[str]:
        """All index names that are granted."""
        role = self.role
        return {name for entry in role.body.entries for name in entry.names} if role else set()
