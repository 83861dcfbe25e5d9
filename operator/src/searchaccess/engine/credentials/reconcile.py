"""Keeps the API keys and users of one SearchCluster: who is to be looked at, what is done, what is told."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars

from searchaccess.api.credentials import Auth, RevokeWhen, Rollout
from searchaccess.api.durations import seconds
from searchaccess.api.reasons import Reason
from searchaccess.api.searchaccess import Mode
from searchaccess.core.answers.changes import change_of_credential, withdrawal
from searchaccess.core.credentials.credential import Key, Wish
from searchaccess.core.credentials.rotation import Issue, Note, Prolong, Step, Update
from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import AccessDecision, Do, decide
from searchaccess.core.status.access import AccessFacts, Failure
from searchaccess.core.status.credential import CredentialFacts, epoch, finding_of
from searchaccess.engine.backoff import Backoff
from searchaccess.engine.credentials.observe import Issued
from searchaccess.engine.credentials.steps import Credentials, Job, Outcome, at_store, owner_of
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context, Scope, Session
from searchaccess.engine.status.finalizers import ensure_finalizers
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.ports.errors import ExternalError, LoginCannotIssue, Rejected, StoreNotFound
from searchaccess.ports.stores import Owner, Place, SecretStore

TOGETHER: Final = 8
"""Credentials that are worked on at the same time."""
FIRST: Final = 2.0
CAP: Final = 300.0
"""Seconds of back-off after trouble with one credential. At first as long as a key takes to be found by a search."""
STORE_EVERY: Final = 300.0
"""Seconds after which a secret is looked at again although nothing else tells that it changed."""
TOGETHER_EVERY: Final = 30.0
"""Seconds between two such looks."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Settled:
    """How a credential was when nothing was to be done about it."""

    access: tuple[object, ...]
    keys: tuple[Key, ...]
    until: float
    """When it is to be looked at in any case."""


def _version_of(access: Access, decision: AccessDecision) -> tuple[object, ...]:
    return (access.generation, access.rotate_requested, access.reconcile_requested, access.deleted_at, decision)


class CredentialReconciler:
    """API keys and users of one SearchCluster.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows.
    """

    def __init__(self, context: Context, name: str, state: ClusterState) -> None:
        self._context = context
        self._name = name
        self._state = state
        self._due: dict[str, float] = {}
        self._backoffs: defaultdict[str, Backoff] = defaultdict(lambda: Backoff(FIRST, CAP))
        self._failing: dict[str, tuple[object, ...]] = {}
        """By uid, what could not be done."""
        self._retry: dict[str, float] = {}
        """By uid, when that is tried again."""
        self._settled: dict[str, _Settled] = {}
        self._issued = Issued(context.operator)

    # Time

    def _now(self) -> float:
        return epoch(self._context.clock.now())

    def delay(self) -> float:
        """Give the seconds until something is due."""
        return max(0.0, min(self._due.values(), default=float("inf")) - self._now())

    def due(self) -> set[str]:
        """Give the uids of those that are due."""
        now = self._now()
        return {uid for uid, at in self._due.items() if at <= now}

    # Looking

    async def reconcile(self, session: Session, scope: Scope) -> None:
        """Interim."""
        await self.run(session, None if scope.everything else scope.credentials | self.due())

    async def run(self, session: Session, uids: Collection[str] | None) -> None:
        """Look at credentials.

        Args:
            session: the connected cluster.
            uids: of which SearchAccesses; None: of all, and at keys of those that are gone.

        Raises:
            ExternalError: the cluster could not be read.
        """
        records = {record.access.uid: record for record in self._context.inventory.keyed(self._name)}
        wanted = set(records) if uids is None else set(uids)
        first = uids is None and not self._issued.swept and self._may_have_keys(session)
        if not (wanted or first or (uids is None and self._state.user_roles)):
            return
        declared = {record.access.auth for record in records.values()}
        found = await self._issued.read(session, declared, everything=uids is None)
        keys = {uid: tuple(some) for uid, some in found.items()}
        for uid in wanted:
            self._due.pop(uid, None)
        if uids is None:
            wanted |= set(keys)
            self._forget_all_but(wanted)
        bare = [records[uid] for uid in wanted & set(records) if self._needs(records[uid])]
        held = await ensure_finalizers(self._context, bare)
        gate = asyncio.Semaphore(TOGETHER)
        self._credentials = Credentials(
            self._context.operator,
            session.port,
            self._context.google,
            self._now,
            partial(self._clear, session),
            self._context.steps,
        )

        async def look(uid: str) -> None:
            async with gate:
                record = records.get(uid)
                bind_contextvars(access=record.access.ref if record else uid)
                if uid in held:
                    self._due[uid] = self._now() + self._backoffs[uid].next()
                if uid in records:
                    decision = held.get(uid) or self._decision(records[uid].access)
                    await self._look_at(session, records[uid], decision, keys.get(uid, ()), urgent=uids is not None)
                elif keys.get(uid):
                    await self._revoke_leftovers(uid, keys[uid])

        try:
            await asyncio.gather(*(look(uid) for uid in sorted(wanted)))
        finally:
            self._state.operations += self._credentials.operations
        if uids is None:
            enforced = [uid for uid in records if self._decision(records[uid].access).do is Do.ENFORCE]
            await self._issued.refresh(session, [key for uid in enforced for key in keys.get(uid, ())])

    def _forget_all_but(self, uids: set[str]) -> None:
        for known in (self._due, self._backoffs, self._failing, self._retry, self._settled):
            for uid in set(known) - uids:
                del known[uid]

    def _may_have_keys(self, session: Session) -> bool:
        return bool(session.cluster.spec and session.cluster.spec.secret_stores)

    def _needs(self, record: AccessRecord) -> bool:
        return self._decision(record.access).do is Do.ENFORCE and not record.access.has_finalizer

    def _decision(self, access: Access) -> AccessDecision:
        decision = decide(access, self._state.verdict, self._state.rejection_of(access))
        return AccessDecision(Do.HOLD) if self._context.dry_run and decision.do is Do.ENFORCE else decision

    # One of them

    async def _look_at(
        self, session: Session, record: AccessRecord, decision: AccessDecision, keys: tuple[Key, ...], *, urgent: bool
    ) -> None:
        access, now = record.access, self._now()
        version = _version_of(access, decision)
        settled = self._settled.pop(access.uid, None)
        if settled and not urgent and (settled.access, settled.keys) == (version, keys) and now < settled.until:
            self._settled[access.uid] = settled
            self._due[access.uid] = settled.until
            return
        if not urgent and self._failing.get(access.uid) == version and self._retry.get(access.uid, 0) > now:
            # It is tried again with back-off, whatever else happens on the cluster.
            self._due[access.uid] = self._retry[access.uid]
            return
        facts = AccessFacts(access, decision, cluster_uuid=self._state.uuid)
        try:
            outcome = await self._act(session, record, decision, keys)
        except ExternalError as error:
            self._note_rejection(access, error)
            facts = replace(facts, decision=self._decision(access) if isinstance(error, Rejected) else decision)
            self._failing[access.uid] = version
            self._failed(facts, _failure_of(access, error))
            return
        self._backoffs.pop(access.uid, None)
        self._failing.pop(access.uid, None)
        if outcome and outcome.done:
            log.info("credential changed", steps=[type(step).__name__ for step in outcome.done])
        self._tell(record, facts, outcome)
        if outcome:
            # Those that are due for nothing else are looked at together: each look reads the keys of all.
            later = (now + STORE_EVERY) // TOGETHER_EVERY * TOGETHER_EVERY
            # What is due and is not done, as it is only observed, is not looked at all the time.
            due = None if outcome.decision.steps else outcome.decision.due
            self._due[access.uid] = until = min(later, due or later)
            if not outcome.done:
                self._settled[access.uid] = _Settled(version, keys, until)

    def _note_rejection(self, access: Access, error: ExternalError) -> None:
        if isinstance(error, Rejected) and not error.at_store:
            refused = (access.generation, access.reconcile_requested, error.message)
            self._state.rejections[access.uid] = refused

    def _failed(self, facts: AccessFacts, failure: Failure) -> None:
        uid = facts.access.uid
        self._retry[uid] = self._due[uid] = self._now() + self._backoffs[uid].next()
        StatusPublisher(self._context, self._state).tell(replace(facts, failure=failure))

    async def _act(
        self, session: Session, record: AccessRecord, decision: AccessDecision, keys: tuple[Key, ...]
    ) -> Outcome | None:
        """Do what is to be done about a credential; None: it is not looked at."""
        access = record.access
        if decision.do is Do.REMOVE and self._context.dry_run:
            self._note_withdrawal(access.ref, keys)
            return None
        job = await self._job(session, access)
        if decision.do is Do.REMOVE:
            await self._withdraw(access, job, keys)
            return None
        if access.credential is None or (decision.reason is not None and decision.do is Do.HOLD):
            return None
        if job is None:
            raise StoreNotFound(f"SearchCluster {self._name} has no secret store {access.credential.store}")
        credentials = self._credentials
        if decision.do is not Do.ENFORCE:
            outcome = await credentials.look(job, keys)
            if self._context.dry_run and access.mode is Mode.ENFORCE:
                change = change_of_credential(access, outcome.decision.steps)
                self._context.dry_run.note(self._name, f"credential/{access.ref}", change)
            return outcome
        if (await self._issued.who(session)).by_api_key:
            outcome = await credentials.look(job, keys)
            if any(_takes_a_key(step, job.wish) for step in outcome.decision.steps):
                raise LoginCannotIssue("the operator logs in by an API key, which can make and change no other one")
        return await credentials.keep(job, keys)

    async def _store(self, session: Session, name: str) -> SecretStore | None:
        spec = session.cluster.spec
        declared = next((item for item in spec.secret_stores if item.name == name), None) if spec else None
        return await self._context.stores.open(declared) if declared else None

    async def _job(self, session: Session, access: Access) -> Job | None:
        credential = access.credential
        store = await self._store(session, credential.store) if credential else None
        if credential is None or store is None:
            return None
        wish = Wish(
            owner=access.uid,
            rights=access.share.body,
            rotate_every=seconds(credential.rotate_every),
            overlap=seconds(credential.overlap),
            grace=seconds(credential.grace_period),
            requested=access.rotate_requested,
            waits_for_users=credential.revoke is RevokeWhen.WHEN_UNUSED,
            auth=access.auth,
            rolls=credential.rollout is Rollout.NEW_REVISION,
        )
        place = Place(access.namespace, credential.name)
        url = session.connection.urls[0]
        return Job(access, wish, credential.format, place, store, credential.store, url)

    # Taking away

    async def _withdraw(self, access: Access, job: Job | None, keys: tuple[Key, ...]) -> None:
        if job is not None:
            await self._credentials.withdraw(job, keys)
        elif keys:
            await self._credentials.take_away(owner_of(access), keys, {key.place for key in keys})

    def _note_withdrawal(self, ref: str, keys: tuple[Key, ...]) -> None:
        if self._context.dry_run and keys:
            change = withdrawal(self._name, ref, [key.id for key in keys])
            self._context.dry_run.note(self._name, change.object, change)

    async def _revoke_leftovers(self, uid: str, keys: tuple[Key, ...]) -> None:
        """Revoke keys of which no SearchAccess here says anything: it is gone, or wants something else."""
        if self._context.dry_run:
            self._note_withdrawal(uid, keys)
            return
        known = self._context.inventory.accesses.get(uid)
        # Another cluster's key may be in its secret now.
        places = set() if known is not None and known.access.has_credential else {key.place for key in keys}
        try:
            await self._credentials.take_away(Owner(uid, keys[0].namespace, ""), keys, places)
        except ExternalError as error:
            log.warning("cannot take away", keys=[key.id for key in keys], error=error.message)
            self._due[uid] = self._now() + self._backoffs[uid].next()

    async def _clear(self, session: Session, owner: Owner, places: Iterable[tuple[str, str]]) -> None:
        """Delete secrets that are an owner's."""
        for store_name, name in places:
            store = await self._store(session, store_name) if name else None
            if store is None:
                continue
            place = Place(owner.namespace, name)
            with at_store():
                found = await store.look(place)
                if found and found.secret.owner == owner.uid:
                    await store.remove(place, found.secret)

    # Telling

    def _tell(self, record: AccessRecord, facts: AccessFacts, outcome: Outcome | None) -> None:
        publisher = StatusPublisher(self._context, self._state)
        access = facts.access
        if access.deleted_at:
            if facts.decision.do is Do.REMOVE:
                publisher.release(access)
            return
        if outcome is None:
            publisher.tell(facts)
            return
        found = CredentialFacts(outcome.decision, outcome.seen, tuple(outcome.done))
        status = record.status
        known = status.elasticsearch
        same = known is not None and (known.spec_hash, known.cluster_uuid) == (access.share.hash, self._state.uuid)
        finding = finding_of(access, found, status.credential, same_rights=same)
        publisher.tell(replace(facts, finding=finding, credential=found, applied=bool(outcome.done)))


def _takes_a_key(step: Step, wish: Wish) -> bool:
    """Say whether a step makes or changes an API key."""
    match step:
        case Issue():
            return wish.auth is Auth.API_KEY
        case Update(keys) | Prolong(keys):
            return any(key.auth is Auth.API_KEY for key in keys)
        case Note(key):
            return key.auth is Auth.API_KEY
        case _:
            return False


def _failure_of(access: Access, error: ExternalError) -> Failure:
    if error.at_store:
        store = access.credential.store if access.credential else ""
        return Failure(Reason.STORE_UNAVAILABLE, f"secret store {store}: {error.message}")
    return Failure(error.reason, error.message)
