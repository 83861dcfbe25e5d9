"""One pass over some or all principals of a cluster: observe, plan, apply, report."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from searchaccess.api.reasons import Reason
from searchaccess.api.searchcluster import MappingKind
from searchaccess.core.credentials.users import user_roles
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import RolePlan, plan_role
from searchaccess.core.status.access import AccessFacts, Failure, seen_of
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.facts import Work, fingerprint, is_told, owners_of
from searchaccess.engine.rights.mappings import Mappings
from searchaccess.engine.rights.members import Members
from searchaccess.engine.state import CHUNK, NAMES_LIMIT, Context, Session
from searchaccess.engine.status.finalizers import ensure_finalizers
from searchaccess.engine.status.publish import BREATH, StatusPublisher
from searchaccess.ports.elasticsearch import Written
from searchaccess.ports.errors import ExternalError, Rejected, WaitingError

log = structlog.get_logger(__name__)

TOGETHER: Final = 50
"""Up to so many finalizers are written while roles are being read."""
NAMED: Final = 10
"""Roles that one line of the log names."""


def _chunks(principals: Sequence[str]) -> list[Sequence[str] | None]:
    return [principals[start : start + CHUNK] for start in range(0, len(principals), CHUNK)]


@dataclass(slots=True)
class RightsReconciler:
    """One pass.

    Args:
        context: what all reconcilers share.
        session: the connected cluster.
        principals: whom to look at; None: everybody, and orphans.
        dirty: of everybody, about whom there is news.
    """

    context: Context
    session: Session
    principals: frozenset[str] | None
    dirty: frozenset[str] = frozenset()
    unfinished: set[str] = field(default_factory=set)
    """Principals that need another look soon."""
    trouble: Failure | None = None
    """Why some of them could not be finished, when it is for the platform team to mend."""
    changed: bool = False
    """Whether anything was written in Elasticsearch."""
    stuck: set[str] = field(default_factory=set)
    """The uids of those that have rights in a role that could not be written."""

    members: Members = field(init=False)
    """Who counts in which role."""

    def __post_init__(self) -> None:
        """Begin with what is declared."""
        self.members = Members(self.context, self.session)

    async def run(self) -> None:
        """Do the pass.

        Raises:
            ExternalError: the cluster as a whole could not be read or written. Statuses of those concerned say so.
        """
        name = self.session.cluster.name
        mine = set(self.context.inventory.principals(name)) if self.principals is None else self._together()
        try:
            raw_roles, mappings = await self._observe(mine)
        except ExternalError as error:
            await self._publish_failure(mine, error)
            raise
        everybody = mine | self._orphans(raw_roles) if self.principals is None else mine
        # Whose rights go comes last: whoever has them under another name from now on has them there first.
        leaving = {principal for principal in everybody if not self.members.records(principal)}
        chunks = [*_chunks(sorted(everybody - leaving)), None, *_chunks(sorted(leaving))]
        done: list[AccessFacts] = []
        todo = set(everybody)
        try:
            # Rights first: telling of them costs more than they do. While some are written, the next are planned.
            works = await self._plan(chunks[0] or (), raw_roles)
            for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
                try:
                    if chunk is None and not await self._switch(mappings):
                        # Callers still get the roles of old names.
                        break
                    _, planned = await asyncio.gather(
                        self._apply(works, mappings, done, todo), self._plan(following or (), raw_roles)
                    )
                except ExternalError as error:
                    await self._publish_failure(todo, error)
                    raise
                todo.difference_update(chunk or ())
                works = planned
        finally:
            await StatusPublisher(self.context, self.session.state).report(done, todo, self.stuck, self.trouble)
        if self.principals is None:
            async with self.context.steps:
                await mappings.sweep()

    def _together(self) -> set[str]:
        """Give whom to look at, with the other principals of the same SearchAccesses: these are told of as a whole."""
        found: set[str] = set()
        todo = list(self.principals or ())
        while todo:
            principal = todo.pop()
            if principal not in found:
                found.add(principal)
                if principal:
                    todo += [name for record in self.members.records(principal) for name in record.access.principals]
        return found

    # Observe

    async def _observe(self, principals: set[str]) -> tuple[Mapping[str, dict[str, Any]], Mappings]:
        """Read what is, and put finalizers in place meanwhile."""
        everything = self.principals is None
        names = None if everything else self._names(principals)
        missing = [
            record
            for principal in principals
            for record in self.members.records(principal)
            if self.members.decision(record.access).do is Do.ENFORCE and not record.access.has_finalizer
        ]
        if len(missing) > TOGETHER:
            # Roles are read after it, so that they are fresh when they are written.
            await self._ensure_finalizers(missing)
            missing = []
        mappings = Mappings(self.context, self.session, per_principal=self._per_principal())
        raw_roles, _, _ = await asyncio.gather(
            self._read_roles(names),
            mappings.observe(names, everything=everything),
            self._ensure_finalizers(missing),
        )
        async with self.context.steps:
            await mappings.settle()
        return raw_roles, mappings

    def _per_principal(self) -> bool:
        spec = self.session.cluster.spec
        return spec is not None and spec.mapping is MappingKind.PER_PRINCIPAL

    def _names(self, principals: set[str]) -> list[str] | None:
        names = sorted(self.context.operator.role_name(principal) for principal in principals if principal)
        return names if sum(len(name) + 3 for name in names) <= NAMES_LIMIT else None

    async def _read_roles(self, names: list[str] | None) -> Mapping[str, dict[str, Any]]:
        return await self.session.port.roles(names) if names is None or names else {}

    async def _ensure_finalizers(self, records: Sequence[AccessRecord]) -> None:
        held = await ensure_finalizers(self.context, records)
        self.members.held |= held

    # Plan

    async def _plan(self, principals: Sequence[str], raw_roles: Mapping[str, dict[str, Any]]) -> list[Work]:
        works = []
        settled = self._settled()
        for number, principal in enumerate(principals):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            raw = raw_roles.get(self.context.operator.role_name(principal))
            if principal not in self.dirty and raw and settled.get(principal) == fingerprint(raw):
                # Nobody declared anything new and the role is as it was when all was well: so it still is.
                continue
            try:
                works.append(self._plan_one(principal, raw_roles))
            except Exception as error:  # one principal that we cannot think through spoils no other
                log.exception("cannot plan", principal=principal)
                works.append(self._unplanned(principal, error))
        return works

    def _settled(self) -> dict[str, int]:
        state = self.session.state
        if state.settled_gate != state.gate:
            state.settled.clear()
            state.settled_gate = state.gate
        return state.settled if self.principals is None else {}

    def _plan_one(self, principal: str, raw_roles: Mapping[str, dict[str, Any]]) -> Work:
        name = self.context.operator.role_name(principal)
        raw = raw_roles.get(name)
        observed = Role(name, role_from_json(raw), dict(raw.get("metadata") or {})) if raw is not None else None
        members = self.members.of(principal, observed)
        work = Work(principal, members, observed, self.plan_role(principal, members, observed))
        work.fingerprint = fingerprint(raw) if raw else None
        work.mapping_seen = any(
            (had := record.status.elasticsearch) is not None and had.mapping == name
            for record in self.members.records(principal)
        )
        return work

    def _unplanned(self, principal: str, error: Exception) -> Work:
        members = [self.members.member(record.access) for record in self.members.records(principal)]
        work = Work(principal, members, None, RolePlan(self.context.operator.role_name(principal)))
        work.failure = Failure(Reason.INTERNAL_ERROR, f"the role could not be planned: {type(error).__name__}")
        return work

    def _orphans(self, raw_roles: Mapping[str, dict[str, Any]]) -> set[str]:
        """Give the principals of all roles that are ours, and count. Roles of users are looked at with those."""
        operator, state = self.context.operator, self.session.state
        prefix = operator.role_name("")
        state.user_roles = user_roles(operator, raw_roles)
        owned = {
            name.removeprefix(prefix): operator.owns(raw.get("metadata") or {})
            for name, raw in raw_roles.items()
            if name.startswith(prefix) and name not in state.user_roles
        }
        state.roles = {operator.role_name(principal) for principal, mine in owned.items() if mine}
        state.foreign = len(owned) - len(state.roles)
        return {principal for principal, mine in owned.items() if mine}

    def plan_role(self, principal: str, members: Sequence[Member], observed: Role | None) -> RolePlan:
        """Plan one principal's role."""
        if not principal:
            return RolePlan("")
        uuid = self.session.state.uuid
        seen = {
            member.access.uid: known
            for member in members
            if (record := self.context.inventory.accesses.get(member.access.uid))
            and (known := seen_of(record.status, uuid))
        }
        return plan_role(self.context.operator, principal, members, observed, seen)

    # Apply

    async def _switch(self, mappings: Mappings) -> bool:
        async with self.context.steps:
            return await mappings.switch()

    async def _apply(self, works: Sequence[Work], mappings: Mappings, done: list[AccessFacts], todo: set[str]) -> None:
        """Make roles and their mappings as planned, and note what became of it; a stop waits for the end of this."""
        async with self.context.steps:
            await self._change(works, mappings)
            done += self._conclude(works)
            todo.difference_update(work.principal for work in works)

    async def _change(self, works: Sequence[Work], mappings: Mappings) -> None:
        mappings.keep(work.plan.name for work in works)
        await mappings.revoke([work.role_change for work in works])
        by_name = {work.plan.name: work for work in works}
        written = await self.write([work.plan for work in works])
        for name, error in written.refused.items():
            await self._isolate(by_name[name], error)
        for name in written.changed | written.unchanged:
            by_name[name].applied = True
        await self._delete(by_name, [work.plan.name for work in works if work.plan.delete])
        await mappings.grant([work.role_change for work in works if work.failure is None])
        for work in works:
            work.mapping = mappings.plans.get(work.plan.name)

    async def write(self, plans: Sequence[RolePlan]) -> Written:
        """Write roles: in one request, and those apart that must be replaced as a whole.

        A login that may not write them is trouble for these roles alone.
        """
        port, written = self.session.port, Written()
        for put, whole in ((port.put_roles, False), (port.replace_roles, True)):
            roles = [plan.write for plan in plans if plan.write is not None and plan.whole is whole]
            if not roles:
                continue
            try:
                answer = await put(roles)
            except WaitingError as error:
                answer = Written(refused={role.name: error for role in roles})
            self._count(answer)
            accepted = {role.name for role in roles if self.context.operator.owns(role.metadata)} - set(answer.refused)
            self.session.state.roles |= accepted
            written.add(answer)
        return written

    async def _delete(self, by_name: Mapping[str, Work], names: list[str]) -> None:
        if not names:
            return
        try:
            deleted = await self.session.port.delete_roles(names)
        except WaitingError as error:
            deleted = Written(refused=dict.fromkeys(names, error))
        self._count(deleted)
        self.session.state.roles -= deleted.changed | deleted.unchanged
        for name, refusal in deleted.refused.items():
            by_name[name].failure = Failure(refusal.reason, refusal.message)
        for name in deleted.changed | deleted.unchanged:
            by_name[name].applied = True

    def _count(self, written: Written) -> None:
        self.session.state.operations += len(written.changed)
        self.changed = self.changed or bool(written.changed)
        if written.changed and not self.context.dry_run:
            some = sorted(written.changed)
            log.info("roles changed", count=len(some), roles=some[:NAMED])

    async def _isolate(self, work: Work, error: ExternalError) -> None:
        """Find out whose rights Elasticsearch refuses in a role, so that the others get theirs.

        Each SearchAccess with a change is tried alone on top of what is in the role; who is refused is held at what it
        had, and its status says why.
        """
        enforced = [member for member in work.members if member.decision.do is Do.ENFORCE]
        suspects = [member for member in enforced if work.plan.findings[member.access.uid].differences] or enforced
        if not isinstance(error, Rejected) or not suspects:
            work.failure = Failure(error.reason, error.message)
            return
        for suspect in suspects:
            message = error.message
            if len(suspects) > 1:
                others_held = [
                    replace(member, decision=AccessDecision(Do.HOLD))
                    if member in suspects and member is not suspect
                    else member
                    for member in work.members
                ]
                alone = self.plan_role(work.principal, others_held, work.observed)
                answer = await self.write([alone])
                if not answer.refused:
                    work.observed = alone.write or work.observed
                    work.applied = True
                    continue
                message = next(iter(answer.refused.values())).message
            access = suspect.access
            self.session.state.rejections[access.uid] = (access.generation, access.reconcile_requested, message)
        await self._finish_without_refused(work)

    async def _finish_without_refused(self, work: Work) -> None:
        work.members = [self.members.member(member.access) for member in work.members]
        plan = self.plan_role(work.principal, work.members, work.observed)
        # What was found before the first try is what is reported.
        work.plan = replace(plan, findings=work.plan.findings)
        answer = await self.write([plan])
        for refusal in answer.refused.values():
            work.failure = Failure(refusal.reason, refusal.message)
        work.applied = work.applied or not answer.refused

    # Report

    def _conclude(self, works: Sequence[Work]) -> list[AccessFacts]:
        """Note what became of principals; give what is to be told of their SearchAccesses."""
        facts, settled = [], self.session.state.settled
        per_principal, late = self._per_principal(), self.session.state.mapping_late
        for work in works:
            if work.failure is not None:
                self.unfinished.add(work.principal)
                self.trouble = work.failure
                self.stuck |= owners_of(self.context.operator, work.observed)
            settled.pop(work.principal, None)
            if work.fingerprint is not None and work.uneventful and not per_principal and not late:
                settled[work.principal] = work.fingerprint
            facts += [
                work.facts_of(member, self.context.operator, self.session.state.uuid, per_principal=per_principal)
                for member in work.members
                if member.access.uid not in self.members.late and is_told(member.access, work.principal)
            ]
        return facts

    async def _publish_failure(self, principals: set[str], error: ExternalError) -> None:
        """Publish to those who wait for something that it did not happen; the others stay as they were."""
        records = {record.access.uid: record for principal in principals for record in self.members.records(principal)}
        failure = Failure(error.reason, error.message)
        publisher = StatusPublisher(self.context, self.session.state)
        await publisher.publish_failure(records.values(), failure, self.members.decision, only_waiting=True)
