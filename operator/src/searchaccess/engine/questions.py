"""The queries of one cluster's SearchAccesses: what is known about them, and which to try."""

import asyncio
from dataclasses import dataclass, field

from searchaccess.core.model.access import Access
from searchaccess.core.policy.proofs import Question, Verdict, combined, known_at_once, questions_of


@dataclass(slots=True)
class Known:
    """What is known about one query on some indices."""

    verdict: Verdict | None = None
    """None: not tried yet."""
    at: float = float("-inf")
    """When it was tried, by the monotonic clock."""
    state: str = ""
    """The cluster's state at that time."""
    users: set[str] = field(default_factory=set)
    """The uids of SearchAccesses that use it, and of some that used it."""


class Questions:
    """All queries, each once. Publishers of statuses request verdicts here; the prover records them here."""

    def __init__(self) -> None:
        self.all: dict[Question, Known] = {}
        self.waiting: dict[Question, None] = {}
        """Those to try as soon as possible, in order."""
        self.published: dict[str, Verdict] = {}
        """By uid of a SearchAccess, the verdict in its status."""
        self.asked = asyncio.Event()
        """Set when there is a query to try."""

    def known(self, access: Access) -> Verdict | None:
        """Return the verdict on all queries of a SearchAccess that has some; None: not all are known."""
        found = [known.verdict if (known := self.all.get(one)) else None for one in questions_of(access.share)]
        verdicts = [verdict for verdict in found if verdict is not None]
        return combined(verdicts) if len(verdicts) == len(found) else None

    def note(self, access: Access) -> None:
        """Record the queries of a SearchAccess whose status has the verdict."""
        for question in questions_of(access.share):
            known = self.all.get(question)
            if known is None:
                known = self.all[question] = Known(known_at_once(question))
            known.users.add(access.uid)

    def ask(self, access: Access) -> None:
        """Request that the unknown queries of a SearchAccess are tried."""
        self.note(access)
        for question in questions_of(access.share):
            if self.all[question].verdict is None:
                self.waiting[question] = None
                self.asked.set()

    def ask_all_again(self) -> None:
        """Forget all verdicts: this is another cluster."""
        for question, known in self.all.items():
            known.verdict = known_at_once(question)
            if known.verdict is None:
                self.waiting[question] = None
