"""Which workloads run as which service account, by the latest reads of Cloud Run."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from searchaccess.core.model.identities.workload import Found, Place, Workload
from searchaccess.engine.concurrency.chunks import in_chunks


@dataclass(frozen=True, slots=True)
class _Usage:
    account: str
    until: float


class AccountUsage:
    """Workloads by account. Each counts until it is read again, or until it expires.

    An account is its e-mail address, or empty together with the project whose default account it is.
    """

    def __init__(self) -> None:
        self._usages: dict[Place, dict[Workload, _Usage]] = defaultdict(dict)
        self._by_account: dict[tuple[str, str], set[Workload]] = defaultdict(set)

    def record(self, found: Found, until: float) -> None:
        """Record a workload, and until when (monotonic seconds) it counts."""
        self.remove(found.workload)
        self._usages[found.workload.place][found.workload] = _Usage(found.service_account, until)
        self._by_account[_key(found.workload, found.service_account)].add(found.workload)

    def remove(self, workload: Workload) -> None:
        """Record that a workload does not exist."""
        usages = self._usages.get(workload.place, {})
        usage = usages.pop(workload, None)
        if usage is None:
            return
        if not usages:
            del self._usages[workload.place]
        key = _key(workload, usage.account)
        self._by_account[key].discard(workload)
        if not self._by_account[key]:
            del self._by_account[key]

    async def record_all(self, place: Place, found: Mapping[Workload, Found], until: float) -> None:
        """Record a full list of a place: workloads missing from it are gone. Other tasks run in between."""
        for workload in self._usages.get(place, {}).keys() - found.keys():
            self.remove(workload)
        async for item in in_chunks(found.values()):
            self.record(item, until)

    def keep(self, places: Collection[Place], now: float) -> None:
        """Forget places that are no longer read, and workloads that have expired."""
        for place, usages in list(self._usages.items()):
            for workload, usage in list(usages.items()):
                if place not in places or usage.until <= now:
                    self.remove(workload)

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
            if self._usages[workload.place][workload].until > now
        )


def _key(workload: Workload, account: str) -> tuple[str, str]:
    return (account, "") if account else ("", workload.place.project)
