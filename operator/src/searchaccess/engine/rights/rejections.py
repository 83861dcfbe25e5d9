"""What Elasticsearch refused: remembered, so that not every reconcile retries it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import condition_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.attempt import Attempt, attempt_of
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.refused.isolation import Isolation
from searchaccess.engine.inventory.records import AccessRecord


@dataclass(frozen=True, slots=True)
class Rejection:
    """What Elasticsearch refused of a SearchAccess."""

    attempt: Attempt
    message: str
    recalled: bool = False
    """It is known only from the status, from an earlier run of the operator, or something relevant has changed. It is
    attempted once more, after all else, as another version of the operator or of Elasticsearch may succeed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """SearchAccesses of a principal that Elasticsearch may refuse."""

    groups: tuple[tuple[str, ...], ...]
    """Their uids, in the order of attempts."""
    attempts: Mapping[str, Attempt]
    """By uid, what was attempted."""
    message: str
    """Why some of them are refused."""
    number: int
    """The reconcile that last worked on them: the one that waits longest is next."""


class Rejections:
    """What Elasticsearch refused, by the uid of the SearchAccess."""

    def __init__(self) -> None:
        self.waiting: dict[str, Waiting] = {}
        """By principal."""
        self._known: dict[str, Rejection] = {}
        self._recalled: set[str] = set()
        """Uids whose status was read; it is read only once."""

    def of(self, access: Access) -> Rejection | None:
        """Return the rejection of what a SearchAccess declares now; None: there is none, or it is to be retried."""
        known = self._known.get(access.uid)
        if known and known.attempt != attempt_of(access):
            del self._known[access.uid]
            return None
        return known

    def recall(self, record: AccessRecord) -> None:
        """Record a rejection of an earlier run from a status, once."""
        access = record.access
        if access.uid in self._recalled:
            return
        self._recalled.add(access.uid)
        if access.uid in self._known or Reason.REJECTED not in record.status_json:
            return
        status = record.status
        condition = condition_of(status, ConditionType.READY)
        if condition is None or condition.reason != Reason.REJECTED:
            return
        requested = access.reconcile_requested not in {"", status.last_handled_reconcile_at}
        if condition.observed_generation == access.generation and not requested:
            message = condition.message or "refused before"
            self._known[access.uid] = Rejection(attempt_of(access), message, recalled=True)

    def note(self, access: Access, message: str) -> None:
        """Record that Elasticsearch refused what a SearchAccess declares."""
        self._known[access.uid] = Rejection(attempt_of(access), message)

    def drop(self, uid: str) -> None:
        """Record that Elasticsearch accepted what a SearchAccess declares."""
        self._known.pop(uid, None)

    def retry(self, uids: Collection[str] | None = None) -> bool:
        """Request another attempt of what was refused; return whether there is any.

        Args:
            uids: of which SearchAccesses; None: of all.
        """
        again = {uid: known for uid, known in self._known.items() if uids is None or uid in uids}
        self._known |= {uid: replace(known, recalled=True) for uid, known in again.items()}
        return bool(again)

    def keep(self, uids: Collection[str], principals: Collection[str]) -> None:
        """Forget all other SearchAccesses and principals."""
        self.waiting = {key: waiting for key, waiting in self.waiting.items() if key in principals}
        self._known = {uid: known for uid, known in self._known.items() if uid in uids}
        self._recalled &= set(uids)

    def resumed(self, principal: str, members: Sequence[Member]) -> Isolation | None:
        """Resume isolating which SearchAccesses of a principal are refused; None: that is known.

        Args:
            principal: whose role it is.
            members: its SearchAccesses; those that changed are not known any more.
        """
        waiting = self.waiting.get(principal)
        if waiting is None:
            return None
        same = {
            member.access.uid
            for member in members
            if member.decision.do is Do.ENFORCE and waiting.attempts.get(member.access.uid) == attempt_of(member.access)
        }
        groups = [tuple(uid for uid in group if uid in same) for group in waiting.groups]
        return Isolation((), waiting.message, groups)

    def wait(self, principal: str, members: Sequence[Member], isolation: Isolation, number: int) -> None:
        """Record which SearchAccesses are still undecided."""
        undecided = isolation.undecided
        attempts = {
            member.access.uid: attempt_of(member.access) for member in members if member.access.uid in undecided
        }
        self.waiting[principal] = Waiting(isolation.groups, attempts, isolation.message, number)
