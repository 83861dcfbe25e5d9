"""Which workloads run as which service account, as the newest reads of Cloud Run say."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from searchaccess.core.model.workload import Found, Place, Workload
from searchaccess.engine.chunks import in_chunks


@dataclass(frozen=True, slots=True)
class _Sight:
    account: str
    until: float


class Neighbors:
    """Workloads by their account. Each counts until it is read again, or for a while.

    An account is its e-mail address, or empty together with the project whose default account it is.
    """

    def __init__(self) -> None:
        self._seen: dict[Place, dict[Workload, _Sight]] = defaultdict(dict)
        self._by_account: dict[tuple[str, str], set[Workload]] = defaultdict(set)

    def saw(self, found: Found, until: float) -> None:
        """Record a workload that was read, and until when (monotonic seconds) that counts."""
        self.lost(found.workload)
        self._seen[found.workload.place][found.workload] = _Sight(found.service_account, until)
        self._by_account[_key(found.workload, found.service_account)].add(found.workload)

    def lost(self, workload: Workload) -> None:
        """Record that there is no such workload."""
        seen = self._seen.get(workload.place, {})
        sight = seen.pop(workload, None)
        if sight is None:
            return
        if not seen:
            del self._seen[workload.place]
        key = _key(workload, sight.account)
        self._by_account[key].discard(workload)
        if not self._by_account[key]:
            del self._by_account[key]

    async def saw_all(self, place: Place, found: Mapping[Workload, Found], until: float) -> None:
        """Record a full list of a place: what is not in it is gone. Other tasks run in between."""
        for workload in self._seen.get(place, {}).keys() - found.keys():
            self.lost(workload)
        async for item in in_chunks(found.values()):
            self.saw(item, until)

    def keep(self, places: Collection[Place], now: float) -> None:
        """Forget places that nobody reads any more, and what has not been read for too long."""
        for place, seen in list(self._seen.items()):
            for workload, sight in list(seen.items()):
                if place not in places or sight.until <= now:
                    self.lost(workload)

    def of(self, email: str, default_of: Iterable[str], now: float) -> tuple[str, ...]:
        """Return the resource names of the workloads that run as an account.

        Args:
            email: its address.
            default_of: the projects whose default account it is.
            now: the monotonic clock's seconds.
        """
        keys = [(email, ""), *(("", project) for project in default_of)]
        return tuple(
            workload.path
            for key in keys
            for workload in self._by_account.get(key, ())
            if self._seen[workload.place][workload].until > now
        )


def _key(workload: Workload, account: str) -> tuple[str, str]:
    return (account, "") if account else ("", workload.place.project)
