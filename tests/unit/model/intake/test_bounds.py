"""What is too much is named without being walked recursively."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.metadata import bounded_text, metadata_of, version_of
from searchaccess.core.model.intake.reading import within
from searchaccess.core.model.restrictions.where import MOST_BYTES, QUERY_DEPTH, where_problem
from tests.support.failures.odd import depth_of, json_values, nested

LIMITS: dict[str, Any] = {"depth": 3, "nodes": 10, "digits": 5, "text": 20}
HUGE = 10**5000

TOO_MUCH: dict[str, tuple[Any, str]] = {
    "four objects": ({"a": {"a": {"a": {}}}}, "nested more than 3 levels deep"),
    "four lists": ([[[[]]]], "nested more than 3 levels deep"),
    "a million levels": (nested(1_000_000, lambda inner: [inner]), "nested more than 3 levels deep"),
    "many values": (list(range(10)), "more than 10 values"),
    "many keys": ({str(key): key for key in range(5)}, "more than 10 values"),
    "a long number": (123456, "a number of more than 5 digits"),
    "a long negative number": ([-123456], "a number of more than 5 digits"),
    "a number that cannot be written": (HUGE, "a number of more than 5 digits"),
    "not a number": (float("nan"), "a number that is not finite"),
    "an infinite number": ({"a": float("-inf")}, "a number that is not finite"),
    "half a character": (["\ud800"], "a text with half a character (a lone surrogate)"),
    "half a character in a key": ({"\udfff": 1}, "a text with half a character (a lone surrogate)"),
    "long texts": (["a" * 11, "b" * 10], "texts of more than 20 characters"),
    "something of YAML's": ([b"x"], "a value that JSON does not have (bytes)"),
}


@pytest.mark.parametrize(("value", "says"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_too_much_is_named(value: Any, says: str) -> None:
    assert excess(value, **LIMITS) == says


@pytest.mark.parametrize("value", [None, True, 1.5, 99999, "a" * 20, [[[]]], {"a": [{}]}, list(range(9)), "größe"])
def test_what_is_within_bounds_is_taken(value: Any) -> None:
    assert excess(value, **LIMITS) == ""


def test_lists_can_be_left_out_of_the_levels() -> None:
    value = nested(3, lambda inner: {"must": [inner]})
    assert excess(value, depth=3, nodes=100, lists=False) == ""
    assert excess(value, depth=2, nodes=100, lists=False) == "nested more than 2 levels deep"
    assert excess(value, depth=6, nodes=100) == ""
    assert excess(value, depth=5, nodes=100) == "nested more than 5 levels deep"


@given(json_values)
def test_the_depth_is_the_least_that_is_within_bounds(value: Any) -> None:
    depth = depth_of(value)
    assert excess(value, depth=depth, nodes=10_000) == ""
    assert within(value, depth)
    if depth:
        assert not within(value, depth - 1)
        assert excess(value, depth=depth - 1, nodes=10_000) == f"nested more than {depth - 1} levels deep"


# Queries


def queries(count: int) -> dict[str, Any]:
    """Return queries within each other."""
    innermost = {"term": {"region": {"value": "eu"}}}
    return dict(nested(count - 1, lambda inner: {"bool": {"must": [inner]}}, innermost))


@pytest.mark.parametrize("count", [1, 21, QUERY_DEPTH])
def test_as_many_queries_within_each_other_as_elasticsearch_takes_are_taken(count: int) -> None:
    assert where_problem(queries(count)) == ""


@pytest.mark.parametrize("count", [QUERY_DEPTH + 1, 170, 480, 1500, 100_000])
def test_more_queries_within_each_other_are_refused_with_the_limit(count: int) -> None:
    says = where_problem(queries(count))
    assert says.startswith("nested more than 61 levels deep (objects; lists do not count)")
    assert says.endswith("Elasticsearch accepts at most 30 nested queries")


def test_lists_within_each_other_are_refused_too() -> None:
    assert where_problem({"term": nested(500, lambda inner: [inner])}).startswith("nested more than 122 levels")


def test_a_query_is_at_most_as_long_as_elasticsearch_can_keep() -> None:
    longest = {"term": {"a": "x" * (MOST_BYTES - len('{"term":{"a":""}}'))}}
    assert len(json.dumps(longest, separators=(",", ":"))) == MOST_BYTES
    assert where_problem(longest) == ""
    assert where_problem({"term": {"a": longest["term"]["a"] + "x"}}) == (
        "32767 bytes as JSON: Elasticsearch accepts at most 32766 bytes as JSON"
    )
    limit = "Elasticsearch accepts at most 32766 bytes as JSON"
    assert where_problem({"term": {"a": "x" * 1_000_000}}) == f"texts of more than 32766 characters: {limit}"
    assert where_problem({"terms": {"a": [0] * 1_000_000}}) == f"more than 32766 values: {limit}"


@given(st.dictionaries(st.text(max_size=3), json_values, min_size=1, max_size=1))
def test_any_query_can_be_asked_about(where: dict[str, Any]) -> None:
    where_problem(where)


# Metadata


@given(json_values)
def test_any_metadata_can_be_read(value: Any) -> None:
    meta = metadata_of({"metadata": value})
    assert meta == metadata_of({"metadata": value})
    assert metadata_of(value).annotation("x") == ""


def test_a_long_annotation_is_cut_and_another_one_is_still_another_one() -> None:
    def read(value: object) -> str:
        return metadata_of({"metadata": {"annotations": {"x": value}}}).annotation("x")

    assert read("a" * 128) == "a" * 128
    assert len(read("a" * 250_000)) == 128
    assert read("a" * 250_000) == read("a" * 250_000) != read("a" * 250_001)
    assert read("\ud800" * 300).startswith("\ud800")
    assert read(7) == ""


def test_a_text_is_cut_to_its_limit() -> None:
    assert bounded_text("abc", 3) == "abc"
    assert len(bounded_text("a" * 100, 30)) == 30


@pytest.mark.parametrize(("text", "number"), [("17", 17), ("", 0), ("x", 0), ("9" * 4301, 0), ("²", 0)])
def test_a_resource_version_that_is_no_number_is_none(text: str, number: int) -> None:
    assert version_of(text) == number
