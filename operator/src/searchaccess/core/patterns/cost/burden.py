"""Limits the combined cost of index patterns for Elasticsearch, each of which is fine by itself.

An example is ``*a*0``, ``*b*1``, ``*c*2``, …: which of them a name can still match depends on the letters that it had.
So each further pattern doubles the states of their common automaton. Elasticsearch builds an automaton for each entry
when it needs the role, and one for the whole role when it is asked for privileges. If that takes too long, it returns
an error. If an entry's automaton takes too long, every request of the role's users fails.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from searchaccess.core.messages import some_of
from searchaccess.core.patterns.cost.automata import (
    Automaton,
    Codes,
    TooMuchEffortError,
    absorbing,
    build_automaton,
    codes_of,
    determinized,
    is_wildcard,
    of_regex,
    of_wildcards,
    united,
)
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.wildcards import SPECIAL, is_prefix

MAX_STATES: Final = 150_000
"""Of an automaton for a whole role. To unite it with an entry's takes Elasticsearch a few times that effort."""
TOGETHER: Final = (
    "{} are too complicated for Elasticsearch together: write fewer patterns with a * before or between other "
    "characters"
)
_MAX_EFFORT: Final = 25_000
"""Of those patterns of a role that can match the same names. Elasticsearch unites them two by two, which takes less."""
_PLAIN: Final = re.compile(r"[a-z0-9_-]+")
_ALTERNATIVES: Final = frozenset("|&~")
_SHOWN: Final = 3
_CACHED: Final = 4096


@lru_cache(_CACHED)
def is_too_complicated_together(patterns: frozenset[str]) -> bool:
    """Return whether Elasticsearch might give up on an entry of a role with these index patterns.

    Args:
        patterns: what `searchaccess.core.patterns.parsed.check_index_pattern` lets pass.
    """
    several = sorted(text for text in patterns if is_wildcard(text))
    if len(several) < 2 or all(is_prefix(text) for text in several):  # noqa: PLR2004 - one, or several
        return False
    try:
        build_automaton(several)
    except TooMuchEffortError:
        return True
    return False


def is_too_much(patterns: Iterable[str]) -> bool:
    """Return whether Elasticsearch might give up on all patterns of a role together.

    Names and beginnings of names make a tree. What the others add depends on those alone that can match the same
    names: those whose beginning, up to their first wildcard, is also one of theirs.

    Args:
        patterns: of all entries; each entry by itself is not too complicated.
    """
    total, groups = 0, defaultdict[str, list[str]](list)
    for text in set(patterns):
        if not is_wildcard(text) or is_prefix(text):
            total += len(text)
        else:
            groups[_beginning(text)].append(text)
    for beginning, own in groups.items():
        if total > MAX_STATES:
            break
        shorter = (beginning[:length] for length in range(len(beginning)))
        total += _states(frozenset(own), frozenset(text for one in shorter if one in groups for text in groups[one]))
    return total > MAX_STATES


def what_is_complicated(patterns: Iterable[str]) -> str:
    """Return some of the patterns that make a role complicated, for messages."""
    found = sorted({text for text in patterns if is_wildcard(text) and not is_prefix(text) and not is_mark(text)})
    return some_of(found, _SHOWN)


def _beginning(text: str) -> str:
    """Return the common prefix of all names that a pattern matches."""
    if not text.startswith("/"):
        return text[: min(at for special in SPECIAL if (at := text.find(special)) >= 0)]
    if not _ALTERNATIVES.isdisjoint(text):
        return ""
    beginning = _PLAIN.match(text, 1)
    # A repetition is of the last character.
    return beginning[0] if beginning and text[beginning.end()] not in "?*+{" else beginning[0][:-1] if beginning else ""


def _of_patterns(patterns: Iterable[str], codes: Codes) -> Automaton:
    regexes = sorted(text for text in patterns if text.startswith("/"))
    wildcards = of_wildcards(sorted(text for text in patterns if not text.startswith("/")))
    return united([wildcards, *(of_regex(text, codes) for text in regexes)])


@lru_cache(_CACHED)
def _states(own: frozenset[str], others: frozenset[str]) -> int:
    """Return how many states some patterns add to those of others that can match the same names.

    Where the own ones match no more, the states are those of the others; where one matches whatever follows, it ends.
    """
    codes = codes_of({*own, *others})
    try:
        first = _of_patterns(own, codes)
        whole, count = united([first, _of_patterns(others, codes)]), len(first.states)
        ends = absorbing(whole)
        return len(determinized(whole, _MAX_EFFORT, lambda found: min(found) < count and ends.isdisjoint(found)).states)
    except TooMuchEffortError:
        return MAX_STATES + 1
