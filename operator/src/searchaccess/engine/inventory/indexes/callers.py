"""The limits of the callers of a gateway, computed again for those alone whose SearchAccesses changed."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from searchaccess.core.gateway.limits import callers_limits, with_callers
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.core.model.access import Access


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

    def take(self, cluster: str) -> set[str] | None:
        """Return the principals that were noted since this was called last; None: it was not, all may have changed."""
        changed = self._changed.get(cluster)
        self._changed[cluster] = set()
        return changed

    def forget(self, cluster: str) -> None:
        """Note nothing more about a SearchCluster."""
        self._changed.pop(cluster, None)


Members: TypeAlias = Callable[[str], Iterable[Access]]
"""Returns all SearchAccesses of a principal on the cluster."""


class CallersLimits:
    """The limits of the callers of one SearchCluster's gateway.

    Args:
        changed: which principals' SearchAccesses changed.
        cluster: the name of the SearchCluster.
    """

    def __init__(self, changed: ChangedCallers, cluster: str) -> None:
        self._changed = changed
        self._cluster = cluster
        self._default: CallerLimits | None = None
        self._limits: Mapping[str, CallerLimits] = {}

    def now(
        self, principals: Callable[[], Iterable[str]], members: Members, default: CallerLimits
    ) -> Mapping[str, CallerLimits]:
        """Return the limits of all callers that differ from the default: the same object as before if none changed.

        Args:
            principals: returns all principals of the cluster; an empty one stands for unknown ones.
            members: returns the SearchAccesses of one.
            default: of callers whose SearchAccesses declare none.
        """
        changed = self._changed.take(self._cluster)
        if changed is None or default != self._default:
            before = None if self._default is None else self._limits
            found = callers_limits({each: members(each) for each in principals() if each}, default, before)
            self._limits = self._limits if found == self._limits else found
        else:
            self._limits = with_callers(self._limits, {each: members(each) for each in changed if each}, default)
        self._default = default
        return self._limits
