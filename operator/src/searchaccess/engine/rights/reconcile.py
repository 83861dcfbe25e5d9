"""Keeps the roles and role mappings of one SearchCluster: observe, plan, apply, facts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import AdoptedStatus, OtherStatus
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.policy.decision import OPEN, Gate
from searchaccess.core.rights.foreign import ForeignMapping
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.agenda import Agenda
from searchaccess.engine.backoff import CAP, FIRST
from searchaccess.engine.chunks import Pace
from searchaccess.engine.inventory.former import KEYS
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.apply import Applier
from searchaccess.engine.rights.beside.copies import CopiesReader
from searchaccess.engine.rights.beside.proofs import ask_early
from searchaccess.engine.rights.facts import FactsBuilder
from searchaccess.engine.rights.mappings import Mappings, MappingState
from searchaccess.engine.rights.members import LEAVES, Members, Phase
from searchaccess.engine.rights.observe import Observed, inhabitants, is_per_principal, observe
from searchaccess.engine.rights.ownership.adoptions import AGAIN, Adoptions
from searchaccess.engine.rights.ownership.others import Others, in_place
from searchaccess.engine.rights.ownership.released import ReleasedLedger
from searchaccess.engine.rights.plan import Planner
from searchaccess.engine.rights.rejections import Rejections
from searchaccess.engine.rights.work import Work, owners_of
from searchaccess.engine.state import CHUNK, Context, Scope, Session, gate_of
from searchaccess.engine.status.finalizers import ensure_finalizers
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.engine.tasks import both
from searchaccess.ports.errors import ExternalError

_NO_OTHERS: Final[tuple[ForeignMapping, ...]] = ()
TOGETHER: Final = 50
"""Up to so many finalizers are written, and queries tried, while roles are being read."""
SLICE_EVERY: Final = 1.0
"""Seconds after which the isolation of refused rights continues."""
REFUSED_CAP: Final = 300.0
"""Seconds of the longest back-off where Elasticsearch refuses what the role would be: only another declaration or
another login changes that, and either has it reconciled at once."""


@dataclass(frozen=True, slots=True)
class RightsResult:
    """What a reconcile found and did."""

    changed: bool
    """Whether anything was written in Elasticsearch."""
    operations: int
    """Writes to the security index."""
    unfinished: frozenset[str]
    """Principals that are due again soon, by the reconciler's own agenda."""
    trouble: Failure | None
    """Why some of them could not be completed, where the platform team must act."""
    roles: frozenset[str]
    """Names of principals' roles of ours."""
    user_roles: frozenset[str]
    """Names of users' roles of ours, as the last reconcile of everything found them."""
    foreign: int
    """How many roles under our names are not ours, as the last reconcile of everything counted."""
    mapping: MappingState
    """What is known about the one role mapping of all principals."""
    adopted: list[AdoptedStatus]
    """What is remembered of adoptions."""
    others: tuple[OtherStatus, ...] | None
    """What other controllers and instances have, as the last reconcile of everything found it."""


@dataclass(slots=True)
class _Pass:
    """One reconcile, as far as it has come."""

    everything: bool
    """It is about all that is declared and all that exists."""
    members: Members
    principals: set[str]
    """Whom it is about."""
    due: frozenset[str]
    """Of them, those who are due by the agenda."""
    agreed: Agreed
    """Which foreign objects may be adopted."""
    done: list[Work] = field(default_factory=list)
    """Those that completed."""
    isolating: list[Work] = field(default_factory=list)
    """Those in which Elasticsearch refuses something, and it is not known what."""

    @property
    def todo(self) -> set[str]:
        """The principals that did not complete."""
        return self.principals - {work.principal for work in self.done}


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
        self._agenda = Agenda(self._context.clock, FIRST, CAP)
        """Principals that could not be completed."""
        self._trouble: dict[str, Failure] = {}
        """By principal, what could not be done."""
        self._settled: dict[str, int] = {}
        """By unchanged principal, fingerprint of its role as it was when nothing was to be done or reported."""
        self._copies = CopiesReader(self._context)
        self._settled_gate: Gate = OPEN
        """The gate for which that was so."""
        self._rejections = Rejections()
        self._released = ReleasedLedger(self._context, self._name)
        self._number = 0
        """Of the reconcile."""
        self._mapping = MappingState()
        self._adoptions = Adoptions(self._context, self._name)
        self._strangers = Others(self._own.operator, self._context.inventory, self._name)
        self._others = _NO_OTHERS
        """Mappings of others that may give our callers rights, as they were read last."""
        self._roles: set[str] = set()
        self._user_roles: frozenset[str] = frozenset()
        self._foreign = 0

    def delay(self) -> float:
        """Return the seconds until something is due."""
        return self._agenda.delay()

    def owes(self, session: Session) -> bool:
        """Return whether there are released rights that are to go, and that was not just attempted."""
        self._released.begin(session)
        return any(not self._agenda.is_backing_off(principal) for principal in self._released.owed)

    @property
    def is_isolating(self) -> bool:
        """Whether it goes on finding out which SearchAccesses Elasticsearch refuses, or adopts something soon."""
        return bool(self._rejections.waiting) or self._adoptions.is_coming

    async def reconcile(self, session: Session, scope: Scope) -> RightsResult:
        """Make roles and role mappings as declared, and report it.

        What is due by the agenda is added to the scope. A fault in one principal costs that one alone.

        Args:
            session: the connected cluster.
            scope: what it is about.

        Raises:
            ExternalError: the cluster as a whole could not be read or written. Statuses of those concerned say so, and
                the scope has to be reconciled again.
        """
        await self._released.take_up(session)
        one = self._begin(session, scope)
        try:
            observed = await self._observe(session, one)
            mappings = await self._settle_mapping(session, observed, one)
            planner = Planner(
                self._context,
                self._name,
                self._uuid,
                one.members,
                observed,
                self._settled_for(one),
                self._released,
                one.agreed,
            )
            login = session.state.login
            delegated = login is not None and bool(login.delegated)
            applier = Applier(self._context, self._name, session.port, planner, mappings, delegated=delegated)
            try:
                await self._serve(one, planner, applier)
            finally:
                self._roles = (self._roles | applier.there) - applier.gone
                self._strangers.changed(applier.there, applier.gone, ())
                await self._report(session, one)
        except ExternalError as error:
            await self._publish_failure(session, one, error)
            raise
        finally:
            for principal in one.due & self._agenda.due():
                # It did not complete them.
                self._agenda.fail(principal)
        if one.everything:
            async with self._context.steps:
                await mappings.sweep()
                await self._finish_takeover(session, one, mappings)
        if one.everything or self._strangers.summary is not None:
            # Who is declared may have changed.
            self._strangers.report()
        if self._adoptions.waits:
            self._agenda.plan("", AGAIN)
        return self._result(applier.operations, mappings.operations + self._strangers.operations)

    async def _finish_takeover(self, session: Session, one: _Pass, mappings: Mappings) -> None:
        """Remove what other instances left, as a person decided, and report what is there of others."""
        self._strangers.changed((), (), mappings.rewritten)
        trouble = await self._strangers.remove(session, mappings, in_place(one.done, self._settled))
        if trouble is not None:
            self._trouble[""] = trouble

    async def remove_mappings(self, session: Session) -> None:
        """Delete every role mapping of ours: the SearchCluster goes.

        Raises:
            ExternalError: not all of them could be deleted.
        """
        observed = await observe(self._context, session, [], everything=True, mapping_settled=False)
        await Mappings(self._context, session, observed, MappingState()).sweep()

    # Begin

    def _begin(self, session: Session, scope: Scope) -> _Pass:
        operator = self._own.operator.heir_of(session.taken_over)
        if operator != self._context.operator:
            self._context = replace(self._own, operator=operator)
            self._settled.clear()
        if session.state.uuid != self._uuid:
            self._forget()
            self._uuid = session.state.uuid
        if scope.afresh:
            self._settled.clear()
            self._copies.expire()
        self._released.operator = operator
        due = self._agenda.due()
        known = self._released.begin(session)
        changed = scope.principals | due | self._released.owed
        for principal in changed:
            # It stays so until a reconcile has completed it, whatever happens to this one.
            self._settled.pop(principal, None)
        self._number += 1
        members = Members(self._context, self._name, self._gate(session), self._rejections, self._uuid)
        principals = members.together(changed)
        if len(changed) <= TOGETHER:
            ask_early(session.state, members, changed)
        # Who leaves may have rights under an old name too, and only a read of all roles shows where.
        everything = (
            scope.everything
            or not known
            or (bool(self._mapping.late) and self._anybody_leaves(members, principals))
            or (self._adoptions.waits and self._adoptions.is_recorded)
        )
        if everything:
            inventory = self._context.inventory
            principals |= {*inventory.principals(self._name), *inventory.former.principals(self._name) - {KEYS}}
        return _Pass(everything, members, principals, due, self._adoptions.begin(everything=everything))

    def _anybody_leaves(self, members: Members, principals: Iterable[str]) -> bool:
        records = (record for principal in principals for record in members.records(principal))
        return any(members.decision_or_held(record.access).do in LEAVES for record in records)

    @property
    def _is_delegated(self) -> bool:
        """Whether the login may write some roles alone, as far as was known when roles were written last."""
        login = self._settled_gate.login
        return login is not None and bool(login.delegated)

    def _gate(self, session: Session) -> Gate:
        return gate_of(session.verdict, self._mapping.conflict, self._mapping.refusal, self._mapping.unwritten)

    def _settled_for(self, one: _Pass) -> dict[str, int]:
        return self._settled if one.everything else {}

    # Observe

    async def _observe(self, session: Session, one: _Pass) -> Observed:
        """Observe, and add finalizers meanwhile."""
        missing = await one.members.bare(one.principals)
        if len(missing) > TOGETHER:
            # Roles are read after it, so that they are fresh when they are written.
            await self._ensure_finalizers(missing, one)
            missing = []
        names = sorted(self._context.operator.role_name(principal) for principal in one.principals if principal)
        reading = observe(
            self._context,
            session,
            names,
            everything=one.everything,
            mapping_settled=self._mapping.settled,
        )
        observed, _ = await both(reading, self._ensure_finalizers(missing, one))
        if observed.everything and observed.others != self._others:
            self._others = observed.others
            self._settled.clear()
        self._adoptions.settle(self._context.operator, observed)
        if one.everything:
            self._strangers.see(observed.strangers)
            if await self._copies.changed(session):
                self._settled.clear()
            for principal in self._released.survey(session, observed.roles):
                self._settled.pop(principal, None)
            one.principals |= self._released.owed
            found = inhabitants(self._context.operator, observed.roles)
            self._roles = {self._context.operator.role_name(principal) for principal in found.principals}
            self._user_roles, self._foreign = found.users, found.foreign
            one.principals |= found.principals - self._strangers.living(found.principals)
            self._agenda.keep(one.principals)
            self._trouble = {key: failure for key, failure in self._trouble.items() if key in one.principals}
            self._rejections.keep(self._context.inventory.accesses.keys(), one.principals)
        return observed

    async def _ensure_finalizers(self, records: Sequence[AccessRecord], one: _Pass) -> None:
        one.members.held |= await ensure_finalizers(self._context, records)

    async def _settle_mapping(self, session: Session, observed: Observed, one: _Pass) -> Mappings:
        mappings = Mappings(self._context, session, observed, self._mapping, one.agreed)
        mappings.keep(self._context.operator.role_name(principal) for principal in one.principals)
        async with self._context.steps:
            await mappings.settle()
        self._mapping = mappings.state
        self._adoptions.note(mappings.state.foreign, replaced=not mappings.state.conflict)
        one.members.gate = self._gate(session)
        one.members.keeps_old_names = bool(mappings.state.late)
        if self._settled_gate != one.members.gate:
            if self._settled_gate.login != one.members.gate.login:
                # It may be allowed more now.
                self._rejections.retry()
            self._settled.clear()
            self._settled_gate = one.members.gate
        return mappings

    # Plan and apply

    async def _serve(self, one: _Pass, planner: Planner, applier: Applier) -> None:
        """Revoke rights, grant rights, then isolate what Elasticsearch refuses."""
        order = await planner.in_order(one.principals)
        one.principals = {principal for principals in order.values() for principal in principals}
        await self._change(one, planner, applier, [*order[Phase.REMOVES], *order[Phase.GROWS]])
        async with self._context.steps:
            switched = await applier.mappings.switch()
        self._mapping = applier.mappings.state
        if switched:
            # Until then, callers still get the roles of old names.
            one.members.keeps_old_names = False
            await self._change(one, planner, applier, order[Phase.MOVES])
        waiting = self._rejections.waiting
        isolating = sorted(
            one.isolating, key=lambda work: waiting[work.principal].number if work.principal in waiting else 0
        )
        await applier.isolate(isolating)
        for work in isolating:
            one.members.note_former(work)
        one.done += isolating

    async def _change(self, one: _Pass, planner: Planner, applier: Applier, principals: Sequence[str]) -> None:
        """Change roles, chunk by chunk. While some are written, the next are planned."""
        chunks = [principals[start : start + CHUNK] for start in range(0, len(principals), CHUNK)]
        works = await planner.plan(chunks[0]) if chunks else []
        for following in [*chunks[1:], ()]:
            if not works:
                break
            _, planned = await both(self._apply(one, applier, works), planner.plan(following))
            works = planned

    async def _apply(self, one: _Pass, applier: Applier, works: Sequence[Work]) -> None:
        """Make roles and their mappings as planned; a stop waits for the end of this."""
        async with self._context.steps:
            await applier.apply(works)
        for work in works:
            self._adoptions.note_work(work)
            one.members.note_placed(work)
            one.members.note_former(work)
            work.shed()
        one.done += [work for work in works if not work.undecided or work.failure]
        one.isolating += [work for work in works if work.undecided and not work.failure]

    # Report

    async def _report(self, session: Session, one: _Pass) -> None:
        """Report the results for principals, and record them."""
        builder = FactsBuilder(
            self._context.operator,
            self._context.meter,
            self._name,
            self._uuid,
            is_per_principal(session),
            session.cluster.wanted_realm,
            self._others,
        )
        facts: list[AccessFacts] = []
        stuck: dict[str, Failure] = {}
        pace = Pace()
        for work in one.done:
            await pace.spent(len(work.members))
            facts += builder.build(work, one.members.late)
            if work.failure is not None:
                stuck |= dict.fromkeys(owners_of(self._context.operator, work.observed), work.failure)
        self._released.note(session.state, [work.plan.releasing for work in one.done if work.failure is None])
        publisher = StatusPublisher(self._context, session.state)
        broken = await publisher.report(facts, one.todo, stuck, self._mapping.late)
        for work in one.done:
            reported = broken.isdisjoint(member.access.uid for member in work.members)
            self._conclude(work, settles=not (builder.per_principal or self._mapping.late), reported=reported)

    def _conclude(self, work: Work, *, settles: bool, reported: bool) -> None:
        """Note what became of a principal, once it is reported."""
        principal = work.principal
        self._settled.pop(principal, None)
        self._trouble.pop(principal, None)
        self._rejections.waiting.pop(principal, None)
        if work.isolation and work.undecided:
            self._rejections.wait(principal, work.members, work.isolation, self._number)
        denied = (member.decision for member in work.members if member.decision.reason is Reason.PERMISSION_DENIED)
        if decision := next(denied, None):
            self._trouble[principal] = Failure(Reason.PERMISSION_DENIED, decision.message)
        if work.failure is not None:
            self._trouble[principal] = work.failure
            self._agenda.fail(principal, REFUSED_CAP if work.failure.reason is Reason.REJECTED else None)
        elif not reported:
            self._agenda.fail(principal)
        elif work.undecided or (work.isolation and work.refused):
            # Whose rights would widen those of another that Elasticsearch refused may get them now.
            self._agenda.plan(principal, SLICE_EVERY)
        elif work.retained or work.plan.waits:
            self._agenda.fail(principal)
        elif work.plan.releasing.revoked and work.members:
            # A role that was in somebody's way may be gone.
            self._agenda.plan(principal, SLICE_EVERY)
        elif self._is_delegated and work.applied and not work.isolation and self._rejections.retry(_uids(work)):
            # A role is refused for all that is in it, which is something else now.
            self._agenda.plan(principal, SLICE_EVERY)
        else:
            self._agenda.forget(principal)
            if settles and work.fingerprint is not None and work.uneventful:
                self._settled[principal] = work.fingerprint

    async def _publish_failure(self, session: Session, one: _Pass, error: ExternalError) -> None:
        """Report the failure on those that wait for something; the others stay as they were."""
        await StatusPublisher(self._context, session.state).publish_failure(
            [record for principal in one.todo for record in one.members.records(principal)],
            Failure(error.reason, error.message),
            one.members.decision_or_held,
            only_waiting=True,
        )

    def _result(self, role_operations: int, mapping_operations: int) -> RightsResult:
        mapping, self._mapping = self._mapping, replace(self._mapping, adopted="", foreign=None)
        return RightsResult(
            changed=role_operations > 0,
            operations=role_operations + mapping_operations,
            unfinished=self._agenda.failing() | frozenset(self._rejections.waiting),
            trouble=next(iter(self._trouble.values()), None),
            roles=frozenset(self._roles),
            user_roles=self._user_roles,
            foreign=self._foreign,
            mapping=mapping,
            adopted=self._adoptions.adopted,
            others=self._strangers.summary,
        )


def _uids(work: Work) -> frozenset[str]:
    return frozenset(member.access.uid for member in work.members)
