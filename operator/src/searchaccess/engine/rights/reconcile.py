"""Reconciles the roles and role mappings of one SearchCluster: observe, plan, apply, facts."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from searchaccess.core.policy.decision import Gate
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import Pace
from searchaccess.engine.concurrency.tasks import both
from searchaccess.engine.inventory.former import KEYS
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.apply import Applier
from searchaccess.engine.rights.background.copies import CopiesReader
from searchaccess.engine.rights.background.others import OthersReader
from searchaccess.engine.rights.background.proofs import ask_early
from searchaccess.engine.rights.facts import FactsBuilder
from searchaccess.engine.rights.formermappings import FormerMappings
from searchaccess.engine.rights.mappings import Mappings, MappingState
from searchaccess.engine.rights.members import LEAVES, Members, Phase
from searchaccess.engine.rights.observe import Observed, is_per_principal, observe, roles_by_owner
from searchaccess.engine.rights.ownership.adoptions import AGAIN, Adoptions
from searchaccess.engine.rights.ownership.controllers import OtherControllers, in_place
from searchaccess.engine.rights.ownership.released import ReleasedLedger
from searchaccess.engine.rights.plan import Planner
from searchaccess.engine.rights.progress import Progress
from searchaccess.engine.rights.run import RightsResult, Run
from searchaccess.engine.rights.users.users import PrincipalUsers, UsersRun
from searchaccess.engine.rights.work import Work, owners_of
from searchaccess.engine.state import CHUNK, Context, Scope, Session, gate_of
from searchaccess.engine.status.finalizers import ensure_finalizers
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.ports.errors import ExternalError, TransientError

TOGETHER: Final = 50
"""Finalizers that are written, and queries that are tried, while roles are being read, at most."""


class RightsReconciler:
    """Roles and role mappings of one SearchCluster.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
    """

    def __init__(self, context: Context, name: str) -> None:
        self._own = context
        self._context = context
        """With the predecessors of the SearchCluster."""
        self._name = name
        self._uuid = ""
        self._forget()

    def _forget(self) -> None:
        self._progress = Progress(self._context.clock)
        self._copies = CopiesReader(self._context)
        self._released = ReleasedLedger(self._context, self._name)
        self._mapping = MappingState()
        self._adoptions = Adoptions(self._context, self._name)
        self._other_controllers = OtherControllers(self._own.operator, self._context.inventory, self._name)
        self._others = OthersReader(self._context)
        self._users = PrincipalUsers(self._context)
        self._former_mappings = FormerMappings(self._context)
        self._roles: set[str] = set()
        self._user_roles: frozenset[str] = frozenset()
        self._foreign = 0

    def delay(self) -> float:
        """Return the seconds until something is due."""
        return min(self._progress.agenda.delay(), self._former_mappings.delay())

    def has_pending_revocation(self, session: Session) -> bool:
        """Return whether released rights are to be revoked, and none of that is backing off."""
        self._released.begin(session)
        return any(
            not self._progress.agenda.is_backing_off(principal) for principal in self._released.pending_revocation
        )

    @property
    def is_isolating(self) -> bool:
        """Whether it still isolates which SearchAccesses Elasticsearch refuses, or soon adopts something."""
        return bool(self._progress.rejections.waiting) or self._adoptions.is_coming

    async def reconcile(self, session: Session, scope: Scope) -> RightsResult:
        """Reconcile roles and role mappings, and report the results.

        Principals that are due by the agenda are added to the scope. An internal error affects only its principal.

        Args:
            session: the connected cluster.
            scope: what to reconcile.

        Raises:
            ExternalError: the cluster as a whole could not be read or written. The statuses concerned report that, and
                the scope must be reconciled again.
        """
        await self._released.refresh(session)
        run = self._begin(session, scope)
        try:
            return await self._reconcile(session, run)
        except BaseException:  # raised again: what was answered is ours, whatever failed after it
            session.state.operations += run.operations
            raise

    async def _reconcile(self, session: Session, run: Run) -> RightsResult:
        try:
            observed, users = await self._observe(session, run)
            mappings = await self._settle_mapping(session, observed, run)
            planner = Planner(
                self._context,
                self._name,
                self._uuid,
                run.members,
                observed,
                self._settled_for(run),
                self._released,
                run.agreed,
            )
            login = session.state.login
            delegated = login is not None and bool(login.delegated)
            applier = Applier(self._context, self._name, session.port, planner, mappings, delegated=delegated)
            run.counting += [applier, *([users] if users else ())]
            try:
                await self._serve(run, planner, applier, users)
                await self._settle_users(session, run, users, applier)
            finally:
                self._users.accounting.wrote(applier.touched, mappings.rewritten, applier.unchanged)
                self._roles = (self._roles | applier.written) - applier.removed
                self._other_controllers.changed(applier.written, applier.removed, ())
                await self._report(session, run)
        except ExternalError as error:
            await self._publish_failure(session, run, error)
            raise
        finally:
            self._progress.fail_due(run.due)
        if run.full:
            async with self._context.steps:
                try:
                    await mappings.sweep()
                    await self._finish_takeover(session, run, mappings)
                finally:
                    self._users.accounting.wrote(self._other_controllers.removed, mappings.rewritten)
        if run.full or self._other_controllers.summary is not None:
            # What is declared may have changed.
            self._other_controllers.report()
        if self._adoptions.waits:
            self._progress.agenda.plan("", AGAIN)
        if self._users.accounting.postponed is not None:
            self._progress.agenda.plan("", self._users.accounting.postponed)
        changed = applier.operations + (users.operations if users else 0) > 0
        return self._result(run.operations, changed=changed)

    async def _finish_takeover(self, session: Session, run: Run, mappings: Mappings) -> None:
        """Remove what abandoned instances left."""
        self._other_controllers.changed((), (), mappings.rewritten)
        run.counting.append(self._other_controllers)
        trouble = await self._other_controllers.remove(session, mappings, in_place(run.done, self._progress.settled))
        if trouble is not None:
            self._progress.failures[""] = trouble

    async def remove_mappings(self, session: Session) -> None:
        """Delete all our role mappings: the SearchCluster is being deleted.

        Raises:
            ExternalError: not all of them could be deleted.
        """
        observed = await observe(self._context, session, [], full=True, mapping_settled=False)
        await Mappings(self._context, session, observed, MappingState()).sweep()
        await self._users.remove_all(session, self._context.operator)

    # Begin

    def _begin(self, session: Session, scope: Scope) -> Run:
        operator = self._own.operator.successor_of(session.taken_over)
        if operator != self._context.operator:
            self._context = replace(self._own, operator=operator)
            self._progress.settled.clear()
        if session.state.uuid != self._uuid:
            self._forget()
            self._uuid = session.state.uuid
        if scope.include_settled:
            self._progress.settled.clear()
            self._copies.expire()
            self._others.expire()
        self._released.operator = operator
        due = self._progress.agenda.due()
        known = self._released.begin(session)
        changed = scope.principals | due | self._released.pending_revocation
        self._progress.begin(changed)
        gate, rejections = self._gate(session), self._progress.rejections
        members = Members(self._context, self._name, gate, rejections, self._uuid, state=session.state)
        principals = members.with_shared_accesses(changed)
        if len(changed) <= TOGETHER:
            ask_early(session.state, members, changed)
        # A leaving SearchAccess may also have rights under an old name, which only a full read shows.
        full = (
            scope.full
            or not known
            or (bool(self._mapping.late) and self._anybody_leaves(members, principals))
            or (self._adoptions.waits and self._adoptions.is_recorded)
            or self._users.accounting.is_due
            or self._former_mappings.is_due(session)
        )
        if full:
            inventory = self._context.inventory
            principals |= {*inventory.principals(self._name), *inventory.former.principals(self._name) - {KEYS}}
        return Run(full, members, principals, due, self._adoptions.begin(full=full))

    def _anybody_leaves(self, members: Members, principals: Iterable[str]) -> bool:
        records = (record for principal in principals for record in members.records(principal))
        return any(members.decision_or_held(record.access).do in LEAVES for record in records)

    def _gate(self, session: Session) -> Gate:
        return gate_of(session.verdict, self._mapping.conflict, self._mapping.refusal, self._mapping.unwritten)

    def _settled_for(self, run: Run) -> dict[str, int]:
        return self._progress.settled if run.full else {}

    # Observe

    async def _observe(self, session: Session, run: Run) -> tuple[Observed, UsersRun | None]:
        """Observe roles, mappings and users, and add finalizers meanwhile."""
        missing = await run.members.without_finalizer(run.principals)
        if len(missing) > TOGETHER:
            # Roles are read after that, so that they are recent when they are written.
            await self._ensure_finalizers(missing, run)
            missing = []
        names = sorted(self._context.operator.role_name(principal) for principal in run.principals if principal)
        reading = observe(self._context, session, names, full=run.full, mapping_settled=self._mapping.settled)
        observed, _ = await both(reading, self._ensure_finalizers(missing, run))
        self._adoptions.settle(self._context.operator, observed)
        users = await self._users.observe(session, self._context.operator, observed, run.principals, full=run.full)
        if users is not None:
            self._progress.unsettle(await self._users.changed(users))
        if run.full:
            self._other_controllers.see(observed.other_controllers)
            session.state.unseen.see_roles(owner for owners in observed.unseen.values() for owner in owners)
            concerned = await self._others.changed(session, observed, self._users.holders)
            self._progress.unsettle(concerned or ())
            if await self._copies.changed(session) or concerned is None:
                self._progress.settled.clear()
            self._progress.unsettle(self._released.compare(session, observed.roles))
            run.principals |= self._released.pending_revocation
            name = session.cluster.name
            failed = partial(caught, self._context.meter, name, "read role")
            found = roles_by_owner(self._context.operator, observed.roles, failed)
            self._roles = {self._context.operator.role_name(principal) for principal in found.principals}
            self._user_roles, self._foreign = found.users, found.foreign
            run.principals |= found.principals - self._other_controllers.claimed_by_live_predecessors(found.principals)
            self._progress.keep(run.principals, self._context.inventory.accesses.keys())
        return observed, users

    async def _settle_users(self, session: Session, run: Run, users: UsersRun | None, applier: Applier) -> None:
        if users is None:
            self._former_mappings.settle(session, applier.mappings, (), ())
            return
        mapping = self._mapping
        replaced = mapping.settled and session.verdict.grants and not (mapping.late or mapping.unwritten)
        try:
            await self._users.settle(session, users, applier, run.done, replaced=replaced)
        except TransientError:
            # Those without a user are not let in: nothing is reported as in place.
            run.done = [work for work in run.done if not self._users.lack(users, applier, work)]
            raise
        done = {work.principal for work in run.done}
        self._former_mappings.settle(session, applier.mappings, users.failed, done)
        for principal, failure in users.failed.items():
            self._progress.failures[principal] = failure
            if principal not in done:
                self._progress.unsettle([principal])
                self._progress.agenda.fail(principal)

    async def _ensure_finalizers(self, records: Sequence[AccessRecord], run: Run) -> None:
        run.members.held |= await ensure_finalizers(self._context, records)

    async def _settle_mapping(self, session: Session, observed: Observed, run: Run) -> Mappings:
        mappings = Mappings(self._context, session, observed, self._mapping, run.agreed)
        mappings.keep(self._context.operator.role_name(principal) for principal in run.principals)
        run.counting.append(mappings)
        try:
            async with self._context.steps:
                await mappings.settle()
        finally:
            self._users.accounting.wrote((), mappings.rewritten)
        self._mapping = mappings.state
        self._adoptions.note(mappings.state.foreign, replaced=not mappings.state.conflict)
        run.members.gate = self._gate(session)
        run.members.keeps_old_names = bool(mappings.state.late)
        self._progress.apply_gate(run.members.gate)
        return mappings

    # Plan and apply

    async def _serve(self, run: Run, planner: Planner, applier: Applier, users: UsersRun | None) -> None:
        """Revoke rights, grant rights, then isolate what Elasticsearch refuses."""
        order = await planner.in_order(run.principals)
        run.principals = {principal for principals in order.values() for principal in principals}
        change = partial(self._change, run, planner, applier, users)
        await change([*order[Phase.REMOVES], *order[Phase.GROWS]])
        async with self._context.steps:
            switched = await applier.mappings.switch()
        self._mapping = applier.mappings.state
        if switched:
            # Until then, callers still get the roles of old names.
            run.members.keeps_old_names = False
            await change(order[Phase.MOVES])
        waiting = self._progress.rejections.waiting
        isolating = sorted(
            run.isolating, key=lambda work: waiting[work.principal].number if work.principal in waiting else 0
        )
        await applier.isolate(isolating)
        for work in isolating:
            run.members.note_former(work)
        run.done += isolating

    async def _change(
        self, run: Run, planner: Planner, applier: Applier, users: UsersRun | None, principals: Sequence[str]
    ) -> None:
        """Change roles, chunk by chunk. While some are written, the next are planned."""
        chunks = [principals[start : start + CHUNK] for start in range(0, len(principals), CHUNK)]
        works = await planner.plan(chunks[0]) if chunks else []
        for following in [*chunks[1:], ()]:
            if not works:
                break
            _, planned = await both(self._apply(run, applier, users, works), planner.plan(following))
            works = planned

    async def _apply(self, run: Run, applier: Applier, users: UsersRun | None, works: Sequence[Work]) -> None:
        """Write roles and their mappings as planned; a shutdown waits for this."""
        async with self._context.steps:
            await applier.apply(works)
        if users is not None:
            await self._users.write_new(users, applier, works)
        for work in works:
            self._adoptions.note_work(work)
            run.members.note_placed(work)
            run.members.note_former(work)
            work.drop_plan()
        run.done += [work for work in works if not work.undecided or work.failure]
        run.isolating += [work for work in works if work.undecided and not work.failure]

    # Report

    async def _report(self, session: Session, run: Run) -> None:
        """Report the results for principals, and record them."""
        builder = FactsBuilder(
            self._context.operator,
            self._context.meter,
            self._name,
            self._uuid,
            is_per_principal(session),
            session.cluster.wanted_realm,
            self._others.found,
            session.cluster.gateway,
            session.state.shadows,
        )
        if session.cluster.gateway:
            session.state.rewritten.update(work.principal for work in run.done if work.applied)
        facts: list[AccessFacts] = []
        stuck: dict[str, Failure] = {}
        pace, weight = Pace(), self._others.found.weight if self._others.found else 0
        for work in run.done:
            await pace.spent(len(work.members) + weight)
            facts += builder.build(work, run.members.late)
            if work.failure is not None:
                stuck |= dict.fromkeys(owners_of(self._context.operator, work.observed), work.failure)
        self._released.note(session.state, [work.plan.releasing for work in run.done if work.failure is None])
        publisher = StatusPublisher(self._context, session.state)
        broken = await publisher.report(facts, run.todo, stuck, self._mapping.late)
        for work in run.done:
            reported = broken.isdisjoint(member.access.uid for member in work.members)
            self._progress.conclude(work, settles=not (builder.per_principal or self._mapping.late), reported=reported)

    async def _publish_failure(self, session: Session, run: Run, error: ExternalError) -> None:
        """Report the failure on those that wait for something; the others stay unchanged."""
        await StatusPublisher(self._context, session.state).publish_failure(
            [record for principal in run.todo for record in run.members.records(principal)],
            Failure(error.reason, error.message),
            run.members.decision_or_held,
            only_waiting=True,
        )

    def _result(self, operations: int, *, changed: bool) -> RightsResult:
        mapping, self._mapping = self._mapping, replace(self._mapping, adopted="", foreign=None)
        return RightsResult(
            changed=changed,
            operations=operations,
            unfinished=self._progress.unfinished,
            trouble=self._progress.failure,
            roles=frozenset(self._roles),
            user_roles=self._user_roles,
            foreign=self._foreign,
            mapping=mapping,
            adopted=self._adoptions.adopted,
            others=self._other_controllers.summary,
            unseen=self._others.limits,
        )
