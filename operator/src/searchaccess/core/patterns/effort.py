"""Finds patterns that are too complicated for Elasticsearch, because their automata have too many states.

Elasticsearch builds a deterministic automaton of each pattern of a role. If that takes too long, every request of the
role's users fails. An example is ``*a????????????????``: its automaton has to remember which of the last sixteen
characters were an ``a``. So this module does the same construction with a tenth of Elasticsearch's limit
(``Operations.determinize`` of Lucene: ten times its work limit of 10,000).
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from operator import or_
from typing import Final

from searchaccess.core.patterns.expressions import (
    LAST_CODE,
    Chars,
    Complement,
    Concat,
    Intersection,
    Ranges,
    Repeat,
    Union,
    chars,
)
from searchaccess.core.patterns.written import Kind, Part, Written

MAX_EFFORT: Final = 10_000
"""Sum of the sizes of all sets of positions."""
MAX_PAIRS: Final = 20_000
"""Transitions of what is intersected, multiplied: Elasticsearch pairs them, without a limit of its own. Ten times as
many took half a second (measured); a thousand times would stop a node."""
_MAX_POSITIONS: Final = 10_000
"""More than any expression has in which nothing is complemented or intersected."""
_MAX_PARTS: Final = 50_000
"""Parts that are added, each copy of them; only repeated empty groups are so many."""
_START: Final = -1
"""Where a name is before its first character."""
_HARMLESS: Final = 9
"""So few positions have too few sets for that."""


class _TooMuchError(Exception):
    """An automaton takes more than the limits."""


def is_too_complicated(written: Written) -> bool:
    """Return whether an automaton of an expression takes more than the limits, in one of the ways to make it.

    Lucene's effort for ``~`` and ``&`` is predicted less exactly, so the limit is lower with them. With ``~`` within
    ``~``, or any of the two within a repetition, it cannot be predicted.
    """
    limit = MAX_EFFORT // 10 if _has_operators(written) else MAX_EFFORT
    return _is_nested(written) or any(_exceeds(written, _Way(skips, limit)) for skips in (False, True))


def _has_operators(written: Written) -> bool:
    match written:
        case Complement() | Intersection() | Part(Kind.COMPLEMENT | Kind.INTERSECTION):
            return True
        case Concat(parts) | Union(parts) | Part(_, parts):
            return any(map(_has_operators, parts))
        case Repeat(inner):
            return _has_operators(inner)
        case _:
            return False


def _is_nested(written: Written, *, complemented: bool = False, repeated: bool = False) -> bool:
    match written:
        case Complement(inner) | Part(Kind.COMPLEMENT, (inner,)):
            return complemented or repeated or _is_nested(inner, complemented=True)
        case Repeat(inner) | Part(Kind.REPETITION, (inner,)):
            return _is_nested(inner, complemented=complemented, repeated=True)
        case Intersection(_) | Part(Kind.INTERSECTION, _) if repeated:
            return True
        case Concat(parts) | Union(parts) | Intersection(parts) | Part(_, parts):
            return any(_is_nested(part, complemented=complemented, repeated=repeated) for part in parts)
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Way:
    """How an automaton is made.

    Attributes:
        skips: how copies of what may be empty follow each other: each may be followed by all later ones, as in Lucene
            9, or by the next one only, as in Lucene 10. Names are the same, but sets of positions are not.
        limit: most that the sizes of its sets may sum up to.
    """

    skips: bool
    limit: int


def _exceeds(written: Written, way: _Way) -> bool:
    automaton = _Positions(way)
    try:
        ends = automaton.add(written)
        if len(automaton.ranges) > _HARMLESS:
            automaton.determinized(ends)
    except _TooMuchError:
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Ends:
    """Whether an expression may be empty, where it begins and where it ends."""

    empty: bool
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Deterministic:
    """An automaton with one next state for each character; the first state is 0."""

    codes: tuple[int, ...]
    """Where the next state may change, in order."""
    steps: tuple[tuple[int, ...], ...]
    """By state and position of the code, the next state."""
    accepting: tuple[bool, ...]

    def at(self, state: int, code: int) -> int:
        """Return the state after a character."""
        return self.steps[state][bisect_right(self.codes, code) - 1]


class _Positions:
    """The characters of an expression with those that may follow each (V. M. Glushkov, 1961); sets of them are bits.

    What is complemented or intersected is made deterministic first, as Lucene does with what it complements; the
    positions are then the steps of that automaton.
    """

    def __init__(self, way: _Way) -> None:
        self._way = way
        self.ranges: list[Ranges] = []
        self._follow: list[int] = []
        self._pairs = 0
        self._parts = 0
        self._known: dict[Written, tuple[_Deterministic, int]] = {}

    def add(self, written: Written) -> _Ends:
        """Add the positions of an expression.

        Raises:
            _TooMuchError: it takes more than the limits.
        """
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise _TooMuchError
        match written:
            case Chars(ranges):
                here = self._position(ranges)
                return _Ends(empty=False, first=here, last=here)
            case Concat(parts) | Part(Kind.SEQUENCE, parts):
                return self._add_sequence(parts)
            case Union(several) | Part(Kind.ALTERNATIVES, several):
                added = [self.add(each) for each in several]
                empty = any(each.empty for each in added)
                return _Ends(empty, _all(each.first for each in added), _all(each.last for each in added))
            case Intersection(several) | Part(Kind.INTERSECTION, several):
                return self._add_automaton(written, lambda: _intersected(tuple(several), self._way))
            case Complement(inner) | Part(Kind.COMPLEMENT, (inner,)):
                return self._add_automaton(written, lambda: _complemented(inner, self._way))
            case Repeat(inner, low, high) | Part(Kind.REPETITION, (inner,), _, low, high):
                return self._add_repetition(inner, low, high)
        raise _TooMuchError

    def _position(self, ranges: Ranges) -> int:
        if len(self.ranges) == _MAX_POSITIONS:
            raise _TooMuchError
        self.ranges.append(ranges)
        self._follow.append(0)
        return 1 << (len(self.ranges) - 1)

    def _add_automaton(self, written: Written, build: Callable[[], tuple[_Deterministic, int]]) -> _Ends:
        """Add the steps of an automaton: each of some characters into a state."""
        if written not in self._known:
            self._known[written] = build()
        automaton, pairs = self._known[written]
        self._pairs += pairs
        if self._pairs > MAX_PAIRS:
            raise _TooMuchError
        steps: dict[tuple[Ranges, int], int] = {}
        begins: list[int] = []
        for after in automaton.steps:
            into: dict[int, list[tuple[int, int]]] = {}
            for place, state in enumerate(after):
                end = automaton.codes[place + 1] - 1 if place + 1 < len(automaton.codes) else LAST_CODE
                into.setdefault(state, []).append((automaton.codes[place], end))
            keys = [(chars(ranges).ranges, state) for state, ranges in into.items()]
            for key in keys:
                if key not in steps:
                    steps[key] = self._position(key[0])
            begins.append(_all(steps[key] for key in keys))
        last = 0
        for (_, state), step in steps.items():
            self._join(step, begins[state])
            last |= step if automaton.accepting[state] else 0
        return _Ends(automaton.accepting[0], begins[0], last)

    def _add_sequence(self, parts: Sequence[Written]) -> _Ends:
        empty, first, last = True, 0, 0
        for part in parts:
            added = self.add(part)
            self._join(last, added.first)
            first |= added.first if empty else 0
            last = added.last | (last if added.empty else 0)
            empty = empty and added.empty
        return _Ends(empty, first, last)

    def _add_repetition(self, inner: Written, low: int, high: int | None) -> _Ends:
        """Add a copy for each time; those that may be left out are the last ones."""
        empty, first, last, begin, before, end = low == 0, 0, 0, 0, 0, 0
        copies = max(low, 1) if high is None else high
        for number in range(1, copies + 1):
            added = self.add(inner)
            skips = added.empty and self._way.skips
            before = end | (before if skips else 0)
            begin, end = added.first, added.last
            self._join(before, begin)
            first |= begin if number == 1 or skips else 0
            empty = empty or added.empty
            last |= end if added.empty or number >= low else 0
        if high is None:
            self._join(end, begin)
        return _Ends(empty, first, last)

    def _join(self, ends: int, begins: int) -> None:
        for position in _bits(ends):
            self._follow[position] |= begins

    @property
    def transitions(self) -> int:
        """How many pairs of a position and one that may follow it there are."""
        return sum(follow.bit_count() for follow in self._follow)

    def determinized(self, ends: _Ends) -> _Deterministic:
        """Visit all sets of positions in which a name may be at one time.

        Args:
            ends: of the whole expression.

        Raises:
            _TooMuchError: that takes more than the limit.
        """
        edges = {edge for ranges in self.ranges for low, high in ranges for edge in (low, high + 1)}
        codes = tuple(sorted(code for code in edges | {0} if code <= LAST_CODE))
        kinds = [self._having(code) for code in codes]
        numbers = {_START: 0}
        ahead, steps, effort = deque(numbers), list[tuple[int, ...]](), 0
        while ahead:
            here = ahead.popleft()
            effort += here.bit_count()
            if effort > self._way.limit or len(numbers) > self._way.limit:
                raise _TooMuchError
            follow = ends.first if here == _START else self._after(here)
            after = []
            for kind in kinds:
                met = follow & kind
                if met not in numbers:
                    numbers[met] = len(numbers)
                    ahead.append(met)
                after.append(numbers[met])
            steps.append(tuple(after))
        accepting = (ends.empty if here == _START else bool(here & ends.last) for here in numbers)
        return _Deterministic(codes, tuple(steps), tuple(accepting))

    def _having(self, code: int) -> int:
        """Return the positions that may have this character."""
        return sum(
            1 << position
            for position, ranges in enumerate(self.ranges)
            if any(low <= code <= high for low, high in ranges)
        )

    def _after(self, here: int) -> int:
        return _all(self._follow[position] for position in _bits(here))


def _determinized(written: Written, way: _Way) -> tuple[_Deterministic, int]:
    """Return an automaton of an expression, and how many transitions it had before it was deterministic."""
    positions = _Positions(way)
    ends = positions.add(written)
    return positions.determinized(ends), positions.transitions + ends.first.bit_count()


def _complemented(inner: Written, way: _Way) -> tuple[_Deterministic, int]:
    automaton, _ = _determinized(inner, way)
    return replace(automaton, accepting=tuple(not accepts for accepts in automaton.accepting)), 0


def _intersected(members: Sequence[Written], way: _Way) -> tuple[_Deterministic, int]:
    """Return an automaton of pairs of states, and how many pairs of transitions Lucene examines for it."""
    determinized = [_determinized(member, way) for member in members]
    automata = [automaton for automaton, _ in determinized]
    codes = tuple(sorted({code for automaton in automata for code in automaton.codes}))
    numbers = {(0,) * len(automata): 0}
    ahead, steps = deque(numbers), list[tuple[int, ...]]()
    while ahead:
        here = ahead.popleft()
        if len(numbers) * len(automata) > way.limit:
            raise _TooMuchError
        after = []
        for code in codes:
            states = tuple(one.at(state, code) for one, state in zip(automata, here, strict=True))
            if states not in numbers:
                numbers[states] = len(numbers)
                ahead.append(states)
            after.append(numbers[states])
        steps.append(tuple(after))
    accepting = tuple(
        all(one.accepting[state] for one, state in zip(automata, states, strict=True)) for states in numbers
    )
    return _Deterministic(codes, tuple(steps), accepting), prod(max(transitions, 1) for _, transitions in determinized)


def _all(sets: Iterable[int]) -> int:
    return reduce(or_, sets, 0)


def _bits(positions: int) -> Iterator[int]:
    while positions:
        lowest = positions & -positions
        yield lowest.bit_length() - 1
        positions ^= lowest
