"""Isolates the SearchAccesses whose rights Elasticsearch refuses, by bisection: 2·k·log2(n) attempts for k of n."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Group:
    uids: tuple[str, ...]
    message: str = ""
    """Why it is refused on top of its left sibling; empty: not known yet."""


class Isolation:
    """The SearchAccesses of one role, attempted group by group, each on top of those that were accepted before.

    The outcome is that of trying them one by one, in the same order.

    Args:
        refused: the uids of those that were refused together.
        message: Elasticsearch's message about that.
        groups: those that still wait, in the order of their attempts, after the others.
    """

    def __init__(self, refused: Sequence[str], message: str = "", groups: Sequence[Sequence[str]] = ()) -> None:
        self.accepted: list[str] = []
        self.refused: dict[str, str] = {}
        """By uid, Elasticsearch's message."""
        self.message = message
        self._todo = [_Group(tuple(group)) for group in reversed(groups) if group]
        if refused:
            self._split(_Group(tuple(refused), message))

    @property
    def group(self) -> tuple[str, ...]:
        """The uids of the next attempt, together; empty: all is known."""
        return self._todo[-1].uids if self._todo else ()

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """All groups that still wait for an attempt, in order."""
        return tuple(group.uids for group in reversed(self._todo))

    @property
    def undecided(self) -> frozenset[str]:
        """The uids whose result is not known yet."""
        return frozenset(uid for group in self._todo for uid in group.uids)

    def accept(self) -> None:
        """Record that Elasticsearch accepted the group."""
        self.accepted += self._todo.pop().uids
        if self._todo and self._todo[-1].message:
            # With the left half accepted, the right half is what was refused as a whole.
            self._split(self._todo.pop())

    def refuse(self, message: str) -> None:
        """Record that Elasticsearch refused the group, and why."""
        self.message = message
        group = self._todo.pop()
        if self._todo and self._todo[-1].message:
            # The refusal of both halves together may have been due to the left one alone.
            self._todo[-1] = _Group(self._todo[-1].uids)
        self._split(_Group(group.uids, message))

    def _split(self, group: _Group) -> None:
        if len(group.uids) == 1:
            self.refused[group.uids[0]] = group.message
            return
        middle = len(group.uids) // 2
        self._todo += [_Group(group.uids[middle:], group.message), _Group(group.uids[:middle])]


def undecided_message(isolation: Isolation) -> str:
    """Return why a SearchAccess waits whose result is not known yet."""
    text = "Elasticsearch refused SearchAccesses of the same principal; which ones is not known yet"
    return f"{text}: {isolation.message}"
