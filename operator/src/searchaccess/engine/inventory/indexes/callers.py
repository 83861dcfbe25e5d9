"""Whose SearchAccesses changed, for the limits of a gateway's callers."""


class ChangedCallers:
    """Principals whose SearchAccesses changed, of the SearchClusters for which somebody takes them."""

    def __init__(self) -> None:
        self._changed: dict[str, set[str]] = {}
        self._holding: dict[tuple[str, str], dict[str, bool]] = {}
        """By SearchCluster and principal: of SearchAccesses that get no rights, whether they still have some."""

    def note_holding(self, cluster: str, principal: str, holding: dict[str, bool]) -> None:
        """Record what a reconcile of a principal's role found.

        Args:
            cluster: the name of the SearchCluster.
            principal: the principal.
            holding: by uid, of the SearchAccesses that get no rights, whether they still have some in its role.
        """
        key = cluster, principal
        if self._holding.get(key, {}) == holding:
            return
        if holding:
            self._holding[key] = holding
        else:
            del self._holding[key]
        self.note(cluster, principal)

    def holding(self, cluster: str, principal: str, uid: str) -> bool | None:
        """Return whether a SearchAccess that gets no rights still has some; None: that was not found out."""
        return self._holding.get((cluster, principal), {}).get(uid)

    def note(self, cluster: str, principal: str) -> None:
        """Note that the SearchAccesses of a principal may have changed."""
        if (changed := self._changed.get(cluster)) is not None:
            changed.add(principal)

    def has_changed(self, cluster: str, principal: str) -> bool:
        """Return whether a principal was noted since ``take`` was called last."""
        return principal in self._changed.get(cluster, ())

    def take(self, cluster: str) -> set[str] | None:
        """Return the principals that were noted since this was called last; None: it was not, all may have changed."""
        changed = self._changed.get(cluster)
        self._changed[cluster] = set()
        return changed

    def forget(self, cluster: str) -> None:
        """Note nothing more about a SearchCluster."""
        self._changed.pop(cluster, None)
