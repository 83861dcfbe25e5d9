"""Groups subjects that are resolved together: by place, and by the namespace that pays for the requests."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from searchaccess.core.model.identities.workload import Place, Workload
from searchaccess.engine.identities.accounts import project_of
from searchaccess.engine.identities.calls import Lane
from searchaccess.engine.inventory.indexes.subjects import SubjectRecord


@dataclass(slots=True, eq=False)
class Round:
    """A round of reads."""

    left: int = 0
    """Parts that are still to be read."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Record that a part was read, or failed."""
        self.left -= 1
        if not self.left:
            self.over.set()

    async def wait(self, seconds: float) -> None:
        """Wait until all parts are read, or until a timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()


@dataclass(slots=True, eq=False)
class Batch:
    """Subjects that are resolved together: workloads of one place, or accounts of one project."""

    place: Place | None
    round: Round
    members: dict[Lane, list[SubjectRecord]] = field(default_factory=lambda: defaultdict(list))
    """By lane, so that each namespace waits only for its own requests."""
    requested: set[SubjectRecord] = field(default_factory=set)
    ids_again: frozenset[str] = frozenset()
    """Accounts whose unique id is read again although it is known."""

    @property
    def records(self) -> list[SubjectRecord]:
        """Return all of them."""
        return [record for some in self.members.values() for record in some]


def share_out(records: Iterable[SubjectRecord], namespaces: Callable[[SubjectRecord], Collection[str]]) -> list[Batch]:
    """Distribute subjects among batches of one round, each to the lane of the namespace with the fewest.

    Args:
        records: the subjects.
        namespaces: returns the namespaces that use a subject.
    """
    batches: dict[Place | str, Batch] = {}
    together = Round()
    shares: Counter[str] = Counter()
    for record in records:
        subject = record.subject
        place = subject.place if isinstance(subject, Workload) else None
        key = place or project_of(str(subject))
        batch = batches.get(key)
        if batch is None:
            batch = batches[key] = Batch(place, together)
        namespace = min(namespaces(record), key=lambda name: (shares[name], name), default="")
        shares[namespace] += 1
        first = record.requested or not record.known.confirmed
        batch.members[namespace, first].append(record)
        if record.requested:
            batch.requested.add(record)
    together.left = sum(len(batch.members) for batch in batches.values())
    return list(batches.values())
