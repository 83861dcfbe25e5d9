"""Whose turn it is: groups are served in turn, and none takes all workers, however slow or many its items are."""

from collections import Counter
from typing import Final, Generic, TypeVar

Group = TypeVar("Group")
Item = TypeVar("Item")

SHARE: Final = 2
"""A group may have so many workers for each one that stays free: alone two thirds of all, among many always fewer."""


class Turns(Generic[Group, Item]):
    """Items that wait for a worker, by group.

    The limit of a group follows what is free ("dynamic threshold"; Choudhury and Hahne, IEEE/ACM ToN 6(2), 1998): the
    busier all are, the less each may take, so that a group that comes new finds a free worker, or the next that is.

    Args:
        workers: how many items may be worked on at once.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._waiting: dict[Group, dict[Item, None]] = {}
        """In the order of their turns; each in the order of arrival."""
        self._taken: Counter[Group] = Counter()

    def put(self, group: Group, item: Item) -> None:
        """Queue an item; one that waits already keeps its place."""
        self._waiting.setdefault(group, {})[item] = None

    def remove(self, group: Group, item: Item) -> None:
        """Remove an item from the queue."""
        items = self._waiting.get(group, {})
        items.pop(item, None)
        if not items:
            self._waiting.pop(group, None)

    def take(self) -> tuple[Group, Item] | None:
        """Return the item whose turn it is, and one worker to it; None: none waits that may have one now."""
        if not self._free:
            return None
        for group, items in self._waiting.items():
            # Those at their limit have two workers each at least: they are few.
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
