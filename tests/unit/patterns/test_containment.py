"""Whether index patterns match every name that another one matches."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.patterns.containment import contained
from searchaccess.core.patterns.expressions import ANY_CHAR, complement, intersection, repeat
from searchaccess.core.patterns.parsed import PatternError, find_name, matches, parse_index_pattern
from searchaccess.core.patterns.search import Verdict

CONTAINED = Verdict(contained=True)
UNDECIDED = Verdict(contained=False, undecided=True)


@pytest.mark.parametrize(
    ("pattern", "others"),
    [
        pytest.param("orders-1", ("orders-1",), id="the same name"),
        pytest.param("orders-1", ("orders-*",), id="a name of a wildcard"),
        pytest.param("orders-eu-*", ("logs-*", "orders-*"), id="a narrower wildcard"),
        pytest.param("*", ("*",), id="everything in everything"),
        pytest.param("*", ("?*",), id="no index has the empty name"),
        pytest.param("orders-?", ("orders-*",), id="one character of any number"),
        pytest.param("*-*-*", ("*-*",), id="two dashes have one"),
        pytest.param("*a*b*", ("*b*",), id="stars in the middle"),
        pytest.param("orders-1?", ("orders-??", "logs"), id="a fixed length"),
        pytest.param("/orders-[0-9]+/", ("orders-*",), id="a regular expression in a wildcard"),
        pytest.param("orders-12", ("/orders-[0-9]+/",), id="a name in a regular expression"),
        pytest.param("/orders-(eu|us)/", ("orders-eu", "orders-us"), id="only both together"),
        pytest.param("/orders-[0-9]{1,3}/", ("/orders-[0-9]+/",), id="fewer repetitions"),
        pytest.param("/.+/", ("a*", "/[^a].*/"), id="a wildcard and its rest"),
        pytest.param(r"a\*b", ("a?b",), id="a literal star"),
        pytest.param("/()/", ("orders",), id="no name at all, only the empty one"),
    ],
)
def test_contained(pattern: str, others: tuple[str, ...]) -> None:
    assert contained(pattern, others) == CONTAINED


@pytest.mark.parametrize(
    ("pattern", "others", "example"),
    [
        pytest.param("orders-*", (), "orders-", id="nothing is allowed"),
        pytest.param("*", (), "a", id="nothing is allowed, and the empty name is none"),
        pytest.param("orders-*", ("orders-?*",), "orders-", id="the name without more"),
        pytest.param("orders-*", ("orders-eu-*", "orders-us-*"), "orders-", id="two parts of it"),
        pytest.param("orders*", ("orders-*",), "orders", id="the separator is missing"),
        pytest.param("Orders", ("orders",), "Orders", id="case counts"),
        pytest.param("*a" + 14 * "?", ("*a" + 13 * "?" + "b",), "a" + 14 * "c", id="many states"),
        pytest.param("/orders-.*/", ("/orders-[a-z]*/",), "orders-0", id="a character that is not in the class"),
        pytest.param("/(~(orders-1))/", ("orders-*",), "a", id="a complement"),
        pytest.param("*-x", ("/.*/", "a-x")[1:], "-x", id="one of many"),
    ],
)
def test_not_contained(pattern: str, others: tuple[str, ...], example: str) -> None:
    assert contained(pattern, others) == Verdict(contained=False, example=example)


@pytest.mark.parametrize(
    ("pattern", "others"),
    [
        pytest.param("a*" * 127, tuple("*" + "ab"[at % 2] + "?" * at for at in range(60)), id="wildcards"),
        pytest.param("/(.*a.{20})/", ("*a" + "?" * 20,), id="a regular expression with a million states"),
        pytest.param("/a{1,250}.*b.{100}/", ("/(.*[ab].{90}.*)/",), id="repetitions"),
        pytest.param("/(/", ("/orders-[0-9]+/",), id="a pattern that cannot be read"),
    ],
)
def test_what_takes_too_long_is_not_contained(pattern: str, others: tuple[str, ...]) -> None:
    assert contained(pattern, others) == UNDECIDED


def test_another_pattern_that_cannot_be_read_matches_nothing() -> None:
    assert contained("orders", ("/(/", "logs")) == Verdict(contained=False, example="orders")
    assert contained("orders", ("/(/", "o*")) == CONTAINED


_WILDCARDS = st.text("ab-*?", min_size=1, max_size=8)
_PARTS = ["a", "b", ".*", "[ab]", "(a|b)", "a?", "b+", "(~(ab))", "(a|b-)*", ".", "(.&[^a])", "a{2,3}"]
_EXPRESSIONS = st.lists(st.sampled_from(_PARTS), min_size=1, max_size=4).map(lambda parts: f"/{''.join(parts)}/")
_PATTERNS = st.one_of(_WILDCARDS, _WILDCARDS, _EXPRESSIONS)
_ANY_NAME = repeat(ANY_CHAR, 1, None)
_NAMES = ["".join(signs) for length in range(1, 5) for signs in product("ab-", repeat=length)]


@given(_PATTERNS, st.lists(_PATTERNS, max_size=4))
def test_it_agrees_with_the_search_for_a_name_of_the_difference(pattern: str, others: list[str]) -> None:
    verdict = contained(pattern, tuple(others))

    assert not verdict.undecided
    one, several = parse_index_pattern(pattern), list(map(parse_index_pattern, others))
    rest = intersection((one.expression, _ANY_NAME, *(complement(each.expression) for each in several)))
    assert verdict.contained == (find_name(rest, 1_000_000) is None)


@given(_PATTERNS, st.lists(_PATTERNS, max_size=4))
def test_an_example_is_of_the_one_and_of_none_of_the_others(pattern: str, others: list[str]) -> None:
    verdict = contained(pattern, tuple(others))

    one, several = parse_index_pattern(pattern), list(map(parse_index_pattern, others))
    if verdict.example:
        assert matches(one, verdict.example)
        assert not any(matches(each, verdict.example) for each in several)
    elif verdict.contained:
        mine = (name for name in _NAMES if matches(one, name))
        assert all(any(matches(each, name) for each in several) for name in mine)


@given(st.text(max_size=255), st.lists(st.text(max_size=255), max_size=3))
def test_whatever_is_asked_is_answered(pattern: str, others: list[str]) -> None:
    try:
        parse_index_pattern(pattern)
    except PatternError:
        assert not contained(pattern, ()).contained
    assert contained(pattern, (*others, pattern)).contained
