"""SearchAccesses that are edited again and again before it is known what policies say of them (docs/adr/0069).

Each edit begins a judgment anew. Whoever edits faster than it is judged would keep rights that a policy refuses. So
what such edits discard is counted, in steps: those that the SearchAccess was given, whatever else there was to do. Once
they would have sufficed to judge it several times, only its own edits are why it was not.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

MOST: Final = 1_000_000
"""Steps that own edits may discard: more than three times those of the longest judgment."""
FORGIVEN: Final = 200
"""Steps of them that are forgotten in each second: all of them in an hour and a half."""
GONE_KEPT: Final = 10_000
"""SearchAccesses that are gone, and still remembered: one that is recreated under its name inherits its rights."""


class Name(NamedTuple):
    """A SearchAccess, whether it was recreated or not."""

    namespace: str
    name: str


class _Record(NamedTuple):
    discarded: float
    at: float
    """When that was so, in seconds."""


class Edits:
    """What own edits of SearchAccesses discarded, and of which it is known that policies refuse them.

    Args:
        now: returns the seconds of the event loop's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._discarded: dict[Name, _Record] = {}
        self._refused: dict[Name, set[str]] = {}
        """On which SearchClusters."""
        self._gone: OrderedDict[Name, None] = OrderedDict()

    def discard(self, name: Name, steps: int) -> None:
        """Record that an edit of a SearchAccess, or of the labels of its namespace, discarded what was compared."""
        if steps > 0:
            self._discarded[name] = _Record(min(self._left(name) + steps, 2 * MOST), self._now())

    def note(self, name: Name, cluster: str, *, revokes: bool) -> None:
        """Record the last verdict of policies: whether the rights of a SearchAccess on a SearchCluster are revoked."""
        if revokes:
            self._refused.setdefault(name, set()).add(cluster)
        elif clusters := self._refused.get(name):
            clusters.discard(cluster)
            if not clusters:
                del self._refused[name]

    def leave(self, name: Name) -> None:
        """Record that a SearchAccess is gone."""
        if name not in self._refused and not self._left(name):
            self._discarded.pop(name, None)
            return
        self._gone[name] = None
        self._gone.move_to_end(name)
        if len(self._gone) > GONE_KEPT:
            self._forget(self._gone.popitem(last=False)[0])

    def come(self, name: Name) -> None:
        """Record that a SearchAccess exists."""
        self._gone.pop(name, None)

    def was_refused(self, name: Name, cluster: str) -> bool:
        """Return whether policies refused it on a SearchCluster when they were asked last."""
        return cluster in self._refused.get(name, ())

    def are_too_many(self, name: Name) -> bool:
        """Return whether only its own edits are why a SearchAccess was not judged."""
        return bool(self._discarded) and self._left(name) >= MOST

    def _left(self, name: Name) -> float:
        record = self._discarded.get(name)
        if record is None:
            return 0
        left = max(0.0, record.discarded - (self._now() - record.at) * FORGIVEN)
        if not left:
            del self._discarded[name]
        return left

    def _forget(self, name: Name) -> None:
        self._refused.pop(name, None)
        self._discarded.pop(name, None)
