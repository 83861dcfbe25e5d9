"""The order in which many items are worked off, so that nobody's many items delay those of others."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def in_turn(items: Iterable[T], owner: Callable[[T], Hashable]) -> Iterator[T]:
    """Yield one item of each owner, then the next one of each, and so on.

    Args:
        items: those of one owner keep their order.
        owner: returns whose an item is.
    """
    by_owner = dict[Hashable, list[T]]()
    for item in items:
        by_owner.setdefault(owner(item), []).append(item)
    waiting = [iter(each) for each in by_owner.values()]
    while waiting:
        left = []
        for each in waiting:
            for item in each:
                yield item
                left.append(each)
                break
        waiting = left
