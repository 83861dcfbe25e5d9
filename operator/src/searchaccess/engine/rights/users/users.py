"""Native users of principals behind a gateway: observe, plan, apply. Roles come first: they alone give rights."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from searchaccess.core.gateway.users import Circumstances, NativeUser, UserPlan, plan_user, principal_of, user_of
from searchaccess.core.model.intake.reading import texts
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.ownership import Operator, released_by_us
from searchaccess.core.status.access import Failure
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.rights.apply import Applier
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.rights.users.accounting import Accounting
from searchaccess.engine.rights.work import Work
from searchaccess.engine.state import ClusterState, Context, Session
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.tasks import first_error_alone

TOGETHER: Final = 500
"""Users that are written before a shutdown may intervene, and written again if one of them fails for lack of time."""
FEW: Final = 50
"""Users that are read one by one at most; more are read by their common prefix."""
SEARCHABLE: Final = 2.0
"""Seconds after which a list certainly has what was written: until then, what was written counts."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class UsersRun:
    """The users in one reconcile."""

    operator: Operator
    full: bool
    """All users and all roles were read."""
    needed: bool
    """Whether principals need users: False: a realm verifies callers' tokens now."""
    standing: set[str] = field(default_factory=set)
    """Names of the roles that are ours, or that we released."""
    foreign: set[str] = field(default_factory=set)
    """Names of roles under our names that are not ours: nothing is done about their users."""
    requested: set[str] = field(default_factory=set)
    """Names of the users that this reconcile is about, unless about all."""
    missed: set[str] = field(default_factory=set)
    """Names of users of ours that somebody deleted."""
    resets: bool = False
    """All passwords are reset."""
    early: dict[str, UserPlan] = field(default_factory=dict)
    """By name, those that were written with their roles, or could not be."""
    failed: dict[str, Failure] = field(default_factory=dict)
    """By principal, why its user could not be written or deleted."""
    operations: int = 0
    """Writes to the security index."""


class PrincipalUsers:
    """The users of one SearchCluster's principals.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.accounting = Accounting(context)
        self._known: dict[str, NativeUser] = {}
        """By name, as last read or written."""
        self._written: dict[str, float] = {}
        """By name, when it was last written or deleted."""
        self._rehashed: set[str] = set()
        """Names of users that were written since a reset of all passwords began, so that a long one makes progress."""
        self._refused = set[str]()
        """Names of users that could not be written: their passwords are reset when they can."""
        self._stamped: set[str] = set()
        """Names of users that were written once: a predecessor that still runs would write them again each time."""
        self._unanswered: set[str] = set()
        """Names of users whose write was not answered: the next reconcile reads them by their names."""
        self.holders: tuple[tuple[str, str], ...] = ()
        """Users of others under our names that have roles of ours, by the last full read: name and role."""

    async def observe(
        self, session: Session, operator: Operator, observed: Observed, principals: Iterable[str], *, full: bool
    ) -> UsersRun | None:
        """Read users; None: none are needed, and there are none.

        Args:
            session: the connected cluster.
            operator: this operator, with its predecessors.
            observed: the roles as read.
            principals: what the reconcile is about.
            full: whether it is about all.

        Raises:
            ExternalError: the cluster could not be read.
        """
        run = UsersRun(operator, full, session.cluster.gateway is not None)
        if not run.needed:
            # Nobody asks whether somebody set a password.
            session.state.in_doubt.clear()
        if not run.needed and not (full and session.state.users):
            return None
        async for name, raw in in_chunks(observed.roles.items()):
            if principal_of(operator, name):
                metadata = raw.get("metadata")
                ours = isinstance(metadata, Mapping) and (operator.owns(metadata) or released_by_us(metadata))
                (run.standing if ours else run.foreign).add(name)
        names = (operator.role_name(principal) for principal in principals)
        run.requested = {name for name in names if principal_of(operator, name)}
        new = {name for name in run.requested if (user := self._known.get(name)) is None or not _owns(operator, user)}
        if full or len(new) > FEW:
            run.missed = await self._read_all(session, operator)
        elif new:
            await self._read_each(session, sorted(new))
        if unanswered := self._unanswered:
            await self._read_each(session, sorted(unanswered)[:FEW])
            self._unanswered = self._unanswered - unanswered
        if full and run.needed:
            await self.accounting.read(session, observed, self._known)
            run.resets = self.accounting.is_first or self.accounting.is_due
            if run.resets and self.accounting.begin_reset():
                self._rehashed.clear()
        return run

    async def _read_all(self, session: Session, operator: Operator) -> set[str]:
        """Read all users of principals; return the names of ours that somebody deleted."""
        prefix, began = operator.role_name(""), self._context.clock.monotonic()
        raws = await session.port.users(prefix)
        recent = {name for name, when in self._written.items() if began - when < SEARCHABLE}
        self._written = {name: when for name, when in self._written.items() if name in recent}
        found, holders = {}, list[tuple[str, str]]()
        async for raw in in_chunks(raws):
            name = str(raw.get("username"))
            if principal_of(operator, name):
                found[name] = user_of(raw)
            if not operator.owns(raw.get("metadata")) and raw.get("enabled") is not False:
                holders += ((name, role) for role in texts(raw.get("roles")) if role.startswith(prefix))
        kept = {name: user for name, user in self._known.items() if name in recent}
        before, self._known = self._known, {name: user for name, user in found.items() if name not in recent} | kept
        self.holders = tuple(sorted(holders))
        return {name for name, user in before.items() if name not in self._known and _owns(operator, user)}

    async def _read_each(self, session: Session, names: Sequence[str]) -> None:
        with first_error_alone():
            async with asyncio.TaskGroup() as group:
                tasks = {name: group.create_task(session.port.user(name)) for name in names}
        for name, task in tasks.items():
            self._know(name, user_of(raw) if (raw := task.result()) is not None else None)

    def _know(self, name: str, user: NativeUser | None) -> None:
        if user is None:
            self._known.pop(name, None)
        else:
            self._known[name] = user

    async def changed(self, run: UsersRun) -> set[str]:
        """Return the principals whose users are not as they should be, although their roles may be."""
        found = set[str]()
        async for name in in_chunks(sorted(run.standing) if run.needed else ()):
            principal = principal_of(run.operator, name)
            known = self._circumstances(run, name, needed=True)
            plan = plan_user(run.operator, principal, self._known.get(name), known)
            if plan.changes or plan.conflict:
                found.add(principal)
        return found

    async def write_new(self, run: UsersRun, applier: Applier, works: Sequence[Work]) -> None:
        """Write the users of new callers, whose roles were just written: they wait for no other callers' roles.

        Args:
            run: what was read.
            applier: says which roles were written.
            works: principals whose roles were written as planned.

        Raises:
            TransientError: the cluster does not respond properly.
        """
        lacking = (work.plan.name for work in works if work.failure is None and self.lack(run, applier, work))
        new = [name for name in lacking if name not in run.missed]
        plans = await self._plans(run, new, set(new), frozenset())
        writes = [plan.write for plan in plans.values() if plan.write is not None]
        await self._apply(applier.port, applier.planner.members.state, run, writes, ())
        run.early |= plans

    async def settle(
        self, session: Session, run: UsersRun, applier: Applier, works: Sequence[Work], *, replaced: bool
    ) -> None:
        """Write and delete users, after the roles.

        Args:
            session: the connected cluster.
            run: what was read.
            applier: says which roles were written and deleted.
            works: the principals in this reconcile; each gets the plan of its user, and its failure.
            replaced: whether callers have their roles without users.

        Raises:
            TransientError: the cluster does not respond properly.
        """
        by_name = {work.plan.name: work for work in works}
        plans: dict[str, UserPlan] = {}
        if run.needed or replaced:
            held = {
                work.plan.name
                for work in works
                if work.members and not any(member.decision.do is Do.ENFORCE for member in work.members)
            }
            after = (run.standing | applier.written) - applier.deleted
            names = {*self._known, *after} if run.full else run.requested
            plans = await self._plans(run, sorted(names - run.early.keys()), after, held)
        writes = [plan.write for plan in plans.values() if plan.write is not None]
        deletes = [name for name, plan in plans.items() if plan.delete]
        await self._apply(session.port, session.state, run, writes, deletes)
        for name, plan in (run.early | plans).items():
            if name in by_name and by_name[name].failure is None:
                by_name[name].user, by_name[name].failure = plan, run.failed.get(principal_of(run.operator, name))
        ours = [user for user in self._known.values() if _owns(run.operator, user)]
        session.state.users = len(ours) if run.needed else len(ours) or None
        if run.resets:
            self.accounting.was_reset(session, len(self._rehashed.intersection(self._known)))

    def lack(self, run: UsersRun, applier: Applier, work: Work) -> bool:
        """Return whether a principal has a role and no user."""
        name = work.plan.name
        has_role = name in applier.written or (name in run.standing and name not in applier.deleted)
        return run.needed and has_role and name not in self._known

    async def _plans(
        self, run: UsersRun, names: Sequence[str], after: AbstractSet[str], held: AbstractSet[str]
    ) -> dict[str, UserPlan]:
        """Plan users.

        Args:
            run: what was read.
            names: of the users.
            after: names of the roles that exist now.
            held: names of the roles in which nothing is enforced.
        """
        plans = {}
        async for name in in_chunks(names):
            principal, needed = principal_of(run.operator, name), run.needed and name in after
            if not principal or (name in run.foreign and name not in after):
                continue
            known = replace(self._circumstances(run, name, needed=needed), enforced=name not in held)
            known = replace(known, reset=known.reset or (run.resets and name not in self._rehashed))
            plan = plan_user(run.operator, principal, self._known.get(name), known)
            if plan.changes or plan.conflict or plan.drift:
                plans[name] = plan
        return plans

    def _circumstances(self, run: UsersRun, name: str, *, needed: bool) -> Circumstances:
        stamped, reset = name in self._stamped, name in self._refused
        return Circumstances(needed=needed, seen=name in run.missed, restamp=not stamped, reset=reset)

    async def _apply(
        self,
        port: ElasticsearchPort,
        state: ClusterState,
        run: UsersRun,
        writes: Sequence[NativeUser],
        deletes: Sequence[str],
    ) -> None:
        now, refused = self._context.clock.monotonic(), dict[str, ExternalError]()
        for start in range(0, len(writes), TOGETHER):
            some = writes[start : start + TOGETHER]
            names = {user.name for user in some}
            self._unanswered |= names
            # Whoever set a password meanwhile would hide behind a write that did not arrive.
            self._refused |= names
            async with self._context.steps:
                with state.writing("user", names):
                    written = await port.put_users(some)
            self._unanswered -= names
            self.accounting.wrote_users(written)
            done = {user.name: user for user in some if user.name not in written.refused}
            self._known |= done
            self._written |= dict.fromkeys(done, now)
            self._stamped |= done.keys()
            self._rehashed |= done.keys()
            self._refused -= done.keys()
            refused |= written.refused
            run.operations += len(written.changed)
        for start in range(0, len(deletes), TOGETHER):
            gone = deletes[start : start + TOGETHER]
            async with self._context.steps:
                with state.writing("user", gone):
                    deleted = await port.remove_users(gone)
            self.accounting.wrote_users(deleted)
            for name in deleted.changed | deleted.unchanged:
                self._known.pop(name, None)
                self._refused.discard(name)
                self._written[name] = now
            refused |= deleted.refused
            # The deletion of a missing one moves the sequence number too (measured).
            run.operations += len(deleted.changed | deleted.unchanged)
        run.failed |= {
            principal_of(run.operator, name): Failure(error.reason, error.message) for name, error in refused.items()
        }
        if run.operations and not self._context.dry_run:
            log.info("users changed", written=len(writes), deleted=len(deletes), refused=len(refused))

    async def remove_all(self, session: Session, operator: Operator) -> None:
        """Delete all our users: the SearchCluster is being deleted.

        Raises:
            ExternalError: not all of them could be deleted.
        """
        if session.cluster.gateway is None and not session.state.users:
            return
        await self._read_all(session, operator)
        deleted = await session.port.remove_users(
            sorted(name for name, user in self._known.items() if _owns(operator, user))
        )
        for error in deleted.refused.values():
            raise error


def _owns(operator: Operator, user: NativeUser) -> bool:
    return operator.owns(user.metadata)
