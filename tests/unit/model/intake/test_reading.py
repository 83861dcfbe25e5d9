"""Reading values from outside: nothing raises, whatever it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.model.intake.reading import (
    DEPTH,
    LARGEST,
    UNREADABLE,
    digits,
    is_label,
    is_name,
    is_uid,
    mapping,
    objects,
    readable,
    readable_list,
    shortened,
    text,
    texts,
    whole_number,
    within,
)
from tests.unit.adapters.anything import VALUES, nested


@given(VALUES)
def test_no_reader_raises_and_each_gives_what_it_says(value: Any) -> None:
    assert isinstance(mapping(value), dict)
    assert all(isinstance(item, dict) for item in objects(value) + readable_list(value))
    assert all(item.encode() is not None for item in texts(value))
    assert text(value) is None or text(value) == value
    assert (whole_number(value) or 0) <= LARGEST
    assert (digits(value) or 0) <= LARGEST
    for says in (is_label, is_name, is_uid):
        assert says(value) in {True, False}
        assert not says(value) or "/" not in value
    assert all(isinstance(item, dict) for item in readable(mapping(value)).values())


@given(st.integers(min_value=0, max_value=12), st.integers(min_value=0, max_value=12), st.booleans())
def test_levels_are_counted(levels: int, allowed: int, lists: bool) -> None:  # noqa: FBT001 - drawn
    assert within(nested(levels, lists=lists), allowed) == (levels <= allowed)
    assert within({"x": 1, "y": [nested(levels), 2]}, allowed) == (levels + 2 <= allowed)


@pytest.mark.parametrize("levels", [DEPTH + 1, 970, 5000, 200_000])
def test_what_is_too_deep_costs_itself_alone(levels: int) -> None:
    good: dict[str, Any] = {"metadata": {"a": 1}}
    bad: dict[str, Any] = {"metadata": nested(levels)}
    assert readable({"good": good, "bad": bad}) == {"good": good, "bad": UNREADABLE}
    assert readable_list([bad, good]) == [good]
    _take_apart(bad)


def _take_apart(value: Any) -> None:
    """Free it level by level: Python itself would do it by recursion."""
    while isinstance(value, dict) and value:
        value = value.popitem()[1]


@pytest.mark.parametrize("item", [3, None, [], "x", {"metadata": []}, {"metadata": "x"}], ids=repr)
def test_what_is_no_object_costs_itself_alone(item: Any) -> None:
    good: dict[str, Any] = {"metadata": None}
    assert readable({"good": good, "bad": item}) == {"good": good, "bad": UNREADABLE}
    assert readable_list([item, good]) == [good]


@pytest.mark.parametrize(
    ("value", "number"),
    [("0", 0), ("007", 7), (str(LARGEST), LARGEST), (str(LARGEST + 1), None), ("9" * 19, None), ("9" * 4301, None)]
    + [(odd, None) for odd in ("", "-1", "+1", "1.0", " 1", "٣", "x", 7, None, True)],
)
def test_digits(value: Any, number: int | None) -> None:
    assert digits(value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), (LARGEST, LARGEST), (LARGEST + 1, None), (-1, None), (True, None), (1.0, None), ("1", None), (None, None)],
)
def test_whole_numbers(value: Any, number: int | None) -> None:
    assert whole_number(value) == number


def test_the_next_number_after_any_that_is_read_can_be_written() -> None:
    assert json.loads(json.dumps(float(LARGEST + 1))) == LARGEST + 1, "JavaScript keeps it"
    assert LARGEST + 1 < 2**63


@pytest.mark.parametrize(
    ("value", "name", "label"),
    [("shop", True, True), ("a", True, True), ("a.b-c.d", True, False), ("a" * 63, True, True), ("a" * 64, True, False)]
    + [("a" * 254, False, False)]
    + [
        (odd, False, False)
        for odd in ("", ".", "..", "a..b", "../x", "a/b", "A", "-a", "a-", "a\n", "ä", "a b", 3, None)
    ],
)
def test_names(value: Any, *, name: bool, label: bool) -> None:
    assert (is_name(value), is_label(value)) == (name, label)


def test_a_long_text_is_cut() -> None:
    assert shortened("x" * 2000) == "x" * 999 + "…"
    assert shortened("short") == "short"
    assert shortened("\ud800") == "?"
