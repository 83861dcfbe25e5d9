"""Sets of names, as small immutable expressions: the one parsed form of index patterns.

Every wildcard and every regular expression is read into these five forms. They answer all questions about patterns: the
syntax check, whether a pattern matches a name (`searchaccess.core.patterns.parsed.matches`), and whether it matches
every name of another pattern. The last needs a search over pairs of expressions. `derivative` returns what follows
after a character, `borders` the few characters that have to be tried, and `nullable` whether a name may end here.

Make expressions with the functions below, not with the classes: they keep a normal form, so that a pattern has only
finitely many derivatives (J. A. Brzozowski, Derivatives of Regular Expressions, 1964).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

LAST_CODE: Final = 0x10FFFF
"""The last of Unicode; characters are code points everywhere here, as they are in Lucene."""

Ranges: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of some ranges of code points, which are sorted and do not touch; none of none."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Concat:
    """A sequence; of nothing: the empty name."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Union:
    """The union of them."""

    options: "frozenset[Expression]"


@dataclass(frozen=True, slots=True)
class Intersection:
    """The intersection of them."""

    members: "frozenset[Expression]"


@dataclass(frozen=True, slots=True)
class Complement:
    """Every name that the inner expression does not match, of any length."""

    inner: "Expression"


@dataclass(frozen=True, slots=True)
class Repeat:
    """The inner expression at least ``low`` times and at most ``high`` times; None: any number of times."""

    inner: "Expression"
    low: int
    high: int | None


Expression: TypeAlias = Chars | Concat | Union | Intersection | Complement | Repeat

NOTHING: Final = Chars(())
"""Matches no name at all."""
EMPTY: Final = Concat(())
"""Matches the empty name only."""
ANY_CHAR: Final = Chars(((0, LAST_CODE),))
ANY_STRING: Final = Repeat(ANY_CHAR, 0, None)


def chars(ranges: Iterable[tuple[int, int]]) -> Chars:
    """Build one character of any of these ranges (both ends included), which may overlap."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return Chars(tuple(merged))


def char(one: str) -> Chars:
    """Build this character."""
    return Chars(((ord(one), ord(one)),))


def literal(text: str) -> Expression:
    """Build exactly this text."""
    return concat(map(char, text))


def negated(these: Chars) -> Chars:
    """Build one character that is none of these."""
    starts = [0, *(high + 1 for _, high in these.ranges)]
    ends = [*(low - 1 for low, _ in these.ranges), LAST_CODE]
    return Chars(tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high))


def concat(parts: Iterable[Expression]) -> Expression:
    """Build the sequence of these."""
    flat: list[Expression] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        for each in part.parts if isinstance(part, Concat) else (part,):
            if not (each == ANY_STRING and flat and flat[-1] == ANY_STRING):
                flat.append(each)
    return flat[0] if len(flat) == 1 else Concat(tuple(flat))


def union(options: Iterable[Expression]) -> Expression:
    """Build the union of these."""
    flat: set[Expression] = set()
    ranges: list[tuple[int, int]] = []
    for option in options:
        for each in option.options if isinstance(option, Union) else (option,):
            if isinstance(each, Chars):
                ranges.extend(each.ranges)
            else:
                flat.add(each)
    if ANY_STRING in flat:
        return ANY_STRING
    if ranges:
        flat.add(chars(ranges))
    return next(iter(flat), NOTHING) if len(flat) < 2 else Union(frozenset(flat))  # noqa: PLR2004 - one or several


def intersection(members: Iterable[Expression]) -> Expression:
    """Build the intersection of these."""
    flat: set[Expression] = set()
    for member in members:
        flat.update(member.members if isinstance(member, Intersection) else (member,))
    if NOTHING in flat:
        return NOTHING
    flat.discard(ANY_STRING)
    return next(iter(flat), ANY_STRING) if len(flat) < 2 else Intersection(frozenset(flat))  # noqa: PLR2004 - the same


def complement(inner: Expression) -> Expression:
    """Build the complement of this one."""
    if isinstance(inner, Complement):
        return inner.inner
    if inner == NOTHING:
        return ANY_STRING
    return NOTHING if inner == ANY_STRING else Complement(inner)


def repeat(inner: Expression, low: int, high: int | None) -> Expression:
    """Build the repetition of this one, as `Repeat` says."""
    if high == 0 or inner == EMPTY:
        return EMPTY
    if inner == NOTHING:
        return EMPTY if low == 0 else NOTHING
    if isinstance(inner, Repeat):
        if inner.low <= 1 and inner.high is None:
            return Repeat(inner.inner, inner.low * low, None)
        if (inner.low, inner.high) == (0, 1):
            return Repeat(inner.inner, 0, high)
    return inner if (low, high) == (1, 1) else Repeat(inner, low, high)


_DIGIT: Final = Chars(((ord("0"), ord("9")),))


def decimals(low: int, high: int, width: int) -> Expression:
    """Return the decimal numbers from low to high.

    Args:
        low: the first.
        high: the last, not below low.
        width: of how many digits each is, with leading zeros; 0: of any number of leading zeros.
    """
    if width:
        return _between(f"{low:0{width}}", f"{high:0{width}}")
    by_width = (
        _between(str(max(low, 10 ** (width - 1) if width > 1 else 0)), str(min(high, 10**width - 1)))
        for width in range(len(str(low)), len(str(high)) + 1)
    )
    return concat((repeat(char("0"), 0, None), union(by_width)))


def _between(low: str, high: str) -> Expression:
    """Return the numbers between two of the same width."""
    rest = len(low) - 1
    if not low:
        return EMPTY
    if int(low) == 0 and set(high) == {"9"}:
        return repeat(_DIGIT, len(low), len(low))
    if low[0] == high[0]:
        return concat((char(low[0]), _between(low[1:], high[1:])))
    options = [
        concat((char(low[0]), _between(low[1:], "9" * rest))),
        concat((char(high[0]), _between("0" * rest, high[1:]))),
    ]
    if ord(high[0]) - ord(low[0]) > 1:
        middle = Chars(((ord(low[0]) + 1, ord(high[0]) - 1),))
        options.append(concat((middle, repeat(_DIGIT, rest, rest))))
    return union(options)


def nullable(expression: Expression) -> bool:
    """Return whether it matches the empty name."""
    match expression:
        case Chars():
            return False
        case Concat(parts):
            return all(map(nullable, parts))
        case Union(options):
            return any(map(nullable, options))
        case Intersection(members):
            return all(map(nullable, members))
        case Complement(inner):
            return not nullable(inner)
        case Repeat(inner, low, _):
            return low == 0 or nullable(inner)


def derivative(expression: Expression, code: int) -> Expression:
    """Return what may follow after this character: every rest of a name that it begins and the expression matches."""
    match expression:
        case Chars(ranges):
            return EMPTY if any(low <= code <= high for low, high in ranges) else NOTHING
        case Concat(parts):
            return union(_derivatives(parts, code))
        case Union(options):
            return union(derivative(option, code) for option in options)
        case Intersection(members):
            return intersection(derivative(member, code) for member in members)
        case Complement(inner):
            return complement(derivative(inner, code))
        case Repeat(inner, low, high):
            fewer = repeat(inner, max(low - 1, 0), None if high is None else high - 1)
            return concat((derivative(inner, code), fewer))


def _derivatives(parts: tuple[Expression, ...], code: int) -> Iterable[Expression]:
    """Return what may follow when the character belongs to the first part, or to the next if that may be empty."""
    for position, part in enumerate(parts):
        yield concat((derivative(part, code), *parts[position + 1 :]))
        if not nullable(part):
            return


def borders(expression: Expression) -> frozenset[int]:
    """Return the code points at which something may change.

    All characters from one of them up to the next have the same derivative, of this expression and of all its
    derivatives. The first of them is 0.
    """
    match expression:
        case Chars(ranges):
            ends = (end for low, high in ranges for end in (low, high + 1))
            return frozenset((0, *(end for end in ends if end <= LAST_CODE)))
        case Concat(parts):
            return frozenset({0}.union(*map(borders, parts)))
        case Union(several) | Intersection(several):
            return frozenset({0}.union(*map(borders, several)))
        case Complement(inner) | Repeat(inner, _, _):
            return borders(inner)


def size(expression: Expression) -> int:
    """Return how many characters it has when its repetitions are written out."""
    match expression:
        case Chars():
            return 1
        case Concat(parts):
            return sum(map(size, parts))
        case Union(several) | Intersection(several):
            return sum(map(size, several))
        case Complement(inner):
            return size(inner)
        case Repeat(inner, low, high):
            return size(inner) * max(low if high is None else high, 1)


def count(expression: Expression) -> int:
    """Return the number of expressions in it: the work that a derivative takes."""
    match expression:
        case Chars():
            return 1
        case Concat(parts):
            return 1 + sum(map(count, parts))
        case Union(several) | Intersection(several):
            return 1 + sum(map(count, several))
        case Complement(inner) | Repeat(inner, _, _):
            return 1 + count(inner)
