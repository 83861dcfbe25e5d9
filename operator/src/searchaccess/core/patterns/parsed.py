"""Index patterns as Elasticsearch understands them: names, wildcards and ``/regular expressions/``.

`parse_index_pattern` reads a pattern as ``Automatons.pattern`` of Elasticsearch does, into the one form from which each
question about it is answered. `check_index_pattern` also says whether a SearchAccess may declare it: Elasticsearch
accepts a role with a broken pattern, and then answers each request of its user with an error. It also reads some
patterns differently from what they seem to mean.
"""

import re
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from searchaccess.core.patterns.effort import is_too_complicated
from searchaccess.core.patterns.expressions import (
    ANY_CHAR,
    ANY_STRING,
    NOTHING,
    Chars,
    Concat,
    Expression,
    Intersection,
    borders,
    char,
    concat,
    count,
    derivative,
    intersection,
    nullable,
    repeat,
)
from searchaccess.core.patterns.lucene import PatternError, parse_expression
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.wildcards import is_name
from searchaccess.core.patterns.written import Written, simplified

__all__ = [
    "Pattern",
    "PatternError",
    "TooComplicatedError",
    "check_index_pattern",
    "find_name",
    "matches",
    "parse_index_pattern",
]

MAX_LENGTH: Final = 255
"""Longest pattern: as long as the longest name of an index."""
MAX_STEPS: Final = 100_000
"""How many expressions are examined before a question is too complicated: well under a second."""
_STEPS_OF_A_CHECK: Final = 1_000
_CHECKED_KEPT: Final = 1 << 12
"""Patterns."""
_ANY_NAME: Final = repeat(ANY_CHAR, 1, None)
_FORBIDDEN_IN_NAMES: Final = frozenset('\\/"<>|:# ,')


class TooComplicatedError(PatternError):
    """A question about a pattern takes too long to answer."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One parsed index pattern.

    Args:
        text: as it was written.
        expression: the names that it matches.
        caveat: how it differs from what it may seem to mean; empty: it does not.
        written: the expression as it is written; None: it is that of a name or wildcard.
    """

    text: str
    expression: Expression
    caveat: str = ""
    written: Written | None = None


def parse_index_pattern(text: str) -> Pattern:
    """Read an index pattern as Elasticsearch does, whether or not it makes sense.

    Raises:
        PatternError: Elasticsearch cannot read it, or some of its releases differ, or it is beyond our limits.
    """
    if not text or len(text) > MAX_LENGTH:
        raise PatternError(f"a pattern has 1 to {MAX_LENGTH} characters")
    if not text.startswith("/"):
        return Pattern(text, _wildcard(text))
    if len(text) == 1 or not text.endswith("/"):
        raise PatternError("a regular expression is enclosed in slashes, such as /orders-[0-9]+/")
    written, caveat = parse_expression(text[1:-1])
    return Pattern(text, simplified(written), caveat, written)


def _wildcard(text: str) -> Expression:
    r"""Read a name with ``*`` for any string, ``?`` for any character, and ``\`` before a literal character.

    Elasticsearch goes through the text in units of UTF-16, so that a wildcard with a character of two units matches
    nothing that there is.
    """
    left = iter(text)
    parts = [_WILDCARDS.get(one) or char(next(left, one) if one == "\\" else one) for one in left]
    if not is_name(text) and any(ord(one) > _LAST_OF_ONE_UNIT for one in text):
        raise PatternError("a character outside of Unicode's basic plane is not understood in a pattern")
    return concat(parts)


_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*\*?")
"""Names, and beginnings of names, that nothing is wrong with: most patterns. To parse them takes many times longer."""
_WILDCARDS: Final[dict[str, Expression]] = {"*": ANY_STRING, "?": ANY_CHAR}
_LAST_OF_ONE_UNIT: Final = 0xFFFF


def check_index_pattern(text: str) -> None:
    """Check an index name, wildcard or ``/regular expression/`` that a SearchAccess declares.

    Raises:
        PatternError: it cannot match any index, or would be understood in another way than it was meant.
    """
    if problem := _problem_of(text):
        raise PatternError(problem)


@lru_cache(_CHECKED_KEPT)
def _problem_of(text: str) -> str:
    """Return why a SearchAccess may not declare a pattern; empty: it may. Many declare the same."""
    try:
        _check(text)
    except PatternError as error:
        return str(error)
    return ""


def _check(text: str) -> None:
    if len(text) <= MAX_LENGTH and _PLAIN.fullmatch(text):
        return
    if not text.startswith("/"):
        _check_name(text)
    elif is_mark(text):
        # With the mark of another entry it would be merged with that one, and its restriction be dropped.
        raise PatternError("it matches no index")
    pattern = parse_index_pattern(text)
    if pattern.caveat:
        raise PatternError(pattern.caveat)
    is_regex = text.startswith("/")
    if is_regex and _is_empty(pattern.expression):
        raise PatternError("it matches no index")
    if (is_regex or ("*" in text and "?" in text)) and is_too_complicated(pattern.written or pattern.expression):
        raise PatternError("it is too complicated for Elasticsearch: write less after .* or *, and fewer repetitions")


def _is_empty(expression: Expression) -> bool:
    """Return whether a short search shows that it matches no index name."""
    with suppress(TooComplicatedError):
        return find_name(intersection((expression, _ANY_NAME)), _STEPS_OF_A_CHECK) is None
    return False


def _check_name(name: str) -> None:
    """Check that there can be an index of this name, or some that this wildcard matches."""
    bad = sorted(_FORBIDDEN_IN_NAMES.intersection(name))
    if bad:
        raise PatternError(f"an index name cannot contain {' '.join(map(repr, bad))}")
    if not name or name.strip() != name or any(one.isspace() or not one.isprintable() for one in name):
        raise PatternError("an index name cannot be empty or contain white space")
    if name != name.lower():
        raise PatternError("index names are lower case")
    if name[0] in "-_+":
        raise PatternError("an index name cannot start with - _ or +")
    if name in {".", ".."}:
        raise PatternError("an index cannot be named . or ..")


def matches(pattern: Pattern, name: str, steps: int = MAX_STEPS) -> bool:
    """Return whether the pattern matches an index of this name, as Elasticsearch does.

    Args:
        pattern: what may match.
        name: of the index.
        steps: how many expressions may be examined.

    Raises:
        TooComplicatedError: they are not enough.
    """
    rest = pattern.expression
    for one in name:
        steps -= count(rest)
        if steps < 0:
            raise TooComplicatedError("it is too complicated to say what it matches")
        rest = derivative(rest, ord(one))
        if rest in {NOTHING, ANY_STRING}:
            break
    return nullable(rest)


def _may_begin(expression: Expression, code: int) -> bool:
    """Return whether names that it matches may begin with a character, by what a sequence begins with."""
    for part in expression.members if isinstance(expression, Intersection) else (expression,):
        first = part.parts[0] if isinstance(part, Concat) and part.parts else part
        if isinstance(first, Chars) and not any(low <= code <= high for low, high in first.ranges):
            return False
    return True


def find_name(expression: Expression, steps: int = MAX_STEPS) -> str | None:
    """Return one of the shortest names that an expression matches; None: there are none.

    It also answers whether all names of one expression are names of another: the intersection of the one with the
    complement of the other then has no name.

    Args:
        expression: what is to match.
        steps: how many expressions may be examined.

    Raises:
        TooComplicatedError: they are not enough.
    """
    codes = sorted(borders(expression))
    seen = {expression}
    ahead = deque([("", expression)])
    while ahead:
        name, rest = ahead.popleft()
        if nullable(rest):
            return name
        for code in codes:
            is_possible = _may_begin(rest, code)
            steps -= count(rest) if is_possible else 1
            if steps < 0:
                raise TooComplicatedError("it is too complicated to say whether it matches anything")
            if not is_possible:
                continue
            after = derivative(rest, code)
            if after != NOTHING and after not in seen:
                seen.add(after)
                ahead.append((name + chr(code), after))
    return None
