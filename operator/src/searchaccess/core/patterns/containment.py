"""Whether some index patterns match every name that another one matches.

Most answers show in the patterns' texts. What they do not show is searched for (``search.py``), which takes steps. What
is not decided within their limit counts as not contained, because a guardrail refuses what it cannot judge.
"""

from functools import lru_cache
from typing import Final

from searchaccess.core.patterns.expressions import Expression
from searchaccess.core.patterns.meeting import compatible, expression_of, plain_prefix_of, prefix_of
from searchaccess.core.patterns.search import CONTAINED, UNDECIDED, Verdict, search
from searchaccess.core.patterns.wildcards import is_prefix, is_starred, matches
from searchaccess.core.work import Work

COVERS_IN_A_STEP: Final = 3
"""Other patterns whose texts are compared with one in the time of a step."""
LOOKED_AT_IN_A_STEP: Final = 10
"""Other patterns whose texts are compared for one step of a budget: most show at once that they do not match."""
FOUND_AMONG_IN_A_STEP: Final = 200
"""The same, where the pattern itself is among the others, or begins as one of them does: C code finds that."""
FEW_TEXTS: Final = 20
"""Others whose texts are compared without further steps of a budget."""
_READ_IN_A_STEP: Final = 100
"""Other patterns among which one is found at once, in the time of a step."""
_ANSWERS_KEPT: Final = 1 << 14
_LISTS_KEPT: Final = 1 << 8


def contained(pattern: str, others: tuple[str, ...]) -> Verdict:
    """Return whether every name that a pattern matches is also matched by any of some others.

    The empty name, which no index has, does not count.

    Args:
        pattern: an index name, wildcard or ``/regular expression/``.
        others: the same; one that cannot be read matches nothing.
    """
    return measured(pattern, others)[0]


def measuring(pattern: str, others: tuple[str, ...]) -> Work[tuple[Verdict, int]]:
    """Find out what ``measured`` returns; what is remembered is no work.

    To look at the texts of all others takes time, too, although it counts as one step there.
    """
    before = measured.cache_info().misses
    found = measured(pattern, others)
    if measured.cache_info().misses > before:
        in_a_step = _READ_IN_A_STEP if _is_found_at_once(pattern, others) else COVERS_IN_A_STEP
        yield found[1] + len(others) // in_a_step
    else:
        yield 1
    return found


def steps_of_looking(pattern: str, others: tuple[str, ...]) -> int:
    """Return how many steps of a budget it takes, beside those of ``measured``, to look at the texts of all others."""
    if len(others) <= FEW_TEXTS:
        return 0
    if _is_found_at_once(pattern, others):
        return len(others) // FOUND_AMONG_IN_A_STEP
    return (len(others) - FEW_TEXTS) // LOOKED_AT_IN_A_STEP


def _is_found_at_once(pattern: str, others: tuple[str, ...]) -> bool:
    """Return whether a pattern is among some others, or a name or beginning that begins as one of them does."""
    begin = plain_prefix_of(pattern)
    return pattern in others or (begin is not None and _begins_as_allowed(begin, others))


@lru_cache(_ANSWERS_KEPT)
def measured(pattern: str, others: tuple[str, ...]) -> tuple[Verdict, int]:
    """Return what ``contained`` does, and in how many steps: as many whenever it is asked, whatever is remembered."""
    # Most are names, or beginnings: they are not parsed.
    if "*" in others or _is_found_at_once(pattern, others):
        return CONTAINED, 1
    begin = plain_prefix_of(pattern)
    if begin and not any(compatible(begin, prefix_of(other)) for other in others):
        # As the search would find: the name, or the shortest one, that begins as none of the others does.
        return Verdict(contained=False, example=begin), 1 if is_prefix(pattern) else len(begin)
    expression = expression_of(pattern)
    return (UNDECIDED, 1) if expression is None else _compared(pattern, expression, others)


def _compared(pattern: str, expression: Expression, others: tuple[str, ...]) -> tuple[Verdict, int]:
    prefix = prefix_of(pattern)
    if _begins_as_allowed(prefix, others) or any(covers(other, pattern) for other in others):
        return CONTAINED, 1
    return search(expression, prefix, tuple(other for other in others if compatible(prefix, prefix_of(other))))


def _begins_as_allowed(begin: str, others: tuple[str, ...]) -> bool:
    return begin.startswith(_beginnings(others))


@lru_cache(_LISTS_KEPT)
def _beginnings(others: tuple[str, ...]) -> tuple[str, ...]:
    """Return what those begin with that match whatever begins so."""
    return tuple(other[:-1] for other in others if is_prefix(other))


def covers(wide: str, pattern: str) -> bool:
    """Return whether a wildcard matches all that another one matches, as their texts show; False: it may still do.

    Where the text of the narrow one is matched, only stars of the wide one stand for its operators: whatever these
    match, the wide one does.

    Args:
        wide: a pattern.
        pattern: one that can be read.
    """
    return is_starred(wide) and not (pattern.startswith("/") or "\\" in pattern) and matches(wide, pattern)
