"""Serves groups in turn: none takes all workers, however slow or many its items are."""

from collections import Counter
from typing import Final, Generic, TypeVar

Group = TypeVar("Group")
Item = TypeVar("Item")

SHARE: Final = 2
"""Workers that a group may have for each free one: two thirds of all if it is alone, fewer if there are many groups."""


class Turns(Generic[Group, Item]):
    """Items that wait for a worker, by group.

    A group's limit depends on the free workers ("dynamic threshold"; Choudhury and Hahne, IEEE/ACM ToN 6(2), 1998): the
    busier all are, the fewer each may take, so that a new group finds a free worker, or gets the next one.

    Args:
        workers: how many items may be worked on at once.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._waiting: dict[Group, dict[Item, None]] = {}
        """Groups in the order of their turns; items in the order of arrival."""
        self._taken: Counter[Group] = Counter()

    def put(self, group: Group, item: Item) -> None:
        """Queue an item; one that is queued keeps its place."""
        self._waiting.setdefault(group, {})[item] = None

    def remove(self, group: Group, item: Item) -> None:
        """Remove an item from the queue."""
        items = self._waiting.get(group, {})
        items.pop(item, None)
        if not items:
            self._waiting.pop(group, None)

    def take(self) -> tuple[Group, Item] | None:
        """Assign a worker to the next item and return the item; None: no item may have one now."""
        if not self._free:
            return None
        for group, items in self._waiting.items():
            # Groups at their limit have at least two workers each, so there are few of them.
            if self._taken[group] < SHARE * self._free:
                item = next(iter(items))
                self.remove(group, item)
                if items:
                    self._waiting[group] = self._waiting.pop(group)
                self._taken[group] += 1
                self._free -= 1
                return group, item
        return None

    def done(self, group: Group) -> None:
        """Record that a worker of a group is free again."""
        self._free += 1
        self._taken[group] -= 1
        if not self._taken[group]:
            del self._taken[group]
