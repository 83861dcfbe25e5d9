"""The subjects of SearchAccesses: each once, with its identity as far as known."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.access import Access, Subject, identified, subject_to_resolve
from searchaccess.core.model.identities.identity import UNTRIED, Identity, State, recall
from searchaccess.engine.pacing.backoff import Backoff


@dataclass(frozen=True, slots=True)
class Absence:
    """The absence of a workload or account, as this process has observed it."""

    seen_at: float
    """When it was first found missing: the monotonic clock's seconds."""
    credit: float
    """Seconds for which it was missing before that, by the status of an earlier run of the operator."""


@dataclass(slots=True, eq=False)
class SubjectRecord:
    """A subject, as long as any SearchAccess uses it.

    All state of a subject is here, so that one that is removed and added again starts from nothing.
    """

    subject: Subject
    users: set[str] = field(default_factory=set)
    """The uids of the SearchAccesses that use it."""
    known: Identity = UNTRIED
    requested: bool = False
    """It was requested to resolve it now."""
    reconcile_pending: bool = False
    """Its SearchAccesses are requeued with the next result, even if that changes nothing."""
    reading: bool = False
    """It is being resolved."""
    due: float = float("-inf")
    """When it is to be resolved again: the monotonic clock's seconds."""
    early: float = float("-inf")
    """When it may be resolved at the earliest, together with others."""
    every: float = 0.0
    """Seconds between two reads, by the SearchClusters' settings."""
    backoff: Backoff | None = None
    """While it cannot be resolved."""
    absence: Absence | None = None
    """While it is missing."""


class Subjects:
    """Subjects that Google must resolve."""

    def __init__(self) -> None:
        self._records: dict[Subject, SubjectRecord] = {}
        self._of: dict[str, SubjectRecord] = {}
        self.changed = asyncio.Event()
        """Set when a subject is added or requested."""

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._records

    def __bool__(self) -> bool:
        return bool(self._records)

    def all(self) -> Collection[SubjectRecord]:
        """Return all subjects. The collection changes with them."""
        return self._records.values()

    def has(self, record: SubjectRecord) -> bool:
        """Return whether a record is still in use; a recreated subject has another record."""
        return self._records.get(record.subject) is record

    def known(self, subject: Subject) -> Identity:
        """Return what is known about a subject."""
        record = self._records.get(subject)
        return record.known if record else UNTRIED

    def register(self, access: Access, claim: PrincipalClaim, status_json: str) -> Access:
        """Register a SearchAccess's subject; return the SearchAccess with the known principals.

        Args:
            access: the SearchAccess as declared.
            claim: the claim of tokens by which its cluster identifies callers.
            status_json: its status, which may have the identity from an earlier run of the operator.
        """
        subject = subject_to_resolve(access, claim)
        before = self._of.get(access.uid)
        if before is not None and before.subject != subject:
            self.forget(access.uid)
        if subject is None:
            return identified(access, None, claim)
        record = self._records.get(subject)
        if record is None:
            record = self._records[subject] = SubjectRecord(subject)
            self.changed.set()
        self._of[access.uid] = record
        record.users.add(access.uid)
        if record.known.state is State.RECALLED and not record.known.accounts and status_json:
            recalled = recall(SearchAccessStatus.parse(status_json), subject)
            record.known = record.known if recalled is UNTRIED else recalled
        return identified(access, record.known, claim)

    def set_identity(self, subject: Subject, identity: Identity) -> list[str]:
        """Record a subject's identity; return the uids of the SearchAccesses that use it."""
        record = self._records.get(subject)
        if record is None:
            return []
        record.known = identity
        return list(record.users)

    def ask(self, access: Access, claim: PrincipalClaim) -> bool:
        """Request that a SearchAccess's subject is resolved now; return False if there is nothing to resolve."""
        subject = subject_to_resolve(access, claim)
        record = self._records.get(subject) if subject is not None else None
        if record is None:
            return False
        record.requested = True
        self.changed.set()
        return True

    def forget(self, uid: str) -> None:
        """Record that a SearchAccess is gone, or has another subject."""
        record = self._of.pop(uid, None)
        if record is None:
            return
        record.users.discard(uid)
        if not record.users:
            del self._records[record.subject]
