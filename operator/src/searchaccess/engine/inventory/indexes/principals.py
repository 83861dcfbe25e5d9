"""SearchAccesses by SearchCluster and principal."""

from collections import Counter, defaultdict
from collections.abc import Collection

from searchaccess.core.model.access import Access
from searchaccess.engine.inventory.indexes.callers import ChangedCallers


class Index:
    """Uids of SearchAccesses by cluster and principal; an empty principal stands for unknown ones.

    Args:
        callers: records whose SearchAccesses are added and removed.
    """

    def __init__(self, callers: ChangedCallers) -> None:
        self._callers = callers
        self._by_principal: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._keyed: dict[str, set[str]] = defaultdict(set)
        """By cluster, the uids of SearchAccesses with API keys or users."""
        self._counts: Counter[str] = Counter()

    def principals(self, cluster: str) -> list[str]:
        """Return all principals of a cluster."""
        return [principal for principal, uids in self._by_principal[cluster].items() if uids]

    def of_principal(self, cluster: str, principal: str) -> Collection[str]:
        """Return the uids of a principal on a cluster."""
        return self._by_principal[cluster].get(principal, ())

    def keyed(self, cluster: str) -> Collection[str]:
        """Return the uids of SearchAccesses with API keys or users on a cluster."""
        return self._keyed[cluster]

    def count(self, cluster: str) -> int:
        """Return how many SearchAccesses a cluster has."""
        return self._counts[cluster]

    def add(self, access: Access) -> None:
        """Add a SearchAccess."""
        self._counts[access.cluster] += 1
        if access.has_credential:
            self._keyed[access.cluster].add(access.uid)
            return
        for principal in access.principals or ("",):
            self._by_principal[access.cluster][principal].add(access.uid)
            self._callers.note(access.cluster, principal)

    def remove(self, access: Access) -> None:
        """Remove a SearchAccess, as it was added."""
        self._counts[access.cluster] -= 1
        if access.has_credential:
            self._keyed[access.cluster].discard(access.uid)
            return
        for principal in access.principals or ("",):
            uids = self._by_principal[access.cluster][principal]
            uids.discard(access.uid)
            self._callers.note(access.cluster, principal)
            if not uids:
                del self._by_principal[access.cluster][principal]
