"""Reconciles the API keys and users of one SearchCluster: observe → decide (core) → step by step → facts."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key
from searchaccess.core.model.access import Access
from searchaccess.core.model.attempt import Attempt, attempt_of
from searchaccess.core.ownership.installations import Installation
from searchaccess.core.ownership.takeover import revoking
from searchaccess.core.policy.decision import AccessDecision, Do, decide
from searchaccess.core.rights.refused.widening import remains_exact
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.credentials.dryrun import DryRunCredentials
from searchaccess.engine.credentials.jobs import Jobs
from searchaccess.engine.credentials.leftovers import Leftovers
from searchaccess.engine.credentials.observe import Issued, Observed
from searchaccess.engine.credentials.predecessors import as_successor, with_inherited
from searchaccess.engine.credentials.report import Reporter, failure_of
from searchaccess.engine.credentials.steps import Credentials, Outcome, owner_of
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.pacing.agenda import Agenda
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.engine.state import ClusterState, Context, Scope, Session
from searchaccess.engine.status.finalizers import ensure_finalizers
from searchaccess.ports.errors import (
    ExternalError,
    NamespaceEnds,
    NotHolder,
    PermissionDenied,
    Rejected,
    StoreNotFound,
    TransientError,
)

TOGETHER: Final = 8
"""Credentials that are reconciled at the same time."""
FIRST: Final = 2.0
CAP: Final = 300.0
"""Seconds of back-off after a failure with one credential. The first is as long as a new key needs to be searchable."""
STORE_EVERY: Final = 300.0
"""Seconds after which a secret is read again even if nothing indicates a change."""
TOGETHER_EVERY: Final = 30.0
"""Seconds between two such reads: each reads all keys, so those that are due are read together."""
SOONEST: Final = 1.0
"""Seconds after which something is due at the earliest."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CredentialResult:
    """The result of a reconcile."""

    operations: int = 0
    """Known writes to the security index."""
    rejected: Mapping[str, tuple[Attempt, str]] = field(default_factory=dict)
    """By uid: what Elasticsearch refused, and its message."""
    failing: frozenset[str] = frozenset()
    """The uids of all that fail, including since earlier reconciles."""
    faults: Mapping[str, Failure] = field(default_factory=dict)
    """By uid: the internal errors in this reconcile."""
    others: Mapping[tuple[Installation, Auth], int] | None = None
    """How many keys and users other controllers have; None: nothing was read."""


@dataclass(frozen=True, slots=True)
class _Settled:
    """A credential as it was when nothing remained to be done until it is due."""

    version: tuple[object, ...]
    keys: tuple[Key, ...] | None
    """None: it failed, and waits for its retry, whatever its keys are."""


@dataclass(slots=True)
class _Run:
    """A running reconcile."""

    session: Session
    scope: Scope
    due: frozenset[str]
    records: Mapping[str, AccessRecord]
    observed: Observed
    jobs: Jobs
    credentials: Credentials
    rejected: dict[str, tuple[Attempt, str]] = field(default_factory=dict)
    faults: dict[str, Failure] = field(default_factory=dict)

    def keys(self, uid: str) -> tuple[Key, ...]:
        """Return the keys and users of a SearchAccess."""
        return self.observed.keys.get(uid, ())


def _version_of(access: Access, decision: AccessDecision, jobs: Jobs) -> tuple[object, ...]:
    store = jobs.declared(access.credential.store) if access.credential else None
    # A restored etcd counts generations again, so they do not say that the rest is the same.
    declared = (attempt_of(access), access.auth, access.credential, access.subject, access.bounded_box)
    return (*declared, access.rotate_requested, access.deleted_at, decision, store)


class CredentialReconciler:
    """API keys and users of one SearchCluster.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows; read-only here.
    """

    def __init__(self, context: Context, name: str, state: ClusterState) -> None:
        self._context = context
        self._name = name
        self._state = state
        self._agenda = Agenda(context.clock, FIRST, CAP)
        self._settled: dict[str, _Settled] = {}
        self._successor = context.operator
        self._reporter = Reporter(context, state)
        self._issued = Issued(context.operator, context.meter)
        self._clock = SharedClock(context.clock)
        self._leftovers = Leftovers(context, name, state, self._agenda, self._clock)

    def delay(self) -> float:
        """Return the seconds until something is due."""
        return self._agenda.delay()

    async def reconcile(self, session: Session, scope: Scope) -> CredentialResult:
        """Reconcile credentials: those of the scope, and those that are due.

        Args:
            session: the connected cluster.
            scope: what to reconcile; a full one includes keys of SearchAccesses that are gone.

        Raises:
            ExternalError: the cluster could not be read.
        """
        if (successor := self._context.operator.successor_of(session.taken_over)) != self._successor:
            # What was a conflict may belong to a predecessor now.
            self._successor = successor
            for record in self._context.inventory.keyed(self._name):
                self._agenda.forget(record.access.uid)
        due = self._agenda.due()
        if not scope.full and not scope.credentials and not due:
            # Most reconciles: those that have thousands are not gone through.
            return CredentialResult(failing=self._agenda.failing())
        records = {record.access.uid: record for record in self._context.inventory.keyed(self._name)}
        if scope.full and scope.include_settled:
            # Another SearchCluster may have left keys here since the last full read.
            self._issued.swept = False
        wanted = {*records} if scope.full else {*scope.credentials, *due}
        if not wanted and not (scope.full and self._may_have_some()):
            return CredentialResult(failing=self._agenda.failing())
        try:
            run = await self._observe(session, scope, due, records)
        except PermissionDenied:
            if wanted or (session.cluster.spec and session.cluster.spec.secret_stores):
                raise
            # Nobody declares a credential here, and a login that may not read keys cannot create any.
            self._issued.swept = True
            return CredentialResult(failing=self._agenda.failing())
        if scope.full:
            wanted |= {*run.observed.keys, *self._leftovers.uids()}
            self._forget_all_but(wanted)
            keys = [key for some in run.observed.keys.values() for key in some]
            self._state.unseen.see_issued(
                f"{key.shown} of namespace {key.namespace}" for key in keys if self._leftovers.is_unseen(key)
            )
        uids = iter(sorted(wanted))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(TOGETHER, len(wanted))):
                group.create_task(self._work(run, uids))
        refreshed = await self._refresh(run) if scope.full else 0
        return CredentialResult(
            run.observed.operations + run.credentials.operations + refreshed,
            run.rejected,
            self._agenda.failing(),
            run.faults,
            run.observed.others,
        )

    # Observe

    def _may_have_some(self) -> bool:
        """Return whether there may be undeclared keys, users or users' roles."""
        return bool(self._state.user_roles) or not self._issued.swept

    async def _observe(
        self, session: Session, scope: Scope, due: frozenset[str], records: Mapping[str, AccessRecord]
    ) -> _Run:
        declared = {record.access.auth for record in records.values()}
        observed = await self._issued.read(session, declared, full=scope.full, successor=self._successor)
        ending = revoking(self._context.operator.installation, session.taken_over)
        observed.keys = with_inherited(observed, records.values(), ending, self._context.inventory.accesses)
        keys = [key for some in observed.keys.values() for key in some]
        self._clock.keep(keys)
        # Those of a predecessor too: what they say of their age may be by another clock.
        ours = [key for uid, some in observed.keys.items() if uid in records for key in some]
        await self._clock.observe(session.port, ours, dates=Auth.PASSWORD in declared)
        removed, left = self._context.inventory.contested.requeue, partial(self._reporter.left_behind, session.cluster)
        jobs = Jobs(self._context.stores, session, removed, left)
        return _Run(session, scope, due, records, observed, jobs, await self._credentials(session, jobs))

    async def _credentials(self, session: Session, jobs: Jobs) -> Credentials:
        context = self._context
        if context.dry_run:
            return DryRunCredentials(context, session, self._clock, context.dry_run)
        return Credentials(
            context.operator,
            session.port,
            context.google,
            self._clock,
            jobs.clear,
            context.steps,
            by_api_key=(await self._issued.who(session)).by_api_key,
        )

    def _forget_all_but(self, uids: set[str]) -> None:
        self._agenda.keep(uids)
        for uid in self._settled.keys() - uids:
            del self._settled[uid]

    async def _refresh(self, run: _Run) -> int:
        keys: list[Key] = []
        async for uid, record in in_chunks(run.records.items()):
            try:
                enforced = self._decision(record.access).do is Do.ENFORCE
            except Exception as error:  # noqa: BLE001 - the barrier for one credential; its status says so already
                caught(self._context.meter, self._name, "credential", error)
                continue
            if enforced:
                keys += run.keys(uid)
        return await self._issued.refresh(run.session, keys)

    # One credential

    async def _work(self, run: _Run, uids: Iterator[str]) -> None:
        """Reconcile credentials one by one; several workers share one list."""
        async for uid in in_chunks(uids):
            await self._guarded(run, uid)

    async def _guarded(self, run: _Run, uid: str) -> None:
        """Reconcile one credential; an internal error affects only that one."""
        record = run.records.get(uid)
        bind_contextvars(access=record.access.ref if record else uid)
        if self._waits(run, uid):
            return
        try:
            if uid in run.observed.unreadable:
                self._broken(run, uid, run.observed.unreadable[uid])
            elif record:
                self._leftovers.declared(uid)
                await self._keep(run, record)
            else:
                await self._leftovers.reconcile(run.credentials, uid, run.keys(uid))
        except Exception as error:  # noqa: BLE001 - the barrier for one credential
            self._broken(run, uid, caught(self._context.meter, self._name, "credential", error))

    def _waits(self, run: _Run, uid: str) -> bool:
        """Return whether a failure that the declaration did not cause is not due for a retry yet."""
        changed = uid in run.scope.credentials
        return self._agenda.is_backing_off(uid) and uid not in self._settled and not changed

    def _broken(self, run: _Run, uid: str, failure: Failure) -> None:
        run.faults[uid] = failure
        self._settled.pop(uid, None)
        self._agenda.fail(uid)
        record = run.records.get(uid)
        if record is None:
            return
        try:
            self._reporter.publish(AccessFacts(record.access, self._decision(record.access), failure=failure))
        except Exception as error:  # noqa: BLE001 - the status itself may be the cause
            caught(self._context.meter, self._name, "publish", error)

    async def _keep(self, run: _Run, record: AccessRecord) -> None:
        uid, in_force = record.access.uid, [key.rights.entries for key in run.keys(record.access.uid)]
        decision = remains_exact(self._decision(record.access), record.access, in_force)
        version = _version_of(record.access, decision, run.jobs)
        if self._rests(run, uid, version):
            return
        self._settled.pop(uid, None)
        if decision.do is Do.ENFORCE and not record.access.has_finalizer:
            held = await ensure_finalizers(self._context, [record])
            if uid in held:
                self._agenda.fail(uid)
                self._reporter.publish(AccessFacts(record.access, held[uid], cluster_uuid=self._state.uuid))
                return
        access = record.access
        facts = AccessFacts(access, decision, cluster_uuid=self._state.uuid)
        try:
            outcome = await self._act(run, access, decision)
        except ExternalError as error:
            self._failed(run, facts, version, error)
            return
        if outcome and outcome.done:
            log.info("credential changed", steps=[type(step).__name__ for step in outcome.done])
        self._plan(access, outcome)
        if outcome and not outcome.done:
            self._settled[uid] = _Settled(version, run.keys(uid))
        self._reporter.publish_outcome(record, facts, outcome)

    def _decision(self, access: Access) -> AccessDecision:
        return decide(access, self._state.verdict, self._state.rejection_of(access))

    def _rests(self, run: _Run, uid: str, version: tuple[object, ...]) -> bool:
        """Return whether nothing is to be done about a credential before it is due."""
        settled = self._settled.get(uid)
        if settled is None or settled.version != version or uid in run.due or uid in run.scope.credentials:
            return False
        keys = run.keys(uid)
        return settled.keys is None or (settled.keys == keys and not any(key.rights.former for key in keys))

    def _plan(self, access: Access, outcome: Outcome | None) -> None:
        uid = access.uid
        if outcome is None:
            self._agenda.forget(uid)
            return
        if outcome.decision.conflict and access.credential:
            # Nothing here may show when the conflict ends.
            self._context.inventory.contested.wait(access.credential.name, self._name, uid)
            self._agenda.fail(uid)
            return
        now = self._context.clock.monotonic()
        delay = (now + STORE_EVERY) // TOGETHER_EVERY * TOGETHER_EVERY - now
        # A step that is due but only observed is not repeated all the time.
        if outcome.decision.after is not None and not outcome.decision.steps:
            delay = min(delay, outcome.decision.after)
        self._agenda.plan(uid, max(SOONEST, delay))

    def _failed(self, run: _Run, facts: AccessFacts, version: tuple[object, ...], error: ExternalError) -> None:
        access = facts.access
        if isinstance(error, Rejected) and not error.at_store:
            run.rejected[access.uid] = (attempt_of(access), error.message)
            facts = replace(facts, decision=decide(access, self._state.verdict, error.message))
        if isinstance(error, TransientError) and not (isinstance(error, NotHolder) or error.at_store):
            # A step makes one, or writes all that there are; the steps before it were answered.
            most = max(1, len(run.keys(access.uid)))
            self._state.in_doubt |= {f"credential/{access.uid}/{number}" for number in range(most)}
        # It is retried with back-off, whatever else happens on the cluster.
        self._agenda.fail(access.uid)
        self._settled[access.uid] = _Settled(version, None)
        self._reporter.publish(replace(facts, failure=failure_of(access, error)))

    async def _act(self, run: _Run, access: Access, decision: AccessDecision) -> Outcome | None:
        """Perform what is due for a credential; None: it is gone, or held."""
        keys, credentials = run.keys(access.uid), run.credentials
        if decision.do is Do.REMOVE:
            await self._withdraw(run, access)
            if access.credential:
                self._context.inventory.contested.requeue(access.credential.name)
            return None
        if decision.do is Do.HOLD:
            # Even if the store cannot be opened.
            keys = await credentials.cut_short(access, keys)
        job = await run.jobs.job(access)
        if job is not None:
            job = as_successor(job, keys, self._context.inventory.accesses)
        if access.credential is None or (decision.reason is not None and decision.do is Do.HOLD):
            return None
        if job is None:
            text = f"SearchCluster {self._name} has no secret store {access.credential.store}"
            stays = "; existing keys keep working and are not rotated, and their secret stays behind" if keys else ""
            raise StoreNotFound(text + stays)
        act = credentials.keep if decision.do is Do.ENFORCE else credentials.preview
        return await act(job, keys)

    async def _withdraw(self, run: _Run, access: Access) -> None:
        """Revoke the keys and delete the secret, or the keys alone while the store cannot be opened."""
        keys, credentials = run.keys(access.uid), run.credentials
        try:
            job = await run.jobs.job(access)
        except Exception:  # raised again: the keys are revoked even if the store fails
            await credentials.revoke_with_secrets(owner_of(access), keys, ())
            raise
        if job is not None:
            # Keys go first. A secret that is deleted with its namespace needs no confirmation.
            with suppress(NamespaceEnds):
                await credentials.withdraw(job, keys)
        elif (record := run.records.get(access.uid)) is None or not record.confirmed:
            declared = {(access.credential.store, access.credential.name)} if access.credential else set()
            await credentials.revoke_with_secrets(owner_of(access), keys, declared | {key.place for key in keys})
