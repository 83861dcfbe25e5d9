"""Role mappings in a reconcile: one with a role template, or one for each principal."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from searchaccess.api.constants import MANAGED_BY
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import Drift, SearchClusterStatus
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.ownership.adoption import Agreed, Refusal, Seen
from searchaccess.core.ownership.installations import installation_of
from searchaccess.core.policy.decision import Do, decide
from searchaccess.core.rights.mapping import (
    MappingPlan,
    RoleMapping,
    build_principal_mapping,
    build_template_mapping,
    is_as_desired,
    plan_mapping,
    request_for,
)
from searchaccess.core.rights.ownership import Role, released_by_us
from searchaccess.core.rights.plan import RolePlan
from searchaccess.core.status.drift import advance_drift
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.observe import Observed, is_per_principal
from searchaccess.engine.state import Context, Session


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What a role's mapping depends on in a reconcile."""

    plan: RolePlan
    observed: Role | None
    """The role as read."""
    enforced: bool
    """Whether any of its SearchAccesses is enforced."""
    seen: bool
    """Whether an earlier reconcile is known to have written its mapping."""

    def after(self) -> Role | None:
        """Return the role as it is after the reconcile."""
        return self.plan.write or (None if self.plan.delete else self.observed)


@dataclass(frozen=True, slots=True)
class MappingState:
    """What is known about the shared role mapping."""

    settled: bool = False
    """It was last observed as desired, or is not ours to write."""
    conflict: str = ""
    """Name of a conflicting foreign mapping; empty: none."""
    refusal: Refusal | None = None
    """Why it is not adopted."""
    foreign: Seen | None = None
    """The foreign mapping that was replaced, or is replaced once that is recorded."""
    adopted: str = ""
    """The mapping before its adoption, as JSON."""
    drift: Drift | None = None
    unwritten: str = ""
    """The request with which a person must write it, if the login may not; empty: it is as desired."""
    restamped: bool = False
    """A predecessor's mapping was stamped with our identity once."""
    late: str = ""
    """Why it does not use the roles' new names yet; empty: it uses the right ones."""

    def unopposed(self) -> "MappingState":
        """Return the same without a foreign mapping."""
        return replace(self, conflict="", refusal=None, foreign=None)


class Mappings:
    """Role mappings in one reconcile.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
        observed: what was read.
        state: what is known about the shared mapping.
        agreed: which foreign mappings may be adopted; None: none.
    """

    def __init__(
        self,
        context: Context,
        session: Session,
        observed: Observed,
        state: MappingState,
        agreed: Agreed | None = None,
    ) -> None:
        self._agreed = agreed
        self._context = context
        self._session = session
        self._per_principal = is_per_principal(session)
        self._none = session.cluster.gateway is not None
        """Whether callers need no role mapping: each has a native user."""
        self.may_sweep = True
        """Whether callers need role mappings of another kind no longer."""
        self._observed = observed.mappings
        self.is_full = observed.full
        """Whether all role mappings were read for a full reconcile."""
        self._all_read = observed.all_mappings
        self._unseen = observed.unseen
        self.state = state
        self.operations = 0
        self.rewritten: set[str] = set()
        """Names of mappings that were written or deleted."""
        self._kept: set[str] = set()
        self._switch: MappingPlan | None = None

    @property
    def _is_verified(self) -> bool:
        """Whether a person writes role mappings because the login may not."""
        login = self._session.state.login
        return login is not None and login.verifies_mapping

    @property
    def _realm(self) -> str:
        wanted = self._session.cluster.wanted_realm
        return wanted.name if wanted else ""

    @property
    def _claim(self) -> PrincipalClaim:
        wanted = self._session.cluster.wanted_realm
        return wanted.principal if wanted else PrincipalClaim.EMAIL

    async def settle(self) -> None:
        """Reconcile the shared mapping, if all mappings were read and there is to be one."""
        cluster, operator = self._session.state, self._context.operator
        name = operator.mapping_name
        if self._per_principal or self._none:
            # Drift of a gateway's objects is reported, and no longer that of a role mapping of before.
            drift = None if self._none else self.state.drift
            self.state = replace(self.state.unopposed(), settled=True, late="", unwritten="", drift=drift)
            return
        self._kept.add(name)
        if not self._all_read:
            return
        self.state = replace(self.state, late="", unwritten="")
        enforce = cluster.verdict.grants and await self._anybody_enforced()
        observed = self._observed.get(name)
        if self._is_verified:
            wanted = build_template_mapping(operator, self._realm, self._claim)
            unwritten = request_for(wanted) if enforce and not is_as_desired(wanted, observed) else ""
            settled = enforce and not unwritten
            self.state = replace(self.state.unopposed(), settled=settled, unwritten=unwritten)
            return
        if observed is not None and self._may_be_a_persons(observed):
            self.state = replace(self.state.unopposed(), settled=True)
            return
        if observed is None and not enforce:
            self.state = self.state.unopposed()
            return
        record = self._context.inventory.clusters.get(self._session.cluster.name)
        status = record.status if record else SearchClusterStatus()
        plan = plan_mapping(
            operator,
            name,
            build_template_mapping(operator, self._realm, self._claim),
            observed,
            enforce=enforce,
            # Behind a gateway, the operator itself deleted it.
            seen=status.mapping == name and status.uuid == cluster.uuid and status.gateway is None,
            agreed=self._agreed,
            adopt=self._session.cluster.adopt,
            # Once: a predecessor that still runs would write it again each time.
            restamp=not self.state.restamped,
        )
        if plan.write is not None and plan.pending and observed is not None and not self._same_names(observed):
            # Until the roles exist under their new names, callers need the old ones.
            self._switch_later(plan)
            return
        await self._conclude(plan)

    def _may_be_a_persons(self, observed: RoleMapping) -> bool:
        """Return whether a dry run takes the shared mapping as written by a person for a login that may not write it.

        A dry run does not know what the operator's login may do. A mapping that belongs to nobody and does what is
        desired gives callers their roles in any case.
        """
        if self._context.dry_run is None or installation_of(observed.metadata) is not None:
            return False
        return is_as_desired(build_template_mapping(self._context.operator, self._realm, self._claim), observed)

    def _same_names(self, observed: RoleMapping) -> bool:
        wanted = build_template_mapping(self._context.operator, self._realm, self._claim)
        return observed.body.templates == wanted.body.templates

    def _switch_later(self, plan: MappingPlan) -> None:
        """Prepare the shared mapping with the roles' new names, and report it as pending."""
        cluster = self._session.cluster.name
        waiting = sorted(record.access.ref for record in self._records() if self._waits(record.access))
        late = f"roles get their names by the claim {self._claim}; callers keep those that they had"
        unseen = [f"{owner.namespace}/{owner.name}" for owners in self._unseen.values() for owner in owners]
        if waiting:
            late += f" until all principals are known: that of {some_of(waiting, 1)} is not"
        elif unseen:
            late += f" while some are of namespaces that are not watched, such as {some_of(sorted(unseen), 1)}"
        elif self.is_full:
            self._switch = plan
        else:
            # Only a full reconcile knows that all roles exist.
            self._context.inventory.marks.mark_full(cluster)
        self.state = replace(self.state, late=late)

    async def switch(self) -> bool:
        """Write the shared mapping with the roles' new names, if these roles exist.

        Returns:
            False: some do not exist yet, because their principals are not resolved. Until then callers need the old
            names.
        """
        if self._switch is not None:
            await self._conclude(self._switch)
            self.state = replace(self.state, late="")
        return not self.state.late

    def _records(self) -> Iterable[AccessRecord]:
        """Return the SearchAccesses that use a role mapping."""
        records = self._context.inventory.of_cluster(self._session.cluster.name)
        return (record for record in records if not record.access.has_credential)

    def _waits(self, access: Access) -> bool:
        """Return whether the name of a SearchAccess's role may not be known yet."""
        return not (access.principals or access.has_nobody or access.invalid or access.deleted_at)

    async def _conclude(self, plan: MappingPlan) -> None:
        await self._apply(plan)
        record = self._context.inventory.clusters.get(self._session.cluster.name)
        before = self.state.drift or (record.status.drift if record else None)
        drift = advance_drift(plan.drift, (), before, self._context.clock.now(), corrected=plan.write is not None)
        self.state = MappingState(
            settled=not plan.conflict and (plan.write is not None or not (plan.drift or plan.pending)),
            conflict=plan.conflict,
            refusal=plan.refusal,
            foreign=plan.foreign,
            adopted=plan.adopted or self.state.adopted,
            drift=drift,
            unwritten=self.state.unwritten,
            restamped=self.state.restamped or plan.write is not None,
            late=self.state.late,
        )

    async def _anybody_enforced(self) -> bool:
        async for record in in_chunks(self._records()):
            if self._is_enforced(record.access):
                return True
        return False

    def _is_enforced(self, access: Access) -> bool:
        try:
            return decide(access, self._session.verdict).do is Do.ENFORCE
        except Exception:  # noqa: BLE001 - planning meets the same error, and reports and counts it
            return False

    def keep(self, names: Iterable[str]) -> None:
        """Record whose mappings must stay: of all planned principals, completed or not."""
        if self._per_principal:
            self._kept.update(names)

    async def revoke(self, change: RoleChange) -> None:
        """Delete the mapping of a principal whose role is deleted, before the role."""
        if self._per_principal and change.plan.delete:
            name, observed = change.plan.name, self._observed.get(change.plan.name)
            if observed and change.plan.releasing.revoked and released_by_us(observed.metadata):
                await self._delete(name)
                return
            await self._apply(plan_mapping(self._context.operator, name, None, observed, enforce=True, seen=False))

    async def grant(self, change: RoleChange) -> MappingPlan | None:
        """Write the mapping of a principal, after its role exists.

        Returns:
            The plan that was applied; None: it has no mapping of its own.
        """
        operator, role, name = self._context.operator, change.after(), change.plan.name
        if not self._per_principal or role is None:
            return None
        if not operator.owns(role.metadata):
            if change.plan.write is not None:
                await self._release(name)
            return None
        principal = name.removeprefix(operator.role_name(""))
        desired = build_principal_mapping(operator, self._realm, principal, self._claim)
        plan = plan_mapping(
            operator,
            name,
            desired,
            self._observed.get(name),
            enforce=change.enforced,
            seen=change.seen,
            agreed=self._agreed,
            # Once: a predecessor that still runs would write it again each time.
            restamp=not change.seen,
        )
        await self._apply(plan)
        return plan

    async def _release(self, name: str) -> None:
        observed = self._observed.get(name)
        if observed and self._context.operator.owns(observed.metadata):
            await self._put(RoleMapping(name, observed.body, {"released_by": MANAGED_BY}))

    @property
    def unneeded(self) -> list[str]:
        """The names of our unneeded mappings: of the other kind, or of roles that are gone.

        Mappings that a person writes are left to that person.
        """
        operator = self._context.operator
        if self._is_verified:
            return []
        # By these, callers whose SearchAccesses cannot be seen get their roles.
        unseen = {operator.mapping_name, *self._unseen} if self._unseen else set[str]()
        kept = self._kept | unseen
        return [name for name, one in self._observed.items() if name not in kept and operator.owns(one.metadata)]

    async def sweep(self) -> None:
        """Delete unneeded mappings, unless callers still need some."""
        for name in self.unneeded if self.may_sweep else ():
            await self._delete(name)

    async def remove(self, names: Iterable[str]) -> None:
        """Delete mappings of another instance that was taken over."""
        for name in names:
            await self._delete(name)

    async def _apply(self, plan: MappingPlan) -> None:
        if plan.write is not None:
            await self._put(plan.write)
        elif plan.delete:
            await self._delete(plan.name)

    async def _put(self, mapping: RoleMapping) -> None:
        with self._session.state.writing("role_mapping", [mapping.name]):
            await self._session.port.put_mapping(mapping)
        self.operations += 1
        self.rewritten.add(mapping.name)

    async def _delete(self, name: str) -> None:
        with self._session.state.writing("role_mapping", [name]):
            await self._session.port.delete_mapping(name)
        self.operations += 1
        self.rewritten.add(name)
