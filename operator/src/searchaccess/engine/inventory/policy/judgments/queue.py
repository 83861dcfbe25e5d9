"""A queue in which each namespace gets its turn, and within it each entry."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class FairQueue(Generic[K, V]):
    """Entries that wait, by namespace: with some namespaces, each is served once in so many turns."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, OrderedDict[K, V]] = OrderedDict()
        self._namespaces: dict[K, str] = {}

    def __len__(self) -> int:
        """Return how many entries wait."""
        return len(self._namespaces)

    def __contains__(self, key: K) -> bool:
        """Return whether an entry waits."""
        return key in self._namespaces

    def __iter__(self) -> Iterator[K]:
        """Yield which entries wait."""
        return iter(self._namespaces)

    def of(self, namespace: str) -> int:
        """Return how many entries of a namespace wait."""
        return len(self._waiting.get(namespace, ()))

    def get(self, key: K) -> V | None:
        """Return what waits; None: nothing does."""
        namespace = self._namespaces.get(key)
        return None if namespace is None else self._waiting[namespace][key]

    def put(self, key: K, namespace: str, entry: V) -> None:
        """Add an entry, as the last of its namespace."""
        self.pop(key)
        self._namespaces[key] = namespace
        self._waiting.setdefault(namespace, OrderedDict())[key] = entry

    def pop(self, key: K) -> V | None:
        """Remove an entry; return it, or None."""
        namespace = self._namespaces.pop(key, None)
        if namespace is None:
            return None
        waiting = self._waiting[namespace]
        entry = waiting.pop(key)
        if not waiting:
            del self._waiting[namespace]
        return entry

    def take_turn(self) -> tuple[K, V] | None:
        """Return whose turn it is; after it, it is that of the next namespace, and of the next entry of this one."""
        if not self._waiting:
            return None
        namespace, waiting = next(iter(self._waiting.items()))
        key, entry = next(iter(waiting.items()))
        waiting.move_to_end(key)
        self._waiting.move_to_end(namespace)
        return key, entry
