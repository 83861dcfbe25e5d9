"""The mark in both spellings: what is one, and how one spelling becomes the other."""

import pytest

from searchaccess.core.patterns.cost.burden import is_too_much
from searchaccess.core.patterns.marks import (
    DELEGATED,
    as_recorded,
    is_former,
    is_mark,
    mark_for,
    renewed,
    without_marks,
)
from searchaccess.core.patterns.parsed import PatternError, check_index_pattern, matches, parse_index_pattern

RESTRICTION = "0123456789abcdef"
MARK = mark_for(RESTRICTION)
FORMER = f"NO-INDEX#{RESTRICTION}"
OTHERS = [
    "orders-*", "NO-INDEX#", "NO-INDEX#0123", f"NO-INDEX#{RESTRICTION}0", f"x{FORMER}", "/NO-INDEX .*/", DELEGATED,
    f"/NO-INDEX {RESTRICTION}|.*/", f"/NO-INDEX {RESTRICTION}", f"/no-index {RESTRICTION}/", f"{MARK}\n",
    "/NO-INDEX 0123456789ABCDEF/",
]  # fmt: skip


def test_both_spellings_are_marks_and_each_becomes_the_other() -> None:
    assert is_mark(MARK)
    assert is_mark(FORMER)
    assert (is_former(FORMER), is_former(MARK)) == (True, False)
    assert (renewed(FORMER), renewed(MARK)) == (MARK, MARK)
    assert (as_recorded(MARK), as_recorded(FORMER)) == (FORMER, FORMER)


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_is_a_little_different_is_no_mark(name: str) -> None:
    assert not is_mark(name)
    assert renewed(name) == as_recorded(name) == name


def test_as_a_pattern_it_matches_no_name_that_an_index_may_have() -> None:
    pattern = parse_index_pattern(MARK)
    assert matches(pattern, f"NO-INDEX {RESTRICTION}"), "a space, which no name may have"
    assert not matches(pattern, f"no-index {RESTRICTION}")
    assert matches(parse_index_pattern(DELEGATED), f"NO-INDEX {RESTRICTION}")


@pytest.mark.parametrize("name", [MARK, FORMER])
def test_nobody_declares_one_for_with_it_a_grant_would_be_merged_with_a_restricted_one(name: str) -> None:
    with pytest.raises(PatternError):
        check_index_pattern(name)


def test_thousands_are_no_more_of_a_burden_than_names() -> None:
    marks = [mark_for(f"{number:016x}") for number in range(4_000)]
    assert not is_too_much([*marks, "*-orders-*", "/orders-[0-9]+/"])
    assert is_too_much([f"{name[1:-1]}-{number}" for number in range(2) for name in marks])


def test_a_text_is_shown_without_either() -> None:
    assert without_marks(f"names [{MARK},{FORMER},orders-*] of the role") == "names [orders-*] of the role"
