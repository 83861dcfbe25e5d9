"""Index patterns of all kinds, and how an expression is written."""

from hypothesis import strategies as st

from searchaccess.core.patterns.expressions import (
    ANY_CHAR,
    ANY_STRING,
    EMPTY,
    LAST_CODE,
    NOTHING,
    Chars,
    Complement,
    Concat,
    Expression,
    Intersection,
    Ranges,
    Repeat,
    Union,
    char,
    chars,
    complement,
    concat,
    intersection,
    negated,
    repeat,
    union,
)

ALPHABET = "ab1-."
"""Of which names and patterns are made, so that they often match."""

names = st.text(ALPHABET, min_size=1, max_size=6)

wildcards = st.text(ALPHABET + "**?", min_size=1, max_size=6)

floating = st.from_regex(r"\*[ab1-]{1,3}\*[ab1-]{1,3}|[ab1]{1,3}\*[ab1-]{1,2}\*?|\*[ab1]{1,3}\*", fullmatch=True)
"""Wildcards that are a burden together."""

_classes = st.lists(
    st.sampled_from([("a", "a"), ("a", "b"), ("1", "1"), ("0", "z"), ("-", "."), ("[", "^")]), min_size=1
)
_characters = st.one_of(
    st.sampled_from(ALPHABET).map(char),
    _classes.map(lambda ranges: chars((ord(low), ord(high)) for low, high in ranges)),
    _classes.map(lambda ranges: negated(chars((ord(low), ord(high)) for low, high in ranges))),
    st.just(ANY_CHAR),
)
_bounds = st.sampled_from([(0, None), (1, None), (0, 1), (2, None), (2, 2), (0, 3), (1, 3)])

expressions: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(_characters, _characters, st.sampled_from([EMPTY, ANY_STRING, NOTHING])),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(concat),
        st.lists(inner, min_size=2, max_size=3).map(union),
        st.lists(inner, min_size=2, max_size=2).map(intersection),
        inner.map(complement),
        st.builds(lambda once, bounds: repeat(once, *bounds), inner, _bounds),
    ),
    max_leaves=6,
)


def text_of(expression: Expression) -> str:
    """Write an expression in Lucene's syntax."""
    match expression:
        case Chars(ranges):
            return _class_of(ranges)
        case Concat(parts):
            return "".join(map(_grouped, parts)) or "()"
        case Union(options):
            return "|".join(sorted(map(_grouped, options)))
        case Intersection(members):
            return "&".join(sorted(map(_grouped, members)))
        case Complement(inner):
            return f"~({text_of(inner)})"
        case Repeat(inner, low, high):
            many = {(0, None): "*", (1, None): "+", (0, 1): "?"}
            return f"({text_of(inner)})" + many.get((low, high), f"{{{low},{'' if high is None else high}}}")


def _grouped(expression: Expression) -> str:
    text = text_of(expression)
    return text if isinstance(expression, Chars) else f"({text})"


def _class_of(ranges: Ranges) -> str:
    if ranges == ANY_CHAR.ranges:
        return "."
    if not ranges:
        return "#"
    if ranges[0][0] == 0 and ranges[-1][1] == LAST_CODE:
        return f"[^{''.join(map(_range, negated(Chars(ranges)).ranges))}]"
    return f"[{''.join(map(_range, ranges))}]"


def _range(ends: tuple[int, int]) -> str:
    """Write a range; one that begins with a special character begins after it."""
    first, last = map(chr, ends)
    if first == last:
        return _escaped(first)
    if first.isalnum():
        return f"{first}-{_escaped(last)}"
    return _escaped(first) + _range((ends[0] + 1, ends[1]))


def _escaped(one: str) -> str:
    return one if one.isalnum() or not one.isascii() else "\\" + one
