"""Which SearchAccesses there are for a SearchCluster, and for whom."""

from collections import Counter, defaultdict
from collections.abc import Collection

from searchaccess.core.model.access import Access


class Index:
    """Uids of SearchAccesses by cluster, and by principal; one whose principals are not known is under an empty one."""

    def __init__(self) -> None:
        self._by_principal: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._keyed: dict[str, set[str]] = defaultdict(set)
        """By cluster, the uids of SearchAccesses whose rights are those of API keys."""
        self._counts: Counter[str] = Counter()

    def principals(self, cluster: str) -> list[str]:
        """Return all principals of a cluster."""
        return [principal for principal, uids in self._by_principal[cluster].items() if uids]

    def of_principal(self, cluster: str, principal: str) -> Collection[str]:
        """Return the uids of a principal on a cluster."""
        return self._by_principal[cluster].get(principal, ())

    def keyed(self, cluster: str) -> Collection[str]:
        """Return the uids of those whose rights are those of API keys or users of their own."""
        return self._keyed[cluster]

    def count(self, cluster: str) -> int:
        """Return how many there are for a cluster."""
        return self._counts[cluster]

    def add(self, access: Access) -> None:
        """Take in a SearchAccess."""
        self._counts[access.cluster] += 1
        if access.has_credential:
            self._keyed[access.cluster].add(access.uid)
            return
        for principal in access.principals or ("",):
            self._by_principal[access.cluster][principal].add(access.uid)

    def remove(self, access: Access) -> None:
        """Take out a SearchAccess, as it was taken in."""
        self._counts[access.cluster] -= 1
        if access.has_credential:
            self._keyed[access.cluster].discard(access.uid)
            return
        for principal in access.principals or ("",):
            uids = self._by_principal[access.cluster][principal]
            uids.discard(access.uid)
            if not uids:
                del self._by_principal[access.cluster][principal]
