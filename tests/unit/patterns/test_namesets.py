"""Whether the indices of two entries can be the same, and whether one has all of the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.patterns.meeting import meet
from searchaccess.core.patterns.namesets import has_all_of
from searchaccess.core.patterns.parsed import matches, parse_index_pattern

THOUSANDS = tuple(f"orders-{number}" for number in range(2000))
MEETINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...], bool, bool]] = {
    # one, other, whether they meet, whether one has all of other
    "the same": (("a",), ("a",), True, True),
    "others": (("a",), ("b",), False, False),
    "a prefix and a name": (("orders-*",), ("orders-1",), True, True),
    "a prefix and its beginning": (("orders-*",), ("orders",), False, False),
    "a prefix and a longer one": (("orders-*",), ("orders-eu-*",), True, True),
    "a prefix and a shorter one": (("orders-eu-*",), ("orders-*",), True, False),
    "all": (("*",), ("a", "b-*", "/c/"), True, True),
    "a wildcard inside": (("orders-*-eu",), ("orders-1-*",), True, False),
    "wildcards that cannot meet": (("*-eu",), ("*-us",), False, False),
    "a regular expression": (("/orders-[0-9]+/",), ("orders-7",), True, True),
    "together": (("a-*", "b"), ("a-1", "b"), True, True),
    "any character": (("a?",), ("a",), False, False),
    "the mark": (("/NO-INDEX 0123456789abcdef/",), ("/NO-INDEX 0123456789abcdef/",), False, True),
    "its former spelling": (("NO-INDEX#0123456789abcdef",), ("NO-INDEX#0123456789abcdef",), False, True),
    "a pattern like the mark": (("/NO-INDEX x|.*/",), ("orders",), True, True),
    "a data stream and its backing indices": (("logs-app",), (".ds-logs-*",), True, False),
    "a data stream and those of another": (("logs-app",), (".ds-metrics-*",), False, False),
    "thousands of names": (THOUSANDS, ("shop-*",), False, False),
    "thousands of names, one of them": (THOUSANDS, ("orders-1999",), True, True),
    "too complicated": (("/(.*a.{20})/",), ("/(.*b.{19})/",), True, False),
}


@pytest.mark.parametrize(("one", "other", "met", "all_of"), MEETINGS.values(), ids=MEETINGS)
def test_meetings(one: tuple[str, ...], other: tuple[str, ...], *, met: bool, all_of: bool) -> None:
    assert meet(one, other) == meet(other, one) == met
    assert has_all_of(one, other) == all_of


patterns = st.lists(st.text("ab*?", min_size=1, max_size=4), min_size=1, max_size=3).map(tuple)
WORDS = ["", *(left + right for left in ("", "a", "b", "aa", "ab", "ba", "bb") for right in ("a", "b", "ab", "bba"))]


@given(patterns, patterns)
def test_it_is_as_the_names_say(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    def those(names: tuple[str, ...]) -> set[str]:
        return {word for word in WORDS for name in names if matches(parse_index_pattern(name), word)}

    if those(one) & those(other):
        assert meet(one, other)
    if those(other) - those(one):
        assert not has_all_of(one, other)
    if not meet(one, other):
        assert not has_all_of(one, other)
