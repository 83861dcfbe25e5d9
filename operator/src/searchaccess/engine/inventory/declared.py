"""The declared objects as last observed: what reconcilers read of the inventory."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.gateway.limits import takes_part
from searchaccess.core.model.access import Access
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.inventory.indexes.callers import ChangedCallers
from searchaccess.engine.inventory.indexes.principals import Index
from searchaccess.engine.inventory.policy.allowed import AllowedNamespaces
from searchaccess.engine.inventory.policy.policies import Policies
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord


class Declared:
    """All SearchAccesses and SearchClusters.

    Args:
        policies: the SearchAccessPolicies.
    """

    def __init__(self, policies: Policies) -> None:
        self.accesses: dict[str, AccessRecord] = {}
        self.clusters: dict[str, ClusterRecord] = {}
        self.namespaces = AllowedNamespaces(self.clusters, policies)
        """Which namespaces the SearchClusters allow."""
        self.callers = ChangedCallers()
        """Whose SearchAccesses changed, for the limits of callers."""
        self._index = Index(self.callers)
        self._recalled: Counter[str] = Counter()
        """By cluster, how many SearchAccesses have accounts that are known only from their status."""

    async def one_by_one(self, cluster: str | None = None) -> AsyncIterator[AccessRecord]:
        """Yield the SearchAccesses that there are now, and let other tasks run in between.

        One that is yielded may be gone by then, or have changed.

        Args:
            cluster: name of the SearchCluster that they declare; None: of all.
        """
        async for record in in_chunks(tuple(self.accesses.values())):
            if cluster is None or record.declared.cluster == cluster:
                yield record

    def principals(self, cluster: str) -> list[str]:
        """Return all principals of a cluster's SearchAccesses."""
        return self._index.principals(cluster)

    def of_principal(self, cluster: str, principal: str) -> list[AccessRecord]:
        """Return the SearchAccesses of a principal on a cluster."""
        return [self.accesses[uid] for uid in self._index.of_principal(cluster, principal) if uid in self.accesses]

    def who_limits(self, cluster: str, principal: str) -> list[Access]:
        """Return the SearchAccesses of a principal, for the limits of that caller.

        One that gets no rights, and of which it was not found out whether it still has some, has what its status says.
        """
        found = list[Access]()
        for record in self.of_principal(cluster, principal):
            access = record.access
            if not takes_part(access):
                holds = self.callers.holding(cluster, principal, access.uid)
                if record.status_summary.placed is not None if holds is None else holds:
                    access = replace(access, holds_rights=True)
            found.append(access)
        return found

    def count_of(self, cluster: str, principal: str) -> int:
        """Return how many SearchAccesses a principal has on a cluster."""
        return len(self._index.of_principal(cluster, principal))

    def of_cluster(self, cluster: str) -> Iterator[AccessRecord]:
        """Return all SearchAccesses of a cluster."""
        for principal in self._index.principals(cluster):
            for uid in list(self._index.of_principal(cluster, principal)):
                # One with several principals comes with its first.
                record = self.accesses.get(uid)
                if record and record.declared.principal == principal:
                    yield record
        yield from self.keyed(cluster)

    def keyed(self, cluster: str) -> list[AccessRecord]:
        """Return the SearchAccesses of a cluster with API keys or users."""
        return [self.accesses[uid] for uid in self._index.keyed(cluster) if uid in self.accesses]

    def count(self, cluster: str) -> int:
        """Return how many SearchAccesses a cluster has."""
        return self._index.count(cluster)

    def recalled(self, cluster: str) -> int:
        """Return how many SearchAccesses of a cluster have a subject that was not resolved yet."""
        return self._recalled[cluster]

    def claim(self, cluster: str) -> PrincipalClaim:
        """Return by which claim of their tokens a cluster identifies callers."""
        record = self.clusters.get(cluster)
        wanted = record.cluster.wanted_realm if record else None
        return wanted.principal if wanted else PrincipalClaim.EMAIL

    def knows(self, uid: str) -> bool:
        """Return whether a SearchAccess or SearchCluster still exists."""
        return uid in self.accesses or any(record.cluster.uid == uid for record in self.clusters.values())

    def pinned_to(self, uuid: str) -> str:
        """Return the name of the SearchCluster that is pinned to an Elasticsearch cluster; empty: none is."""
        return next((name for name, record in self.clusters.items() if uuid and record.pinned == uuid), "")
