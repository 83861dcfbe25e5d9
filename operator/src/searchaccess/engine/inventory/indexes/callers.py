"""Whose SearchAccesses changed, for the limits of a gateway's callers."""


class ChangedCallers:
    """Principals whose SearchAccesses changed, of the SearchClusters for which somebody takes them."""

    def __init__(self) -> None:
        self._changed: dict[str, set[str]] = {}

    def note(self, cluster: str, principal: str) -> None:
        """Note that the SearchAccesses of a principal may have changed."""
        if (changed := self._changed.get(cluster)) is not None:
            changed.add(principal)

    def take(self, cluster: str) -> set[str] | None:
        """Return the principals that were noted since this was called last; None: it was not, all may have changed."""
        changed = self._changed.get(cluster)
        self._changed[cluster] = set()
        return changed

    def forget(self, cluster: str) -> None:
        """Note nothing more about a SearchCluster."""
        self._changed.pop(cluster, None)
