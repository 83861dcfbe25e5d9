"""Finds the patterns that Elasticsearch gives up on: their automata have too many states.

Elasticsearch makes a deterministic automaton of each pattern of a role, and answers every request of the role's users
with an error when that takes too long: a pattern such as ``*a????????????????`` has to remember of each of the last
sixteen characters whether it was an ``a``. So the same construction is done here, with a tenth of its limit
(``Operations.determinize`` of Lucene: ten times its work limit of 10,000).
"""

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Final

from searchaccess.core.model.expressions import (
    Chars,
    Complement,
    Concat,
    Expression,
    Intersection,
    Ranges,
    Repeat,
    Union,
    borders,
)

MAX_EFFORT: Final = 10_000
"""Sum of the sizes of all sets of positions."""
_HARMLESS: Final = 9
"""So few positions have too few sets for that."""


def is_too_complicated(expression: Expression) -> bool:
    """Return whether an automaton of it takes more than `MAX_EFFORT`."""
    automaton = _Positions()
    _, first, _ = automaton.add(expression)
    return len(automaton.ranges) > _HARMLESS and automaton.exceeds(first, borders(expression))


class _Positions:
    """The characters of an expression with those that may follow each (V. M. Glushkov, 1961); sets of them are bits.

    A complement has the states of what it complements, an intersection those of a union.
    """

    def __init__(self) -> None:
        self.ranges: list[Ranges] = []
        self._follow: list[int] = []

    def add(self, expression: Expression) -> tuple[bool, int, int]:
        """Add the positions of an expression; return whether it may be empty, where it begins and where it ends."""
        match expression:
            case Chars(ranges):
                self.ranges.append(ranges)
                self._follow.append(0)
                here = 1 << (len(self.ranges) - 1)
                return False, here, here
            case Concat(parts):
                return self._add_sequence(parts)
            case Union(several) | Intersection(several):
                added = [self.add(each) for each in several]
                return any(empty for empty, _, _ in added), _all(x for _, x, _ in added), _all(x for _, _, x in added)
            case Complement(inner):
                before = len(self.ranges)
                _, first, _ = self.add(inner)
                return True, first, (1 << len(self.ranges)) - (1 << before)
            case Repeat():
                return self._add_repetition(expression)

    def _add_sequence(self, parts: tuple[Expression, ...]) -> tuple[bool, int, int]:
        empty, first, last = True, 0, 0
        for part in parts:
            may_be_empty, begin, end = self.add(part)
            self._join(last, begin)
            first |= begin if empty else 0
            last = end | (last if may_be_empty else 0)
            empty = empty and may_be_empty
        return empty, first, last

    def _add_repetition(self, repeated: Repeat) -> tuple[bool, int, int]:
        """Add a copy for each time; those that may be left out are the last ones."""
        empty, first, last, end = repeated.low == 0, 0, 0, 0
        copies = max(repeated.low, 1) if repeated.high is None else repeated.high
        for number in range(1, copies + 1):
            before = end
            may_be_empty, begin, end = self.add(repeated.inner)
            self._join(before, begin)
            first = first or begin
            empty = empty or may_be_empty
            last |= end if may_be_empty or number >= repeated.low else 0
        if repeated.high is None:
            self._join(end, begin)
        return empty, first, last

    def _join(self, ends: int, begins: int) -> None:
        for position in _bits(ends):
            self._follow[position] |= begins

    def exceeds(self, first: int, codes: Iterable[int]) -> bool:
        """Visit all reachable sets of positions; return whether that takes more than the limit."""
        kinds = {self._having(code) for code in codes}
        ahead = {first}
        seen = {first}
        effort = 0
        while ahead:
            effort += sum(here.bit_count() for here in ahead)
            if effort > MAX_EFFORT:
                return True
            ahead = {self._after(here & kind) for here in ahead for kind in kinds} - seen
            seen |= ahead
        return False

    def _having(self, code: int) -> int:
        """Return the positions that may have this character."""
        return sum(
            1 << position
            for position, ranges in enumerate(self.ranges)
            if any(low <= code <= high for low, high in ranges)
        )

    def _after(self, here: int) -> int:
        return _all(self._follow[position] for position in _bits(here))


def _all(sets: Iterable[int]) -> int:
    return reduce(or_, sets, 0)


def _bits(positions: int) -> Iterator[int]:
    while positions:
        lowest = positions & -positions
        yield lowest.bit_length() - 1
        positions ^= lowest
