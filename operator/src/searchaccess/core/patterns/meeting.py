"""Whether two index patterns, or lists of them, can meet: in one index, or in a data stream and its backing indices.

The names that they match decide, not how they are written. The number of steps is limited. If the limit is reached, the
answer is that they may meet. Which aliases an index will have cannot be known (docs/adr/0029).
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple

from searchaccess.core.patterns.expressions import (
    ANY_STRING,
    NOTHING,
    Chars,
    Concat,
    Expression,
    char,
    chars,
    concat,
    derivative,
    intersection,
    literal,
)
from searchaccess.core.patterns.lucene import PatternError
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.parsed import MAX_LENGTH, TooComplicatedError, find_name, parse_index_pattern
from searchaccess.core.patterns.wildcards import is_name, is_starred, matches
from searchaccess.core.work import Work, completed

PAIRS_KEPT: Final = 1 << 15
PATTERNS_KEPT: Final = 1 << 12
LISTS_KEPT: Final = 1 << 8
STEPS: Final = 2_000
"""Steps of one search: a few milliseconds. Each search counts as so many, however long it took, so that the number of
possible comparisons does not depend on caches."""
STEPS_OF_LISTS: Final = 20_000
"""Steps of the comparison of two lists: some 30 ms, the first time."""
COST_OF_A_PAIR: Final = 10
"""Steps of the simplest comparison; a step takes a microsecond or two."""
STEPS_OF_A_PATTERN: Final = 20
"""Steps that take as long as to parse a pattern and to sort it in."""
BACKING: Final = (".ds-", ".fs-")
"""Prefixes of a data stream's backing indices: those of its documents, and of its failures."""
_BEGIN: Final = concat((char("."), chars([(ord("d"), ord("d")), (ord("f"), ord("f"))]), literal("s-")))
_DIGIT: Final = Chars(((ord("0"), ord("9")),))
SUFFIX: Final = "-0000.00.00-000000"
"""Suffix of backing indices, with 0 for a digit: the day, and a number."""
_SUFFIX: Final = concat(_DIGIT if one == "0" else char(one) for one in SUFFIX)
_ZEROS: Final = str.maketrans("123456789", "0" * 9)


class Answer(NamedTuple):
    """The answer to a question about patterns, and its constant cost."""

    yes: bool
    steps: int


def can_meet(one: str, another: str) -> Answer:
    """Return whether two index patterns can match names of one index.

    Also yes if it takes too long to find out, or if one of them cannot be read.
    """
    return _can_meet(*sorted((one, another)))


def comparing(one: str, another: str) -> Work[Answer]:
    """Find out what ``can_meet`` returns; what is remembered is no work."""
    before = _can_meet.cache_info().misses
    answer = can_meet(one, another)
    yield answer.steps if _can_meet.cache_info().misses > before else 1
    return answer


@lru_cache(PAIRS_KEPT)
def _can_meet(one: str, another: str) -> Answer:
    if _is_beside(one, another) or _is_beside(another, one):
        return Answer(yes=False, steps=COST_OF_A_PAIR)
    first, second = expression_of(one), expression_of(another)
    if first is None or second is None:
        return Answer(yes=True, steps=1)
    steps = COST_OF_A_PAIR
    for left, right in ((first, second), *_with_backing(one, first, second), *_with_backing(another, second, first)):
        answer = _overlap(left, right)
        steps += answer.steps
        if answer.yes:
            return Answer(yes=True, steps=steps)
    return Answer(yes=False, steps=steps)


def _is_beside(name: str, wide: str) -> bool:
    """Return whether a wildcard certainly matches neither a name nor its backing indices, as their texts show.

    Most pairs that do not meet are such ones: a search takes ten times longer. Digits are compared as if all were 0, as
    those of a backing index can be any.
    """
    if not (0 < len(name) <= MAX_LENGTH and name.isascii() and is_name(name)) or name.startswith(BACKING):
        return False
    if not (len(wide) <= MAX_LENGTH and "*" in wide and is_starred(wide)) or matches(wide, name):
        return False
    zeros, backing = wide.translate(_ZEROS), name.translate(_ZEROS) + SUFFIX
    return not any(matches(zeros, begin + backing) for begin in BACKING)


def meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Return whether two lists can name the same index; also True if it takes too long to find out.

    Args:
        one: index names and patterns, as an entry has them.
        other: those of another entry.
    """
    return completed(meeting(one, other))


def meeting(one: tuple[str, ...], other: tuple[str, ...]) -> Work[bool]:
    """Find out what ``meet`` returns, in parts."""
    return (yield from meeting_measured(one, other))[0]


def meeting_measured(one: tuple[str, ...], other: tuple[str, ...]) -> Work[tuple[bool, int]]:
    """Find out what ``meet`` returns, and in how many steps: as many whenever it is asked, whatever is remembered."""
    key = one, other
    if key in _met:
        _met.move_to_end(key)
        return _met[key]
    found = yield from _meeting(one, other)
    _met[key] = found
    if len(_met) > PATTERNS_KEPT:
        _met.popitem(last=False)
    return found


_met: Final = OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], tuple[bool, int]]()
"""What was found out last."""


def _meeting(one: tuple[str, ...], other: tuple[str, ...]) -> Work[tuple[bool, int]]:
    few, many = sorted((one, other), key=len)
    known, steps = (yield from _sorted_by_prefix(many)), 0
    for pattern in few:
        for candidate in () if is_mark(pattern) else known.near(pattern):
            answer = yield from comparing(pattern, candidate)
            steps += answer.steps
            if answer.yes or steps > STEPS_OF_LISTS:
                return True, steps
        yield 1
    return False, steps


_lists: Final = OrderedDict[tuple[str, ...], "Prefixes"]()


def _sorted_by_prefix(patterns: tuple[str, ...]) -> Work["Prefixes"]:
    if patterns in _lists:
        _lists.move_to_end(patterns)
        return _lists[patterns]
    found = Prefixes()
    for pattern in dict.fromkeys(patterns):
        if not is_mark(pattern):
            found.add(pattern)
            yield STEPS_OF_A_PATTERN
    _lists[patterns] = found
    if len(_lists) > LISTS_KEPT:
        _lists.popitem(last=False)
    return found


@lru_cache(PATTERNS_KEPT)
def expression_of(pattern: str) -> Expression | None:
    """Return what a pattern of indices or fields matches; None: it cannot be read."""
    with suppress(PatternError):
        return parse_index_pattern(pattern).expression
    return None


@lru_cache(PATTERNS_KEPT)
def prefix_of(pattern: str) -> str:
    """Return the common prefix of all names that a pattern matches."""
    plain = plain_prefix_of(pattern)
    if plain is not None:
        return plain
    if 0 < len(pattern) <= MAX_LENGTH and is_starred(pattern):
        return pattern.partition("*")[0]
    expression = expression_of(pattern)
    return "" if expression is None else _prefix(expression)


def plain_prefix_of(pattern: str) -> str | None:
    """Return the prefix of a name, or of one with a star at its end, without parsing it; None: it is something else."""
    if not 0 < len(pattern) <= MAX_LENGTH or pattern[0] == "/":
        return None
    if pattern[-1] != "*":
        return pattern if is_name(pattern) else None
    begin = pattern[:-1]
    return begin if is_name(begin) and pattern.isascii() else None


def _prefix(expression: Expression) -> str:
    found = []
    for part in parts_of(expression):
        if not isinstance(part, Chars) or len(part.ranges) != 1 or part.ranges[0][0] != part.ranges[0][1]:
            break
        found.append(chr(part.ranges[0][0]))
    return "".join(found)


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """Return what an expression is a sequence of; of another one: itself."""
    return expression.parts if isinstance(expression, Concat) else (expression,)


def compatible(one: str, another: str) -> bool:
    """Return whether names can begin with both prefixes."""
    return one.startswith(another) or another.startswith(one)


def _with_backing(pattern: str, expression: Expression, other: Expression) -> Iterator[tuple[Expression, Expression]]:
    """Yield the backing indices of a pattern's data streams, beside the other pattern, if it may match any."""
    prefix = _prefix(other)
    begins = [begin for begin in BACKING if compatible(begin + prefix_of(pattern), prefix)]
    if begins and are_of_wildcard(parts_of(other)):
        yield concat((_BEGIN, expression, _SUFFIX)), other
        return
    # A regular expression: without their prefix, a search needs no steps for the name itself.
    for rest in dict.fromkeys(after(other, begin) for begin in begins):
        yield concat((expression, _SUFFIX)), rest


def _overlap(one: Expression, another: Expression) -> Answer:
    """Return whether two expressions match a common name."""
    first, second = parts_of(one), parts_of(another)
    if are_of_wildcard(first) and are_of_wildcard(second):
        return _overlap_of_wildcards(first, second)
    prefixes = _prefix(one), _prefix(another)
    if not compatible(*prefixes):
        return Answer(yes=False, steps=1)
    begin = max(prefixes, key=len)
    return Answer(has_names(intersection((after(one, begin), after(another, begin)))), STEPS)


def after(expression: Expression, text: str) -> Expression:
    """Return the rests of the names that begin with this text and match an expression."""
    for one in text:
        expression = derivative(expression, ord(one))
    return expression


def has_names(expression: Expression) -> bool:
    """Return whether an expression matches any name; also True if it takes too long to find out."""
    try:
        return find_name(expression, STEPS) is not None
    except TooComplicatedError:
        return True


def are_of_wildcard(parts: Iterable[Expression]) -> bool:
    """Return whether parts are those of a name or wildcard."""
    return all(isinstance(part, Chars) or part == ANY_STRING for part in parts)


def _overlap_of_wildcards(first: tuple[Expression, ...], second: tuple[Expression, ...]) -> Answer:
    """Walk through two sequences of characters and ``*`` at once: each pair of places is visited once."""
    begin, end = _alike(first, second), _alike(first[::-1], second[::-1])
    if begin is None or end is None:
        return Answer(yes=False, steps=1)
    shorter = min(len(first), len(second))
    if begin == shorter:
        return Answer(set(first[begin:]) | set(second[begin:]) <= {ANY_STRING}, steps=1)
    end = min(end, shorter - begin)
    left, right = len(first) - end, len(second) - end
    ahead, steps = [(begin, begin)], 0
    seen = set(ahead)
    while ahead:
        steps += 1
        if steps > STEPS:
            return Answer(yes=True, steps=steps)
        place = ahead.pop()
        if place == (left, right):
            return Answer(yes=True, steps=steps)
        for following in _moves(first[:left], place[0], second[:right], place[1]):
            if following not in seen:
                seen.add(following)
                ahead.append(following)
    return Answer(yes=False, steps=steps)


def _alike(first: Iterable[Expression], second: Iterable[Expression]) -> int | None:
    """Return how many characters of two sequences share one, up to the first ``*``; None: two do not."""
    number = 0
    for one, another in zip(first, second, strict=False):
        if not (isinstance(one, Chars) and isinstance(another, Chars)):
            break
        if not _share_a_character(one, another):
            return None
        number += 1
    return number


def _moves(
    first: tuple[Expression, ...], left: int, second: tuple[Expression, ...], right: int
) -> Iterator[tuple[int, int]]:
    one = first[left] if left < len(first) else None
    another = second[right] if right < len(second) else None
    if one == ANY_STRING:
        yield left + 1, right
        if another not in {None, NOTHING}:
            yield left, right + 1
    elif another == ANY_STRING:
        yield left, right + 1
        if one not in {None, NOTHING}:
            yield left + 1, right
    elif isinstance(one, Chars) and isinstance(another, Chars) and _share_a_character(one, another):
        yield left + 1, right + 1


def _share_a_character(one: Chars, another: Chars) -> bool:
    return any(low <= end and begin <= high for low, high in one.ranges for begin, end in another.ranges)


class Prefixes:
    """Patterns by the prefix of their names: patterns that can meet have related prefixes."""

    def __init__(self) -> None:
        self._patterns: dict[str, list[str]] = {}
        self._sorted: list[str] = []
        self._lengths: list[int] = []
        """Of all prefixes."""
        self._may_be_backing = False
        """Whether any pattern may match a backing index of a data stream, by its prefix."""

    def add(self, pattern: str) -> None:
        """Add a pattern that is not contained yet."""
        prefix = prefix_of(pattern)
        if prefix not in self._patterns:
            self._patterns[prefix] = []
            insort(self._sorted, prefix)
            self._may_be_backing = self._may_be_backing or any(compatible(prefix, begin) for begin in BACKING)
            if len(prefix) not in self._lengths:
                insort(self._lengths, len(prefix))
        self._patterns[prefix].append(pattern)

    def near(self, pattern: str) -> Iterable[str]:
        """Return all patterns that can meet this one, and some others, each once, in a stable order."""
        prefix = prefix_of(pattern)
        wanted = [prefix]
        for begin in BACKING:
            if self._may_be_backing:
                wanted.append(begin + prefix)
            if prefix.startswith(begin):
                wanted.append(prefix.removeprefix(begin))
            elif begin.startswith(prefix):
                wanted.append("")
        found = dict.fromkeys([key for each in wanted for key in self._beside(each)])
        return [each for key in found for each in self._patterns[key]]

    def _beside(self, prefix: str) -> list[str]:
        """Return the known prefixes that begin this one, and those that this one begins."""
        lengths = self._lengths[: bisect_left(self._lengths, len(prefix))]
        found = [begin for end in lengths if (begin := prefix[:end]) in self._patterns]
        first = last = bisect_left(self._sorted, prefix)
        while last < len(self._sorted) and self._sorted[last].startswith(prefix):
            last += 1
        return found + self._sorted[first:last]
