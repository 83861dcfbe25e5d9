"""The search for a name that one index pattern matches and none of some others does.

It visits pairs: a state of the one pattern, and the set of states that all the others can have reached by then. From a
pair it follows only the few characters that make a difference. It skips a pair if it has visited one with the same
state and a subset of the set: that one finds all that the skipped one would (antichains: De Wulf, Doyen, Henzinger,
Raskin, CAV 2006). A set is an integer with a bit for each place in each wildcard. Regular expressions are followed by
their derivatives.

A pattern has few states, but there can be many sets. So the number of steps is limited. What is not decided within the
limit is ``undecided``.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, TypeVar

from searchaccess.core.patterns.expressions import (
    ANY_STRING,
    NOTHING,
    Chars,
    Expression,
    borders,
    count,
    derivative,
    nullable,
)
from searchaccess.core.patterns.meeting import are_of_wildcard, expression_of, parts_of

STEPS: Final = 6_000
"""Of one search, each of them a microsecond or two."""
_LISTS_KEPT: Final = 1 << 8
_COMMON: Final = "abcdefghijklmnopqrstuvwxyz0123456789-._"
"""What stands for a class of characters, if it is in it, so that an example looks like a name."""


class Verdict(NamedTuple):
    """Whether every name is matched, and what shows that one is not."""

    contained: bool
    example: str = ""
    """A name that is not matched; empty: all are, or none was found."""
    undecided: bool = False
    """It takes too long to find out, or the pattern cannot be read; ``contained`` is False then."""


CONTAINED: Final = Verdict(contained=True)
UNDECIDED: Final = Verdict(contained=False, undecided=True)


def search(expression: Expression, prefix: str, others: tuple[str, ...]) -> tuple[Verdict, int]:
    """Search for a name that none of some patterns match.

    Args:
        expression: matches the names.
        prefix: what all of them begin with.
        others: the patterns; one that cannot be read matches nothing.

    Returns:
        Whether there is none, and how many steps it took.
    """
    targets, parts = _targets(others), parts_of(expression)
    if len(prefix) == len(parts):
        return _follow(prefix, targets)
    if are_of_wildcard(parts):
        return _search(_Wildcard(parts, len(prefix)), targets, prefix)
    return _search(_RegularExpression(expression), targets, "")


Place = TypeVar("Place")


class _Source(Protocol[Place]):
    """The one pattern, as places in it."""

    @property
    def codes(self) -> frozenset[int]:
        """Characters at which something changes: each stands for all up to the next."""

    def start(self) -> tuple[Place, ...]: ...

    def ends(self, place: Place) -> bool: ...

    def moves(self, place: Place, code: int) -> tuple[Place, ...]: ...

    def cost(self, place: Place) -> int: ...


class _Wildcard:
    """A sequence of characters and stars; a place is the number of parts before it.

    Args:
        parts: the sequence.
        begun: how many characters all names begin with.
    """

    def __init__(self, parts: Sequence[Expression], begun: int) -> None:
        self._parts = parts
        self._begun = begun

    @property
    def codes(self) -> frozenset[int]:
        return frozenset({0}.union(*map(borders, self._parts)))

    def start(self) -> tuple[int, ...]:
        return self._entered(self._begun)

    def ends(self, place: int) -> bool:
        return place == len(self._parts)

    def moves(self, place: int, code: int) -> tuple[int, ...]:
        part = self._parts[place] if place < len(self._parts) else NOTHING
        if part == ANY_STRING:
            return self._entered(place)
        return self._entered(place + 1) if isinstance(part, Chars) and _has(part, code) else ()

    def cost(self, place: int) -> int:  # noqa: ARG002 - each costs the same
        return 1

    def _entered(self, place: int) -> tuple[int, ...]:
        """A star may match nothing; two never follow each other."""
        return (place, place + 1) if place < len(self._parts) and self._parts[place] == ANY_STRING else (place,)


class _RegularExpression:
    """A place is what may follow."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    @property
    def codes(self) -> frozenset[int]:
        return borders(self._expression)

    def start(self) -> tuple[Expression, ...]:
        return (self._expression,)

    def ends(self, place: Expression) -> bool:
        return nullable(place)

    def moves(self, place: Expression, code: int) -> tuple[Expression, ...]:
        after = derivative(place, code)
        return () if after == NOTHING else (after,)

    def cost(self, place: Expression) -> int:
        return count(place)


def _has(part: Chars, code: int) -> bool:
    return any(low <= code <= high for low, high in part.ranges)


class _Reached(NamedTuple):
    """Where all targets are at once."""

    places: int
    rests: frozenset[Expression]

    def within(self, other: "_Reached") -> bool:
        return not self.places & ~other.places and self.rests <= other.rests


@dataclass(frozen=True, slots=True)
class _Targets:
    """What the others match: all wildcards in a row, with a bit for each place, and all regular expressions."""

    start: _Reached
    stars: int
    ends: int
    codes: tuple[int, ...]
    single: tuple[int, ...]
    """For each of the codes: the places of characters that it is one of."""

    def accepts(self, reached: _Reached) -> bool:
        return bool(reached.places & self.ends) or any(map(nullable, reached.rests))

    def moved_by(self, code: int) -> int:
        """Return in how many places a character gets wildcards on."""
        return self._single(code).bit_count()

    def after(self, reached: _Reached, code: int) -> _Reached:
        places = (reached.places & self._single(code)) << 1 | reached.places & self.stars
        rests = frozenset(derivative(rest, code) for rest in reached.rests) - {NOTHING}
        return _Reached(_entered(places, self.stars), rests)

    def cost(self, reached: _Reached) -> int:
        return 1 + sum(map(count, reached.rests))

    def _single(self, code: int) -> int:
        return self.single[bisect_right(self.codes, code) - 1]


def _entered(places: int, stars: int) -> int:
    return places | (places & stars) << 1


@lru_cache(_LISTS_KEPT)
def _targets(patterns: tuple[str, ...]) -> _Targets:
    wildcards, rests = list[tuple[Expression, ...]](), set[Expression]()
    for pattern in patterns:
        expression = expression_of(pattern)
        if expression is not None and are_of_wildcard(parts := parts_of(expression)):
            wildcards.append(parts)
        elif expression is not None:
            rests.add(expression)
    codes = sorted({0}.union(*map(borders, rests), *(borders(part) for parts in wildcards for part in parts)))
    start = stars = ends = 0
    single, bit = [0] * len(codes), 1
    for parts in wildcards:
        start |= bit
        for part in parts:
            if part == ANY_STRING:
                stars |= bit
            for at in _among(codes, part) if isinstance(part, Chars) else ():
                single[at] |= bit
            bit <<= 1
        ends |= bit
        bit <<= 1
    return _Targets(_Reached(_entered(start, stars), frozenset(rests)), stars, ends, tuple(codes), tuple(single))


def _among(codes: Sequence[int], part: Chars) -> Iterator[int]:
    """Yield the numbers of those codes that are of a part."""
    for low, high in part.ranges:
        yield from range(bisect_left(codes, low), bisect_right(codes, high))


def _follow(name: str, targets: _Targets) -> tuple[Verdict, int]:
    """Return whether a target matches a name, and in how many steps."""
    reached, steps = targets.start, 0
    for sign in name:
        steps += targets.cost(reached)
        if steps > STEPS:
            return UNDECIDED, STEPS
        reached = targets.after(reached, ord(sign))
    is_contained = not name or targets.accepts(reached)
    return CONTAINED if is_contained else Verdict(contained=False, example=name), max(steps, 1)


def _search(source: _Source[Place], targets: _Targets, begin: str) -> tuple[Verdict, int]:
    """Search for a name of the source that no target matches, the shortest first.

    Args:
        source: the one pattern.
        targets: the others.
        begin: what all names of the source begin with, and its start comes after.
    """
    verdict, first, taken = _begun(source, targets, begin)
    steps = STEPS - taken
    if verdict is not None:
        return verdict, taken
    codes = _codes(source.codes | frozenset(targets.codes), targets)
    # The start is not among them: the empty name does not count, so that a longer one may have to come back to it.
    kept = dict[Place, list[_Reached]]()
    ahead = deque[tuple[str, Place, _Reached]]((begin, place, first) for place in source.start())
    while ahead:
        name, place, reached = ahead.popleft()
        if name and source.ends(place) and not targets.accepts(reached):
            return Verdict(contained=False, example=name), STEPS - steps
        for code in codes:
            steps -= source.cost(place)
            if steps < 0:
                return UNDECIDED, STEPS
            following = source.moves(place, code)
            if not following:
                continue
            steps -= targets.cost(reached)
            onward = targets.after(reached, code)
            if ANY_STRING in onward.rests:
                continue
            for each in following:
                known = kept.setdefault(each, [])
                steps -= len(known)
                if any(one.within(onward) for one in known):
                    continue
                known[:] = [*(one for one in known if not onward.within(one)), onward]
                ahead.append((name + chr(code), each, onward))
    return CONTAINED, STEPS - steps


def _begun(source: _Source[Place], targets: _Targets, begin: str) -> tuple[Verdict | None, _Reached, int]:
    """Follow what all names of the source begin with: most that are refused are refused after it.

    Returns:
        The verdict, if that is enough for one; where the targets are then; and how many steps it took.
    """
    reached, steps = targets.start, 1
    for sign in begin:
        if not (reached.places or reached.rests):
            # Nothing matches any of the names.
            break
        steps += targets.cost(reached)
        if steps > STEPS:
            return UNDECIDED, reached, STEPS
        reached = targets.after(reached, ord(sign))
        if ANY_STRING in reached.rests:
            return CONTAINED, reached, steps
    if begin and any(map(source.ends, source.start())) and not targets.accepts(reached):
        return Verdict(contained=False, example=begin), reached, steps
    return None, reached, steps


def _codes(borders: Iterable[int], targets: _Targets) -> list[int]:
    """Return one character of each class that no pattern tells apart: those first by which targets get on least."""
    found = sorted(borders)
    likely = {bisect_right(found, ord(one)) - 1: one for one in reversed(_COMMON)}
    signs = [likely.get(at, chr(code)) for at, code in enumerate(found)]
    return [ord(one) for one in sorted(signs, key=lambda one: (targets.moved_by(ord(one)), _order(one)))]


def _order(sign: str) -> int:
    return _COMMON.find(sign) % (len(_COMMON) + 1)
