"""Writes roles and role mappings as planned."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import structlog

from searchaccess.core.rights.plan import RolePlan
from searchaccess.core.rights.refused.isolation import Isolation
from searchaccess.core.rights.refused.refusals import with_refusals
from searchaccess.core.status.access import Failure
from searchaccess.engine.barrier import Place, caught
from searchaccess.engine.rights.mappings import Mappings
from searchaccess.engine.rights.plan import Planner
from searchaccess.engine.rights.work import Work
from searchaccess.engine.state import Context
from searchaccess.ports.elasticsearch import ElasticsearchPort, Written
from searchaccess.ports.errors import ExternalError, PermissionDenied, Rejected, TransientError, Unexpected

NAMED: Final = 10
"""Roles to name in one log line."""
ATTEMPTS: Final = 128
"""Requests in one reconcile that isolate the affected role after an internal error in a bulk write."""
TRIES_OF_ONE: Final = 32
"""Attempts per role in one reconcile to isolate whose rights Elasticsearch refuses."""
TRIES: Final = 128
"""The same for all roles together; one request attempts several roles."""
LONGEST: Final = 0.5
"""Seconds after which no new attempts begin: others wait meanwhile."""
_NOT_DELEGATED: Final = "this role, with all that is in it, is more than was delegated to the operator's login"

log = structlog.get_logger(__name__)

Item = TypeVar("Item")


@dataclass(slots=True)
class Applier:
    """Performs and counts the writes of one reconcile.

    Args:
        context: what all reconcilers share.
        cluster: name of the SearchCluster.
        port: the cluster.
        planner: plans roles.
        mappings: writes role mappings.
        delegated: the login may write only some roles, and Elasticsearch refuses a request as a whole if it contains
            another one.
    """

    context: Context
    cluster: str
    port: ElasticsearchPort
    planner: Planner
    mappings: Mappings
    delegated: bool = False
    operations: int = 0
    written: set[str] = field(default_factory=set)
    """Names of our roles that were written."""
    removed: set[str] = field(default_factory=set)
    """Names of roles that were deleted or released, and are no longer ours."""
    deleted: set[str] = field(default_factory=set)
    """Names of roles that were deleted."""
    touched: set[str] = field(default_factory=set)
    """Names of all roles that were certainly changed."""
    unchanged: set[str] = field(default_factory=set)
    """Names of roles that were written and were so already, or deleted and were gone."""
    _attempts: int = ATTEMPTS

    async def apply(self, works: Sequence[Work]) -> None:
        """Write roles and their mappings as planned; a failure is recorded in the role's work.

        Raises:
            TransientError: the cluster does not respond properly.
        """
        await self._remove([work for work in works if work.plan.delete])
        await self._write(works)
        for work in works:
            await self._guarded(work, "grant mapping", self._grant)

    async def _remove(self, works: Sequence[Work]) -> None:
        for work in works:
            await self._guarded(work, "revoke mapping", self._revoke)
        await self._delete([work for work in works if work.failure is None])

    async def _guarded(self, work: Work, place: Place, action: Callable[[Work], Awaitable[None]]) -> None:
        if work.failure is not None:
            return
        try:
            await action(work)
        except TransientError:
            raise
        except ExternalError as error:
            work.failure = Failure(error.reason, error.message)
        except Exception as error:  # noqa: BLE001 - the barrier: one principal's mapping affects nobody else
            work.failure = caught(self.context.meter, self.cluster, place, error)

    async def _revoke(self, work: Work) -> None:
        await self.mappings.revoke(work.role_change)

    async def _grant(self, work: Work) -> None:
        if work.mapping is None:
            work.mapping = await self.mappings.grant(work.role_change)

    # Roles

    async def _write(self, works: Sequence[Work]) -> None:
        """Write roles. If one is refused, its revocations are still applied, and the rest waits."""
        by_name = {work.plan.name: work for work in works}
        refused = self._note(by_name, await self._put([work.plan for work in works if work.failure is None]))
        held = [work for work, error in refused if self._hold_back(work, error)]
        await self._remove([work for work in held if work.plan.delete])
        for work, error in self._note(by_name, await self._put([work.plan for work in held])):
            work.failure = Failure(error.reason, error.message)
        for work in works:
            if work.isolation and work.failure is None:
                work.observed = work.role_change.after()

    def _hold_back(self, work: Work, error: ExternalError) -> bool:
        """Plan a role without the possible causes of a refusal; return whether that is possible."""
        try:
            suspects = work.suspects
            if not isinstance(error, Rejected) or not suspects:
                work.failure = Failure(error.reason, error.message)
                return False
            before = work.isolation.groups if work.isolation else ()
            work.isolation = Isolation(suspects, error.message, before)
            # The findings before the first attempt are reported.
            held = {*suspects, *work.undecided}
            work.plan = replace(self.planner.without(work, held), findings=work.plan.findings)
            self._conclude(work)
        except Exception as fault:  # noqa: BLE001 - the barrier: a principal that cannot be planned affects no other
            work.failure = caught(self.context.meter, self.cluster, "hold back", fault)
        return work.failure is None

    def _note(self, by_name: Mapping[str, Work], written: Written) -> list[tuple[Work, ExternalError]]:
        """Record what was written; return what was refused."""
        for name in written.changed | written.unchanged:
            by_name[name].applied = True
        return [(by_name[name], error) for name, error in written.refused.items()]

    async def _put(self, plans: Sequence[RolePlan]) -> Written:
        """Write roles: in one request, except those that must be replaced as a whole."""
        written = Written()
        for put, whole in ((self.port.put_roles, False), (self.port.replace_roles, True)):
            roles = [plan.write for plan in plans if plan.write is not None and plan.whole is whole]
            if not roles:
                continue
            names = [role.name for role in roles]
            with self.planner.members.state.writing("role", names):
                answer = await self._perform(put, roles, names)
            self.touched |= answer.changed
            self.unchanged |= answer.unchanged
            self._count(answer)
            ours = {role.name for role in roles if self.context.operator.owns(role.metadata)} - set(answer.refused)
            self.written |= ours
            self.removed -= ours
            self.removed |= {role.name for role in roles} - ours - set(answer.refused)
            self.deleted -= answer.changed | answer.unchanged
            written.add(answer)
        return written

    async def _perform(
        self, action: Callable[[Sequence[Item]], Awaitable[Written]], items: Sequence[Item], names: Sequence[str]
    ) -> Written:
        """Write or delete roles; missing rights and internal errors affect only the roles concerned."""
        try:
            return await action(items)
        except TransientError:
            raise
        except ExternalError as error:
            if not (self.delegated and isinstance(error, PermissionDenied)) or self._attempts <= 0:
                return Written(refused=dict.fromkeys(names, error))
            if len(items) == 1:
                return Written(refused=dict.fromkeys(names, Rejected(f"{_NOT_DELEGATED}: {error.message}")))
        except Exception as error:  # noqa: BLE001 - the barrier: halves are attempted, so that one error does not affect the others
            failure = caught(self.context.meter, self.cluster, "write roles", error)
            if len(items) == 1 or self._attempts <= 0:
                return Written(refused=dict.fromkeys(names, Unexpected(failure.message)))
        self._attempts -= 2
        middle = len(items) // 2
        written = await self._perform(action, items[:middle], names[:middle])
        written.add(await self._perform(action, items[middle:], names[middle:]))
        return written

    async def _delete(self, works: Sequence[Work]) -> None:
        if not works:
            return
        by_name = {work.plan.name: work for work in works}
        names = list(by_name)
        with self.planner.members.state.writing("role", names):
            deleted = await self._perform(self.port.delete_roles, names, names)
        self.touched |= deleted.changed
        self.unchanged |= deleted.unchanged
        self._count(deleted)
        self.removed |= deleted.changed | deleted.unchanged
        self.deleted |= deleted.changed | deleted.unchanged
        for work, refusal in self._note(by_name, deleted):
            work.failure = Failure(refusal.reason, refusal.message)

    def _count(self, written: Written) -> None:
        self.operations += len(written.changed)
        if written.changed and not self.context.dry_run:
            some = sorted(written.changed)
            log.info("roles changed", count=len(some), roles=some[:NAMED])

    # Isolation

    async def isolate(self, works: Sequence[Work]) -> None:
        """Isolate whose rights Elasticsearch refuses, so that the others get theirs, within the budget.

        Groups of SearchAccesses are attempted on top of what is in the role; a refused one keeps what it had, and its
        status reports why. A request attempts one group of each role.

        Raises:
            TransientError: the cluster does not respond properly.
        """
        clock, tries = self.context.clock, TRIES
        began = clock.monotonic()
        for _ in range(TRIES_OF_ONE):
            todo = [work for work in works if work.undecided and work.failure is None][:tries]
            if not todo:
                break
            tries -= len(todo)
            async with self.context.steps:
                await self._try(todo)
            if clock.monotonic() - began > LONGEST:
                break
        async with self.context.steps:
            for work in works:
                await self._guarded(work, "grant mapping", self._grant)

    async def _try(self, works: Sequence[Work]) -> None:
        plans: dict[str, RolePlan] = {}
        by_name = {work.plan.name: work for work in works}
        for work in works:
            try:
                plans[work.plan.name] = self.planner.trying(work, work.isolation or Isolation(()))
            except Exception as fault:  # noqa: BLE001 - the barrier: a principal that cannot be planned affects no other
                work.failure = caught(self.context.meter, self.cluster, "isolate", fault)
        written = await self._put(list(plans.values()))
        for name, plan in plans.items():
            work, error = by_name[name], written.refused.get(name)
            if work.isolation is None:
                continue
            if error is None:
                work.isolation.accept()
                work.observed, work.applied = plan.write or work.observed, True
                work.plan = replace(plan, findings=work.plan.findings)
            elif isinstance(error, Rejected):
                work.isolation.refuse(error.message)
            else:
                work.failure = Failure(error.reason, error.message)
            self._conclude(work)

    def _conclude(self, work: Work) -> None:
        """Record whose rights Elasticsearch refuses, and who would widen others."""
        if work.isolation is None:
            return
        rejections, accesses = self.planner.members.rejections, {member.access.uid: member for member in work.members}
        for uid, message in work.isolation.refused.items():
            rejections.note(accesses[uid].access, message)
        for uid in work.isolation.accepted:
            rejections.drop(uid)
        known = work.isolation.refused.keys() | work.isolation.accepted
        members = [
            self.planner.members.member(member.access) if member.access.uid in known else member
            for member in work.members
        ]
        # Those refused in one attempt stay refused in the next ones.
        work.refused |= work.plan.refused
        work.members = with_refusals(members, work.refused)
