"""Which SearchClusters this replica may write."""


class Ownership:
    """All: there is one replica. ``Leases`` overrides it where there are several."""

    def holds(self, cluster: str) -> bool:  # noqa: ARG002 - of one of several
        """Return whether this replica may write to a SearchCluster right now."""
        return True

    def holds_common(self) -> bool:
        """Return whether this replica may write what belongs to no SearchCluster right now."""
        return True

    def held(self, clusters: set[str]) -> set[str]:
        """Return the SearchClusters that this replica owns, whether it may write now or not."""
        return clusters

    def owned_since(self, cluster: str) -> float:  # noqa: ARG002 - of one of several
        """Return when this replica acquired a SearchCluster that it owns, in the clock's monotonic seconds.

        Until then, another replica may have reconciled what is not known here yet.
        """
        return float("-inf")

    def owns_common_since(self) -> float:
        """Return when this replica acquired what belongs to no SearchCluster; infinity: it did not."""
        return float("-inf")
