"""Who the SearchAccesses are for: each subject once, and what is known of it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.access import Access, Subject, identified, subject_to_resolve
from searchaccess.core.model.identity import UNTRIED, Identity, recall


class Subjects:
    """Subjects of whom Google must be asked."""

    def __init__(self) -> None:
        self._known: dict[Subject, Identity] = {}
        self._users: dict[Subject, set[str]] = defaultdict(set)
        """By subject, the uids of the SearchAccesses that are for it."""
        self._of: dict[str, Subject] = {}
        self.asked: set[Subject] = set()
        """Of whom somebody wants to know now."""
        self.changed = asyncio.Event()
        """Set when there is a new one, or one is asked for."""

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._users

    def __bool__(self) -> bool:
        return bool(self._users)

    def all(self) -> list[Subject]:
        """Give all subjects."""
        return list(self._users)

    def users(self, subject: Subject) -> Iterable[str]:
        """Give the uids of the SearchAccesses for a subject."""
        return self._users.get(subject, ())

    def known(self, subject: Subject) -> Identity:
        """Give what is known of a subject."""
        return self._known.get(subject, UNTRIED)

    def see(self, access: Access, claim: PrincipalClaim, status_json: str) -> Access:
        """Take in whom a SearchAccess is for; give it with the principals that follow from what is known.

        Args:
            access: as it is declared.
            claim: by which claim of their tokens its cluster knows callers.
            status_json: its status, which may say what was known in an earlier life of the operator.
        """
        subject = subject_to_resolve(access, claim)
        if self._of.get(access.uid) != subject:
            self.forget(access.uid)
        if subject is None:
            return identified(access, None, claim)
        if subject not in self._users:
            self.changed.set()
        self._of[access.uid] = subject
        self._users[subject].add(access.uid)
        known = self._known.get(subject, UNTRIED)
        if known is UNTRIED and status_json:
            self._known[subject] = known = recall(SearchAccessStatus.parse(status_json), subject)
        return identified(access, known, claim)

    def learn(self, subject: Subject, identity: Identity) -> list[str]:
        """Take in what Google says; give the uids of the SearchAccesses for the subject."""
        if subject not in self._users:
            return []
        self._known[subject] = identity
        return list(self._users[subject])

    def ask(self, access: Access, claim: PrincipalClaim) -> bool:
        """Want to know of a SearchAccess's subject now; False: nothing needs to be known of it."""
        subject = subject_to_resolve(access, claim)
        if subject is None:
            return False
        self.asked.add(subject)
        self.changed.set()
        return True

    def forget(self, uid: str) -> None:
        """Take in that a SearchAccess is gone, or for somebody else."""
        subject = self._of.pop(uid, None)
        if subject is None:
            return
        self._users[subject].discard(uid)
        if not self._users[subject]:
            del self._users[subject]
            self._known.pop(subject, None)
            self.asked.discard(subject)
