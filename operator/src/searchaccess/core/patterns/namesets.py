"""Compares the indices of two entries: whether one has all of the other. ``meeting`` decides whether they can meet.

Names and prefixes such as ``orders-*`` are compared as text, so that long lists of them cost little. Only other
patterns need a comparison of languages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from searchaccess.core.patterns.expressions import Expression, complement, intersection, union
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.parsed import PatternError, TooComplicatedError, find_name, parse_index_pattern
from searchaccess.core.patterns.wildcards import is_name, is_prefix

STEPS_FOR_ALL: Final = 2_000
"""How many expressions are examined to find a name that one lacks: some milliseconds."""
MOST_PATTERNS: Final = 40
"""Longest list whose language is compared."""
_KEPT: Final = 1 << 12

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Index names and patterns, by how they can be compared."""

    names: frozenset[str]
    prefixes: frozenset[str]
    others: Names

    @property
    def all(self) -> Names:
        return (*self.names, *(f"{prefix}*" for prefix in self.prefixes), *self.others)


@lru_cache(_KEPT)
def has_all_of(wide: Names, narrow: Names) -> bool:
    """Return whether every index that the second can name is named by the first; False where it would take long.

    Args:
        wide: index names and patterns, as an entry has them.
        narrow: those of another entry.
    """
    try:
        return not outside(wide, narrow)
    except PatternError:
        return False


def outside(wide: Names, narrow: Names, steps: int = STEPS_FOR_ALL) -> bool:
    """Return whether an index that the second can name is not named by the first.

    Args:
        wide: index names and patterns, as an entry has them.
        narrow: those of another entry.
        steps: how many expressions may be examined.

    Raises:
        PatternError: one cannot be read, or it would take too long to find out.
    """
    left, right = _sorted_out(wide), _sorted_out(narrow)
    rest = [name for name in right.names - left.names if not _begins(name, left.prefixes)]
    rest += [f"{prefix}*" for prefix in right.prefixes if not _begins(prefix, left.prefixes)]
    rest += [pattern for pattern in right.others if pattern not in left.others]
    if not rest:
        return False
    if not left.others and any(map(is_name, rest)):
        return True
    if len(rest) + len(left.all) > MOST_PATTERNS:
        raise TooComplicatedError("there are too many patterns to compare")
    return find_name(intersection((_language(rest), complement(_language(left.all)))), steps) is not None


@lru_cache(_KEPT)
def _sorted_out(patterns: Names) -> _Sorted:
    names, prefixes, others = set(), set(), []
    for pattern in patterns:
        if is_mark(pattern):
            continue
        if is_prefix(pattern):
            prefixes.add(pattern[:-1])
        elif is_name(pattern):
            names.add(pattern)
        else:
            others.append(pattern)
    return _Sorted(frozenset(names), frozenset(prefixes), tuple(others))


def _begins(text: str, prefixes: frozenset[str]) -> bool:
    return any(text[:size] in prefixes for size in range(len(text) + 1))


def _language(patterns: Iterable[str]) -> Expression:
    return union(_expression(pattern) for pattern in patterns)


@lru_cache(_KEPT)
def _expression(pattern: str) -> Expression:
    return parse_index_pattern(pattern).expression
