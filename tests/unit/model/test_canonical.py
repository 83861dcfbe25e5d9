"""The canonical form: one shape for what is written and for what is read."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import (
    Entry,
    RoleBody,
    canonical_json,
    canonical_query,
    entry_from_json,
    mapping_from_json,
    plain_json,
    role_from_json,
)
from tests.unit import strategies
from tests.unit.builders import an_entry
from tests.unit.world import as_served


@given(strategies.raw_roles())
def test_canonicalising_twice_equals_once(raw: dict[str, Any]) -> None:
    once = role_from_json(raw)
    assert role_from_json(once.to_json()) == once


@given(strategies.raw_roles())
def test_what_the_server_adds_and_drops_makes_no_difference(raw: dict[str, Any]) -> None:
    assert role_from_json(as_served(raw)) == role_from_json(raw)


@given(strategies.accesses())
def test_declared_rights_read_back_as_they_were_written(access: Access) -> None:
    for entry in access.share.entries:
        (found,) = role_from_json(as_served(RoleBody(entries=(entry,)).to_json())).entries
        assert found == entry
        assert found.hash == entry.hash


@given(strategies.entries, strategies.entries)
def test_entries_of_one_hash_are_equal(one: Any, another: Any) -> None:
    assert (one.hash == another.hash) == (one == another)


@given(strategies.entries)
@example(entry_from_json({"names": ["a"], "future": {"of": [1.0, 1e300, 0.5, True], "half": "\ud800"}}))
def test_an_entry_needs_no_other_form_to_be_hashed(entry: Entry) -> None:
    assert plain_json(entry.to_json()) == canonical_json(entry.to_json())


@given(st.text() | strategies.values)
def test_any_query_has_one_form_that_can_be_sent(query: Any) -> None:
    text = canonical_query(query)
    assert canonical_query(text) == text
    text.encode()


EQUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing and the server's defaults": (
        {},
        {"cluster": [], "indices": [], "applications": [], "run_as": [], "metadata": {}, "transient_metadata": {}},
    ),
    "an empty description and none": ({"description": ""}, {}),
    "cluster privileges in another order": ({"cluster": ["a", "b"]}, {"cluster": ["b", "a", "a"]}),
}
EQUAL_ENTRIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "names in another order and twice": (an_entry("a", "b"), an_entry("b", "a", "a")),
    "one name without a list": (an_entry("a"), an_entry("a") | {"names": "a"}),
    "privileges in another order": (an_entry("a", privileges=["x", "y"]), an_entry("a", privileges=["y", "x"])),
    "unrestricted and the default": (an_entry("a"), an_entry("a", allow_restricted_indices=False)),
    "all fields and no field security": (an_entry("a"), an_entry("a", field_security={"grant": ["*"], "except": []})),
    "a query as an object and as text": (
        an_entry("a", query={"term": {"b": 1}}),
        an_entry("a", query='{ "term" : {"b":1} }'),
    ),
    "keys of a query in another order": (an_entry("a", query={"x": 1, "y": 2}), an_entry("a", query={"y": 2, "x": 1})),
    "an empty query and none": (an_entry("a", query=""), an_entry("a")),
    "whole numbers, however they are written": (an_entry("a", query={"x": 1}), an_entry("a", query={"x": 1.0})),
}
EQUAL |= {name: ({"indices": [one]}, {"indices": [other]}) for name, (one, other) in EQUAL_ENTRIES.items()}

DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "names": (an_entry("a"), an_entry("b")),
    "privileges": (an_entry("a"), an_entry("a", privileges=["read", "write"])),
    "no field at all and all fields": (an_entry("a", field_security={"grant": []}), an_entry("a")),
    "an excluded field": (an_entry("a", field_security={"grant": ["*"], "except": ["b"]}), an_entry("a")),
    "restricted indices": (an_entry("a", allow_restricted_indices=True), an_entry("a")),
    "a query that is no JSON": (an_entry("a", query="{{x}}"), an_entry("a")),
    "true and one": (an_entry("a", query={"x": True}), an_entry("a", query={"x": 1})),
    "the order of a list in a query": (an_entry("a", query={"x": [1, 2]}), an_entry("a", query={"x": [2, 1]})),
    "a key that nobody knows yet": (an_entry("a", future=False), an_entry("a")),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_these_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert role_from_json(one) == role_from_json(other)
    assert role_from_json(one).hash == role_from_json(other).hash


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_these_are_not_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert entry_from_json(one).hash != entry_from_json(other).hash


def test_half_a_character_in_a_query_can_be_hashed() -> None:
    entry = entry_from_json(an_entry("a", query='{"term":{"a":"\\ud800"}}'))
    assert entry.hash
    assert json.loads(entry.query) == {"term": {"a": "\ud800"}}


def test_a_query_nested_too_deep_stands_as_it_is() -> None:
    query = '{"a":' * 5000 + "1" + "}" * 5000
    assert canonical_query(query) == query


def test_canonical_json_is_readable() -> None:
    assert canonical_json({"b": "ü", "a": (1, 2.0)}) == '{"a":[1,2],"b":"ü"}'


MAPPINGS: dict[str, dict[str, Any]] = {
    "as sent": {"template": {"source": "x.{{username}}"}, "format": "string"},
    "as JSON text": {"template": '{"source":"x.{{username}}"}', "format": "string"},
    "without format": {"template": {"source": "x.{{username}}"}},
    "as plain text": {"template": "x.{{username}}"},
}


@pytest.mark.parametrize("template", MAPPINGS.values(), ids=MAPPINGS)
def test_templates_are_the_same_in_all_forms(template: dict[str, Any]) -> None:
    body = {"enabled": True, "rules": {"field": {"username": "*"}}, "role_templates": [template], "metadata": {}}
    mapping = mapping_from_json(body)
    assert json.loads(mapping.templates) == [{"format": "string", "template": {"source": "x.{{username}}"}}]
    assert mapping_from_json(mapping.to_json()) == mapping
