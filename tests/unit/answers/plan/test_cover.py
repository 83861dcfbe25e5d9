"""What is newly allowed, and what is no longer."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from searchaccess.core.answers.plan.cover import Effort, _Known, gains
from searchaccess.core.answers.plan.documents import shows_all_of
from searchaccess.core.answers.plan.implied import implies, implies_on_cluster
from searchaccess.core.answers.plan.model import Kind, in_words
from searchaccess.core.answers.plan.roles import Caller, change_of
from searchaccess.core.model.canonical import Entry, RoleBody, canonical_json
from tests.support.indexpatterns.families import families
from tests.support.runs.effort import examples, many
from tests.unit.answers.plan.oracle import CLOSURE, widens

_INCLUDES = [("*",), ("amount",), ("customer.*",), ("amount", "customer.ssn"), ("amount", "customer.*", "region")]
_EXCLUDES = [(), ("customer.ssn",), ("customer.ssn", "customer.ssn.*"), ("region",)]
_QUERIES = ["", canonical_json({"term": {"region": "eu"}}), canonical_json({"term": {"kind": "a"}})]
_FAMILIES = families(24)


def an_entry(*names: str, can: tuple[str, ...] = ("read",), query: str = "", **more: Any) -> Entry:
    return Entry(tuple(sorted(names)), tuple(sorted(can)), query=query, **more)


def a_role(*entries: Entry, cluster: tuple[str, ...] = ()) -> RoleBody:
    return RoleBody(cluster, entries)


@st.composite
def roles(draw: st.DrawFn, family: list[str]) -> RoleBody:
    entries = draw(
        st.lists(
            st.builds(
                Entry,
                names=st.lists(st.sampled_from(family), min_size=1, max_size=3, unique=True).map(tuple),
                privileges=st.lists(st.sampled_from(sorted(CLOSURE)), min_size=1, max_size=2, unique=True).map(tuple),
                include=st.sampled_from(_INCLUDES),
                exclude=st.sampled_from(_EXCLUDES),
                query=st.sampled_from(_QUERIES),
            ),
            max_size=3,
        )
    )
    return a_role(*entries)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[RoleBody, RoleBody]:
    """Two roles on similar indices; often the one has most of the other."""
    family = draw(st.sampled_from(_FAMILIES))
    one, other = draw(roles(family)), draw(roles(family))
    if draw(st.booleans()):
        other = a_role(*one.entries[1:], *other.entries)
    return one, other


@given(pairs())
@settings(max_examples=examples(400))
def test_a_plan_says_that_rights_widen_exactly_if_something_is_newly_allowed(pair: tuple[RoleBody, RoleBody]) -> None:
    after, before = pair
    found = gains(after, before)
    expected = widens(after.entries, before.entries)
    event(f"widens: {expected}")
    if all(gain.certain for gain in found):
        assert bool(found) is expected, (found, expected)
    else:
        assert found, "what could not be compared counts as new"


@given(pairs())
@settings(max_examples=examples(200))
def test_what_is_opened_in_the_one_direction_is_closed_in_the_other(pair: tuple[RoleBody, RoleBody]) -> None:
    one, other = pair
    there = change_of(Caller("prod", "a"), one, other, (), Effort())
    back = change_of(Caller("prod", "a"), other, one, (), Effort())
    assert (there is None) is (back is None)
    if there and back:
        assert (there.gains, there.losses) == (back.losses, back.gains)


def test_no_steps_left_counts_everything_as_new() -> None:
    role = a_role(an_entry("orders-*"))
    assert gains(role, role) == ()
    found = gains(role, role, Effort(0))
    assert [gain.certain for gain in found] == [False]


REGION = canonical_json({"term": {"region": "eu"}})
CHANGES = [
    ("a wider pattern", an_entry("orders-*"), an_entry("orders-1*"), Kind.WIDENED, "read on orders-*, such as orders-"),
    ("a narrower pattern", an_entry("orders-1*"), an_entry("orders-*"), Kind.NARROWED, ""),
    ("two patterns for one", an_entry("orders-*"), an_entry("orders-*", "orders-1"), Kind.SAME, ""),
    ("where is dropped", an_entry("a"), an_entry("a", query=REGION), Kind.WIDENED, "read on a, more documents than"),
    ("where is added", an_entry("a", query=REGION), an_entry("a"), Kind.NARROWED, ""),
    ("a field more", an_entry("a", include=("b", "c")), an_entry("a", include=("b",)), Kind.WIDENED, "more fields"),
    ("a field is hidden", an_entry("a", exclude=("b",)), an_entry("a"), Kind.NARROWED, ""),
    ("one more action", an_entry("a", can=("delete", "read")), an_entry("a"), Kind.WIDENED, "delete on a"),
    ("a part of an action", an_entry("a", can=("monitor",)), an_entry("a", can=("manage",)), Kind.NARROWED, ""),
    ("other indices", an_entry("b"), an_entry("a"), Kind.MIXED, "read on b"),
    ("restricted indices", an_entry("a", restricted=True), an_entry("a"), Kind.WIDENED, "read on a"),
    ("a remote cluster", an_entry("a", clusters=("eu",)), an_entry("a"), Kind.MIXED, "read on eu:a"),
    ("more remote clusters", an_entry("a", clusters=("e*",)), an_entry("a", clusters=("eu",)), Kind.WIDENED, "e*:a"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("after", "before", "kind", "says"), [each[1:] for each in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_a_change_is_named(after: Entry, before: Entry, kind: Kind, says: str) -> None:
    change = change_of(Caller("prod", "orders"), a_role(before), a_role(after), ("shop/orders",), Effort())
    assert change is not None
    assert change.kind is kind
    assert says in "; ".join(map(in_words, change.gains))
    assert bool(change.gains) is kind.opens


def test_where_beside_write_narrows_although_its_privileges_have_other_names() -> None:
    before = an_entry("a", can=("create", "index", "read", "view_index_metadata"))
    after = an_entry(
        "a",
        can=(
            "indices:admin/mapping/auto_put", "indices:data/write/bulk*", "indices:data/write/index*",
            "indices:data/write/simulate/bulk*", "read", "view_index_metadata",
        ),
        query=REGION,
    )  # fmt: skip
    change = change_of(Caller("prod", "orders"), a_role(before), a_role(after), (), Effort())
    assert change is not None
    assert change.kind is Kind.NARROWED
    back = change_of(Caller("prod", "orders"), a_role(after), a_role(before), (), Effort())
    assert back is not None
    assert back.kind is Kind.WIDENED


def test_two_grants_together_cover_one() -> None:
    both = a_role(an_entry("/orders-[0-4].*/"), an_entry("/orders-[5-9].*/"))
    assert gains(a_role(an_entry("/orders-[0-9].*/")), both) == ()
    fields = a_role(an_entry("a", include=("b", "c")), an_entry("a", include=("d",)))
    assert gains(a_role(an_entry("a", include=("c", "d"))), fields) == ()
    assert gains(a_role(an_entry("a", include=("c", "e"))), fields) != ()


def test_privileges_on_the_cluster_are_compared_with_what_they_include() -> None:
    assert gains(a_role(cluster=("monitor_ml",)), a_role(cluster=("monitor",))) == ()
    assert [in_words(each) for each in gains(a_role(cluster=("monitor",)), a_role())] == [
        "monitor on the whole cluster"
    ]
    assert implies_on_cluster("all", "read_ilm")


def test_an_entry_without_a_limit_that_is_not_known_is_more() -> None:
    limited = an_entry("orders-*", other=canonical_json({"surprise": True}))
    assert gains(a_role(an_entry("orders-*")), a_role(limited))
    assert gains(a_role(limited), a_role(an_entry("orders-*")))
    assert gains(a_role(limited), a_role(limited)) == ()


def test_what_is_not_declared_counts_as_new() -> None:
    found = gains(RoleBody(other=canonical_json({"run_as": ["kibana"]})), RoleBody())
    assert [each.certain for each in found] == [False]
    assert gains(RoleBody(), RoleBody(other="{}")) == ()


def test_rights_in_kibana_are_compared_by_their_names() -> None:
    before = Entry(("space:orders",), ("feature_discover.read",), application="kibana-.kibana")
    after = Entry(("space:orders",), ("feature_discover.all", "feature_discover.read"), application="kibana-.kibana")
    [found] = gains(a_role(after), a_role(before))
    assert found.can == ("feature_discover.all",)
    assert gains(a_role(before), a_role(after)) == ()


def test_actions_are_compared_as_patterns() -> None:
    assert implies("indices:data/read/*", "indices:data/read/search")
    assert not implies("indices:data/read/search", "indices:data/read/*")
    assert not implies("read", "indices:data/read/unheard-of")


NARROWER = [
    ({"term": {"a": 1}}, {"term": {"a": {"value": 1}}}),
    ({"term": {"a": 1}}, {"terms": {"a": [1, 2]}}),
    ({"terms": {"a": [2, 1]}}, {"terms": {"a": [3, 2, 1]}}),
    ({"bool": {"filter": [{"term": {"a": 1}}, {"term": {"b": 2}}]}}, {"term": {"b": 2}}),
    ({"bool": {"must": {"term": {"a": 1}}, "must_not": [{"term": {"b": 2}}]}}, {"terms": {"a": [1, 5]}}),
    ({"bool": {"filter": [{"term": {"a": 1}}, {"term": {"b": 2}}, {"term": {"c": 3}}]}},
     {"bool": {"filter": [{"term": {"c": 3}}, {"term": {"a": 1}}]}}),
    ({"term": {"a": 1}}, {"bool": {"should": [{"term": {"b": 2}}, {"term": {"a": 1}}]}}),
    ({"term": {"a": 1}}, {"match_all": {}}),
]  # fmt: skip
NOT_NARROWER = [
    ({"terms": {"a": [1, 2]}}, {"term": {"a": 1}}),
    ({"term": {"a": 1}}, {"term": {"b": 1}}),
    ({"term": {"a": 1}}, {"term": {"a": "1"}}),
    ({"term": {"a": {"value": "X"}}}, {"term": {"a": {"value": "x", "case_insensitive": False}}}),
    ({"term": {"a": {"value": "x", "case_insensitive": True}}}, {"term": {"a": "x"}}),
    ({"bool": {"should": [{"term": {"a": 1}}]}}, {"term": {"a": 2}}),
    ({"bool": {"should": [{"term": {"a": 1}}, {"term": {"b": 1}}]}}, {"term": {"a": 1}}),
    ({"bool": {"must_not": [{"term": {"a": 1}}]}}, {"term": {"a": 1}}),
    ({"term": {"a": 1}}, {"bool": {"filter": [{"term": {"a": 1}}], "must_not": [{"term": {"b": 1}}]}}),
    ({"term": {"a": 1}}, {"bool": {"should": [{"term": {"a": 1}}, {"term": {"b": 1}}], "minimum_should_match": 2}}),
    ({"terms": {"a": {"index": "x", "id": "1", "path": "y"}}}, {"terms": {"a": [1]}}),
    ({"match_all": {}}, {"term": {"a": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(("narrow", "wide"), NARROWER)
def test_a_query_is_within_another_by_its_form(narrow: object, wide: object) -> None:
    assert shows_all_of(canonical_json(wide), canonical_json(narrow))


@pytest.mark.parametrize(("narrow", "wide"), NOT_NARROWER)
def test_a_query_that_may_match_more_is_not(narrow: object, wide: object) -> None:
    assert not shows_all_of(canonical_json(wide), canonical_json(narrow))


def test_what_is_no_json_is_only_within_itself() -> None:
    assert shows_all_of("{{x}}", "{{x}}")
    assert not shows_all_of("{{x}}", json.dumps({"term": {"a": 1}}))
    assert not shows_all_of("{{x}}", "")


def test_only_entries_near_a_pattern_are_compared_with_it() -> None:
    entries = [an_entry(f"t{number}-*", f"x{number}-*") for number in range(many(2_000))]
    known = _Known([*entries, an_entry("t1-a", "other"), an_entry("/.*z/")])
    assert sorted(name for entry in known.near("t1-*") for name in entry.indices) == ["/.*z/", "t1-*", "t1-a"]
    changed = a_role(*(an_entry(*entry.names, can=("delete", "read")) for entry in entries))
    effort = Effort()
    assert len(gains(changed, a_role(*entries), effort)) == 2 * len(entries)
    assert effort.steps > 0
