"""Keeps the API keys and users of one SearchCluster: observe → decide (core) → step by step → facts."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.credentials import Auth
from searchaccess.core.credentials.credential import Key
from searchaccess.core.model.access import Access
from searchaccess.core.ownership.lives import Life
from searchaccess.core.ownership.takeover import revoking
from searchaccess.core.policy.decision import AccessDecision, Do, decide
from searchaccess.core.rights.refused.widening import remains_exact
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.core.status.credential import CredentialFacts, finding_of
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.credentials.clock import SharedClock
from searchaccess.engine.credentials.dryrun import DryRunCredentials
from searchaccess.engine.credentials.jobs import Jobs
from searchaccess.engine.credentials.leftovers import Leftovers
from searchaccess.engine.credentials.observe import Issued, Observed
from searchaccess.engine.credentials.predecessors import as_successor, with_inherited
from searchaccess.engine.credentials.steps import Credentials, Outcome, owner_of
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.pacing.agenda import Agenda
from searchaccess.engine.state import ClusterState, Context, Scope, Session
from searchaccess.engine.status.finalizers import ensure_finalizers
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.engine.status.stores import report_left_behind
from searchaccess.ports.errors import ExternalError, NamespaceEnds, PermissionDenied, Rejected, StoreNotFound
from searchaccess.ports.stores import Owner

TOGETHER: Final = 8
"""Credentials that are worked on at the same time."""
FIRST: Final = 2.0
CAP: Final = 300.0
"""Seconds of back-off after trouble with one credential. At first as long as a key takes to be found by a search."""
STORE_EVERY: Final = 300.0
"""Seconds after which a secret is read again although nothing shows that it changed."""
TOGETHER_EVERY: Final = 30.0
"""Seconds between two such reads: each reads the keys of all, so those that are due are read together."""
SOONEST: Final = 1.0
"""Seconds after which something is due at the earliest."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CredentialResult:
    """What a reconcile did."""

    operations: int = 0
    """Writes to the security index, as far as they are known to have happened."""
    rejected: Mapping[str, tuple[int, str, str]] = field(default_factory=dict)
    """By uid: generation and request that Elasticsearch refused, and its message."""
    failing: frozenset[str] = frozenset()
    """The uids of all that fail, also since earlier reconciles."""
    faults: Mapping[str, Failure] = field(default_factory=dict)
    """By uid: the internal errors in this reconcile."""
    others: Mapping[tuple[Life, Auth], int] | None = None
    """How many keys and users other controllers have; None: nothing was read."""


@dataclass(frozen=True, slots=True)
class _Settled:
    """How a credential was when nothing was to be done about it until it is due."""

    version: tuple[object, ...]
    keys: tuple[Key, ...] | None
    """None: it failed, and waits for its retry whatever its keys are."""


@dataclass(slots=True)
class _Pass:
    """One reconcile under way."""

    session: Session
    scope: Scope
    due: frozenset[str]
    records: Mapping[str, AccessRecord]
    observed: Observed
    jobs: Jobs
    credentials: Credentials
    rejected: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    faults: dict[str, Failure] = field(default_factory=dict)

    def keys(self, uid: str) -> tuple[Key, ...]:
        """Return the keys and users of a SearchAccess."""
        return self.observed.keys.get(uid, ())


def _version_of(access: Access, decision: AccessDecision, jobs: Jobs) -> tuple[object, ...]:
    store = jobs.declared(access.credential.store) if access.credential else None
    return (access.generation, access.rotate_requested, access.reconcile_requested, access.deleted_at, decision, store)


class CredentialReconciler:
    """API keys and users of one SearchCluster.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows; it is only read here.
    """

    def __init__(self, context: Context, name: str, state: ClusterState) -> None:
        self._context = context
        self._name = name
        self._state = state
        self._agenda = Agenda(context.clock, FIRST, CAP)
        self._settled: dict[str, _Settled] = {}
        self._reported: set[tuple[str, str, str]] = set()
        """Of which secrets it was told that they are left behind: whose, store and name."""
        self._successor = context.operator
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
            scope: everything: also keys of SearchAccesses that are gone.

        Raises:
            ExternalError: the cluster could not be read.
        """
        records = {record.access.uid: record for record in self._context.inventory.keyed(self._name)}
        if (successor := self._context.operator.heir_of(session.taken_over)) != self._successor:
            # What was in the way may not be any more.
            self._successor = successor
            for uid in records:
                self._agenda.forget(uid)
        due = self._agenda.due()
        if scope.full and scope.include_settled:
            # Another SearchCluster may have left keys here since all of them were read.
            self._issued.swept = False
        wanted = {*records} if scope.full else {*scope.credentials, *due}
        if not wanted and not (scope.full and self._may_have_some()):
            return CredentialResult(failing=self._agenda.failing())
        try:
            one = await self._observe(session, scope, due, records)
        except PermissionDenied:
            if wanted or (session.cluster.spec and session.cluster.spec.secret_stores):
                raise
            # Nobody declares a credential here, and a login that may not read keys makes none.
            self._issued.swept = True
            return CredentialResult(failing=self._agenda.failing())
        if scope.full:
            wanted |= {*one.observed.keys, *self._leftovers.uids()}
            self._forget_all_but(wanted)
        uids = iter(sorted(wanted))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(TOGETHER, len(wanted))):
                group.create_task(self._work(one, uids))
        refreshed = await self._refresh(one) if scope.full else 0
        return CredentialResult(
            one.observed.operations + one.credentials.operations + refreshed,
            one.rejected,
            self._agenda.failing(),
            one.faults,
            one.observed.others,
        )

    # Observe

    def _may_have_some(self) -> bool:
        """Return whether there may be keys, users or roles of users that nobody declares."""
        return bool(self._state.user_roles) or not self._issued.swept

    async def _observe(
        self, session: Session, scope: Scope, due: frozenset[str], records: Mapping[str, AccessRecord]
    ) -> _Pass:
        declared = {record.access.auth for record in records.values()}
        observed = await self._issued.read(session, declared, full=scope.full, successor=self._successor)
        ending = revoking(self._context.operator.life, session.taken_over)
        observed.keys = with_inherited(observed, records.values(), ending, self._context.inventory.accesses)
        keys = [key for some in observed.keys.values() for key in some]
        self._clock.keep(keys)
        ours = [key for key in keys if key.owner in records]
        await self._clock.observe(session.port, ours, dates=Auth.PASSWORD in declared)
        removed, left = self._context.inventory.contested.requeue, partial(self._left_behind, session)
        jobs = Jobs(self._context.stores, session, removed, left)
        return _Pass(session, scope, due, records, observed, jobs, await self._credentials(session, jobs))

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

    async def _refresh(self, one: _Pass) -> int:
        keys: list[Key] = []
        async for uid, record in in_chunks(one.records.items()):
            try:
                enforced = self._decision(record.access).do is Do.ENFORCE
            except Exception as error:  # noqa: BLE001 - the barrier for one credential; its status says so already
                caught(self._context.meter, self._name, "credential", error)
                continue
            if enforced:
                keys += one.keys(uid)
        return await self._issued.refresh(one.session, keys)

    # One of them

    async def _work(self, one: _Pass, uids: Iterator[str]) -> None:
        """Reconcile credentials one by one; several workers share one list."""
        async for uid in in_chunks(uids):
            await self._guarded(one, uid)

    async def _guarded(self, one: _Pass, uid: str) -> None:
        """Reconcile one credential; an internal error affects it alone."""
        record = one.records.get(uid)
        bind_contextvars(access=record.access.ref if record else uid)
        if self._waits(one, uid):
            return
        try:
            if uid in one.observed.unreadable:
                self._broken(one, uid, one.observed.unreadable[uid])
            elif record:
                self._leftovers.declared(uid)
                await self._keep(one, record)
            else:
                await self._leftovers.reconcile(one.credentials, uid, one.keys(uid))
        except Exception as error:  # noqa: BLE001 - the barrier for one credential
            self._broken(one, uid, caught(self._context.meter, self._name, "credential", error))

    def _waits(self, one: _Pass, uid: str) -> bool:
        """Return whether the retry is not due yet, after a failure that is not caused by the declaration."""
        changed = uid in one.scope.credentials
        return self._agenda.is_backing_off(uid) and uid not in self._settled and not changed

    def _broken(self, one: _Pass, uid: str, failure: Failure) -> None:
        one.faults[uid] = failure
        self._settled.pop(uid, None)
        self._agenda.fail(uid)
        record = one.records.get(uid)
        if record is None:
            return
        try:
            self._publish(AccessFacts(record.access, self._decision(record.access), failure=failure))
        except Exception as error:  # noqa: BLE001 - what broke may be the status itself
            caught(self._context.meter, self._name, "publish", error)

    async def _keep(self, one: _Pass, record: AccessRecord) -> None:
        uid, in_force = record.access.uid, [key.rights.entries for key in one.keys(record.access.uid)]
        decision = remains_exact(self._decision(record.access), record.access, in_force)
        version = _version_of(record.access, decision, one.jobs)
        if self._rests(one, uid, version):
            return
        self._settled.pop(uid, None)
        if decision.do is Do.ENFORCE and not record.access.has_finalizer:
            held = await ensure_finalizers(self._context, [record])
            if uid in held:
                self._agenda.fail(uid)
                self._publish(AccessFacts(record.access, held[uid], cluster_uuid=self._state.uuid))
                return
        access = record.access
        facts = AccessFacts(access, decision, cluster_uuid=self._state.uuid)
        try:
            outcome = await self._act(one, access, decision)
        except ExternalError as error:
            self._failed(one, facts, version, error)
            return
        if outcome and outcome.done:
            log.info("credential changed", steps=[type(step).__name__ for step in outcome.done])
        self._plan(access, outcome)
        if outcome and not outcome.done:
            self._settled[uid] = _Settled(version, one.keys(uid))
        self._publish_outcome(record, facts, outcome)

    def _decision(self, access: Access) -> AccessDecision:
        return decide(access, self._state.verdict, self._state.rejection_of(access))

    def _rests(self, one: _Pass, uid: str, version: tuple[object, ...]) -> bool:
        """Return whether nothing is to be done about a credential before it is due."""
        settled = self._settled.get(uid)
        if settled is None or settled.version != version or uid in one.due or uid in one.scope.credentials:
            return False
        keys = one.keys(uid)
        return settled.keys is None or (settled.keys == keys and not any(key.rights.former for key in keys))

    def _plan(self, access: Access, outcome: Outcome | None) -> None:
        uid = access.uid
        if outcome is None:
            self._agenda.forget(uid)
            return
        if outcome.decision.conflict and access.credential:
            # Nothing here may show when what is in the way goes.
            self._context.inventory.contested.wait(access.credential.name, self._name, uid)
            self._agenda.fail(uid)
            return
        now = self._context.clock.monotonic()
        delay = (now + STORE_EVERY) // TOGETHER_EVERY * TOGETHER_EVERY - now
        # What is due and is only observed is not attempted all the time.
        if outcome.decision.after is not None and not outcome.decision.steps:
            delay = min(delay, outcome.decision.after)
        self._agenda.plan(uid, max(SOONEST, delay))

    def _failed(self, one: _Pass, facts: AccessFacts, version: tuple[object, ...], error: ExternalError) -> None:
        access = facts.access
        if isinstance(error, Rejected) and not error.at_store:
            one.rejected[access.uid] = (access.generation, access.reconcile_requested, error.message)
            facts = replace(facts, decision=decide(access, self._state.verdict, error.message))
        # It is retried with back-off, whatever else happens on the cluster.
        self._agenda.fail(access.uid)
        self._settled[access.uid] = _Settled(version, None)
        self._publish(replace(facts, failure=_failure_of(access, error)))

    async def _act(self, one: _Pass, access: Access, decision: AccessDecision) -> Outcome | None:
        """Do what is due for a credential; None: there is none any more, or it is held."""
        keys, credentials = one.keys(access.uid), one.credentials
        if decision.do is Do.REMOVE:
            await self._withdraw(one, access)
            if access.credential:
                self._context.inventory.contested.requeue(access.credential.name)
            return None
        job = await one.jobs.job(access)
        if job is not None:
            job = as_successor(job, keys, self._context.inventory.accesses)
        if access.credential is None or (decision.reason is not None and decision.do is Do.HOLD):
            return None
        if job is None:
            text = f"SearchCluster {self._name} has no secret store {access.credential.store}"
            stays = "; what was issued works on and is not rotated, and its secret stays behind" if keys else ""
            raise StoreNotFound(text + stays)
        act = credentials.keep if decision.do is Do.ENFORCE else credentials.preview
        return await act(job, keys)

    async def _withdraw(self, one: _Pass, access: Access) -> None:
        """Revoke the keys and delete the secret, or the keys alone while the store cannot be opened."""
        keys, credentials = one.keys(access.uid), one.credentials
        try:
            job = await one.jobs.job(access)
        except Exception:  # raised again: whatever is wrong with the store, the keys are revoked
            await credentials.revoke_with_secrets(owner_of(access), keys, ())
            raise
        if job is not None:
            # Keys go first. A secret that ends with its namespace needs no confirmation.
            with suppress(NamespaceEnds):
                await credentials.withdraw(job, keys)
        elif (record := one.records.get(access.uid)) is None or not record.confirmed:
            declared = {(access.credential.store, access.credential.name)} if access.credential else set()
            await credentials.revoke_with_secrets(owner_of(access), keys, declared | {key.place for key in keys})

    def _left_behind(self, session: Session, owner: Owner, store: str, name: str) -> None:
        """Record that a secret stays because its store is not declared any more; it is reported once."""
        if (owner.uid, store, name) not in self._reported:
            self._reported.add((owner.uid, store, name))
            report_left_behind(self._context, session.cluster, owner, store, name)

    # Facts

    def _publish(self, facts: AccessFacts) -> None:
        StatusPublisher(self._context, self._state).publish(facts)

    def _publish_outcome(self, record: AccessRecord, facts: AccessFacts, outcome: Outcome | None) -> None:
        access = facts.access
        if access.deleted_at:
            if facts.decision.do is Do.REMOVE:
                StatusPublisher(self._context, self._state).release(access)
        elif outcome is None:
            self._publish(facts)
        else:
            found = CredentialFacts(outcome.decision, outcome.seen, tuple(outcome.done))
            status = record.status
            known = status.elasticsearch
            same = known is not None and (known.spec_hash, known.cluster_uuid) == (access.share.hash, self._state.uuid)
            finding = finding_of(access, found, status.credential, same_rights=same)
            self._publish(replace(facts, finding=finding, credential=found, applied=bool(outcome.done)))


def _failure_of(access: Access, error: ExternalError) -> Failure:
    if error.at_store:
        store = access.credential.store if access.credential else ""
        return Failure(Reason.STORE_UNAVAILABLE, f"secret store {store}: {error.message}")
    return Failure(error.reason, error.message)
