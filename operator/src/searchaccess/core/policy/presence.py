"""Finds which existing indices, aliases and data streams a pattern matches."""

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from searchaccess.core.patterns.parsed import PatternError, matches, parse_index_pattern
from searchaccess.core.patterns.wildcards import matches as matches_wildcard

_STEPS: Final = 20_000
"""Of one comparison with one name."""


def is_addressable(pattern: str) -> bool:
    """Return whether an address can have a pattern as it is: its ``*`` means the same there, other operators do not."""
    return not (pattern.startswith("/") or "?" in pattern or "\\" in pattern)


def matching(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names that a pattern matches; none also where it cannot be evaluated.

    Args:
        pattern: as a role has it.
        names: in order.
    """
    if pattern.startswith("/"):
        with suppress(PatternError):
            parsed = parse_index_pattern(pattern)
            return [name for name in names if matches(parsed, name, _STEPS)]
        return []
    begin = pattern[: min((at for at in map(pattern.find, "*?\\") if at >= 0), default=len(pattern))]
    found = []
    for name in names[bisect_left(names, begin) :]:
        if not name.startswith(begin):
            break
        if matches_wildcard(pattern, name):
            found.append(name)
    return found
