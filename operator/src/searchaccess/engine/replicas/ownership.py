"""What one replica may write."""


class Ownership:
    """Everything: there is one replica. Where there are several, ``Leases`` overrides it."""

    def holds(self, cluster: str) -> bool:  # noqa: ARG002 - of one of several
        """Return whether a SearchCluster may be written by this replica right now."""
        return True

    def holds_common(self) -> bool:
        """Return whether what is not of one SearchCluster may be written by this replica right now."""
        return True

    def held(self, clusters: set[str]) -> set[str]:
        """Return which of some SearchClusters this replica owns, whether it may write now or not."""
        return clusters
