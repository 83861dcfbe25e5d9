"""Role mappings in a pass: the one with the role template, or one for each principal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from searchaccess.api.constants import MANAGED_BY
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import SearchClusterStatus
from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import Do, decide
from searchaccess.core.rights.mapping import (
    MappingPlan,
    RoleMapping,
    build_principal_mapping,
    build_template_mapping,
    mapping_of,
    plan_mapping,
)
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import RolePlan
from searchaccess.core.status.access import advance_drift
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import Context, Session


@dataclass(frozen=True, slots=True)
class RoleChange:
    """A role in a pass, as far as its mapping is concerned."""

    plan: RolePlan
    observed: Role | None
    """The role as it was."""
    enforced: bool
    """Whether any of its SearchAccesses is enforced."""
    seen: bool
    """Whether an earlier pass is known to have left a mapping for it."""

    def after(self) -> Role | None:
        """Give the role as it is when the pass is over."""
        return self.plan.write or (None if self.plan.delete else self.observed)


class Mappings:
    """Role mappings in one pass.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
        per_principal: one mapping for each principal instead of one for all.
    """

    def __init__(self, context: Context, session: Session, *, per_principal: bool) -> None:
        self._context = context
        self._session = session
        self._per_principal = per_principal
        self._observed: Mapping[str, RoleMapping] = {}
        self._everything = False
        self._all_read = False
        self._kept: set[str] = set()
        self._switch: MappingPlan | None = None
        self.plans: dict[str, MappingPlan] = {}
        """By name, what was found and done about principals' mappings."""

    @property
    def _realm(self) -> str:
        wanted = self._session.cluster.wanted_realm
        return wanted.name if wanted else ""

    @property
    def _claim(self) -> PrincipalClaim:
        wanted = self._session.cluster.wanted_realm
        return wanted.principal if wanted else PrincipalClaim.EMAIL

    async def observe(self, role_names: list[str] | None, *, everything: bool) -> None:
        """Read the mappings that matter: all of them, those of some roles (None: too many to name), or none.

        The one mapping of all principals is read when everything is, or while it is not settled.
        """
        self._everything = everything
        all_matter = role_names is None if self._per_principal else not self._session.state.mapping_settled
        raw: Mapping[str, dict[str, Any]] = {}
        if everything or all_matter:
            raw = await self._session.port.mappings(None)
            self._all_read = True
        elif self._per_principal and role_names:
            raw = await self._session.port.mappings(role_names)
        self._observed = {
            name: mapping_of(name, item) for name, item in raw.items() if self._context.operator.owns_name(name)
        }

    async def settle(self) -> None:
        """Make the one mapping as it should be, if all mappings were read and there is to be one."""
        state, operator = self._session.state, self._context.operator
        name = operator.mapping_name
        if self._per_principal:
            state.mapping_conflict = state.mapping_late = ""
            state.mapping_settled = True
            return
        self._kept.add(name)
        if not self._all_read:
            return
        state.mapping_late = ""
        enforce = state.verdict.grants and self._anybody_enforced()
        observed = self._observed.get(name)
        if observed is None and not enforce:
            state.mapping_conflict = ""
            return
        record = self._context.inventory.clusters.get(self._session.cluster.name)
        status = record.status if record else SearchClusterStatus()
        plan = plan_mapping(
            operator,
            name,
            build_template_mapping(operator, self._realm, self._claim),
            observed,
            enforce=enforce,
            seen=status.mapping == name and status.uuid == state.uuid,
            adopt=self._session.cluster.adopt,
        )
        if plan.write is not None and plan.pending and observed is not None and not self._same_names(observed):
            # Until the roles are there under their new names, callers need the old ones.
            self._switch_later(plan)
            return
        await self._conclude(plan)

    def _same_names(self, observed: RoleMapping) -> bool:
        wanted = build_template_mapping(self._context.operator, self._realm, self._claim)
        return observed.body.templates == wanted.body.templates

    def _switch_later(self, plan: MappingPlan) -> None:
        """Prepare to write the one mapping that gives callers roles of other names, and say that it is to come."""
        state, cluster = self._session.state, self._session.cluster.name
        waiting = sorted(
            f"{record.access.namespace}/{record.access.name}"
            for record in self._records()
            if self._waits(record.access)
        )
        state.mapping_late = f"roles get their names by the claim {self._claim}; callers keep those that they had"
        if waiting:
            more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            state.mapping_late += f" until all principals are known: that of {waiting[0]}{more} is not"
        elif self._everything:
            self._switch = plan
        else:
            # Only a pass over all roles knows that all are there.
            self._context.inventory.mark_everything(cluster)

    async def switch(self) -> bool:
        """Write the one mapping that gives callers roles of other names, when these roles are there.

        Returns:
            False: some of them are not there yet, because Google has not said what they are named after. So callers
            need the old ones.
        """
        if self._switch is not None:
            await self._conclude(self._switch)
            self._session.state.mapping_late = ""
        return not self._session.state.mapping_late

    def _records(self) -> Iterable[AccessRecord]:
        """Give the SearchAccesses whose rights callers get by a role mapping."""
        records = self._context.inventory.of_cluster(self._session.cluster.name)
        return (record for record in records if not record.access.has_credential)

    def _waits(self, access: Access) -> bool:
        """Say whether a SearchAccess may have rights under a name that is not known yet."""
        return not (access.principals or access.has_nobody or access.invalid or access.deleted_at)

    async def _conclude(self, plan: MappingPlan) -> None:
        await self._apply(plan)
        state = self._session.state
        record = self._context.inventory.clusters.get(self._session.cluster.name)
        status = record.status if record else SearchClusterStatus()
        state.mapping_conflict = plan.conflict
        state.mapping_adopted = plan.adopted or state.mapping_adopted
        state.mapping_settled = not plan.conflict and (plan.write is not None or not (plan.drift or plan.pending))
        now = self._context.clock.now()
        corrected = plan.write is not None
        state.mapping_drift = advance_drift(
            plan.drift, plan.drift, state.mapping_drift or status.drift, now, corrected=corrected
        )

    def _anybody_enforced(self) -> bool:
        gate = self._session.state.verdict
        return any(decide(record.access, gate).do is Do.ENFORCE for record in self._records())

    def keep(self, names: Iterable[str]) -> None:
        """Say whose mappings are not to be swept away: all that were planned, whether it could be finished or not."""
        if self._per_principal:
            self._kept.update(names)

    async def revoke(self, changes: Iterable[RoleChange]) -> None:
        """Delete mappings of principals whose role goes, before the role goes."""
        if not self._per_principal:
            return
        for change in changes:
            if change.plan.delete:
                await self._apply(
                    plan_mapping(
                        self._context.operator,
                        change.plan.name,
                        None,
                        self._observed.get(change.plan.name),
                        enforce=True,
                        seen=False,
                    )
                )

    async def grant(self, changes: Iterable[RoleChange]) -> None:
        """Write mappings of principals whose role is there, after the role is there."""
        if not self._per_principal:
            return
        operator = self._context.operator
        for change in changes:
            role, name = change.after(), change.plan.name
            if role is None:
                continue
            if not operator.owns(role.metadata):
                if change.plan.write is not None:
                    await self._release(name)
                continue
            principal = name.removeprefix(operator.role_name(""))
            desired = build_principal_mapping(operator, self._realm, principal, self._claim)
            plan = plan_mapping(
                operator, name, desired, self._observed.get(name), enforce=change.enforced, seen=change.seen
            )
            await self._apply(plan)
            self.plans[name] = plan

    async def _release(self, name: str) -> None:
        observed = self._observed.get(name)
        if observed and self._context.operator.owns(observed.metadata):
            await self._put(RoleMapping(name, observed.body, {"released_by": MANAGED_BY}))

    async def sweep(self) -> None:
        """Delete mappings of ours that are of no use: of the other kind, or of roles that are gone."""
        operator = self._context.operator
        for name, mapping in self._observed.items():
            if name not in self._kept and operator.owns(mapping.metadata):
                await self._delete(name)

    async def remove_all(self) -> None:
        """Delete every mapping of ours: the SearchCluster goes."""
        raw = await self._session.port.mappings(None)
        for name, item in raw.items():
            if self._context.operator.owns_name(name) and self._context.operator.owns(item.get("metadata") or {}):
                await self._delete(name)

    async def _apply(self, plan: MappingPlan) -> None:
        if plan.write is not None:
            await self._put(plan.write)
        elif plan.delete:
            await self._delete(plan.name)

    async def _put(self, mapping: RoleMapping) -> None:
        await self._session.port.put_mapping(mapping)
        self._session.state.operations += 1

    async def _delete(self, name: str) -> None:
        await self._session.port.delete_mapping(name)
        self._session.state.operations += 1
