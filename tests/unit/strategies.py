"""Hypothesis strategies for what people declare and what Elasticsearch may hold."""

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry, RoleBody, entry_from_json
from searchaccess.core.model.restrictions.where import where_problem
from tests.unit.builders import an_access

index_names = st.sampled_from(["orders", "orders-*", "orders-audit", "logs-?", "a*", "/orders-[0-9]+/", "kibana_x"])
field_names = st.sampled_from(["*", "customer.*", "customer.ssn", "amount", "region"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=4)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
queries = st.dictionaries(st.sampled_from(["term", "terms", "bool", "match_all"]), values, min_size=1, max_size=1)
wheres = queries.filter(lambda query: not where_problem(query))
actions = st.lists(st.sampled_from([action.value for action in Action]), min_size=1, max_size=6, unique=True)
remote_clusters = st.lists(st.sampled_from(["eu", "e*", "us-west"]), min_size=1, max_size=2, unique=True)
cluster_actions = st.lists(st.sampled_from(DECLARABLE_ON_CLUSTER), max_size=3, unique=True)
privileges = st.lists(
    st.sampled_from(sorted({name for action in Action for name in action.privileges} | {"all"})),
    min_size=1,
    max_size=4,
    unique=True,
)


@st.composite
def field_rules(draw: st.DrawFn) -> dict[str, Any]:
    """Field-level security, as people declare it."""
    rules: dict[str, Any] = {"include": draw(st.lists(field_names, min_size=1, max_size=3))}
    if draw(st.booleans()):
        rules["exclude"] = draw(st.lists(field_names, min_size=1, max_size=2))
    return rules


@st.composite
def grants(draw: st.DrawFn, names: st.SearchStrategy[str] = index_names) -> dict[str, Any]:
    """One grant, as people declare it."""
    grant: dict[str, Any] = {
        "indices": draw(st.lists(names, min_size=1, max_size=3)),
        "can": draw(actions),
    }
    if draw(st.booleans()) and "read" in grant["can"]:
        grant["fields"] = draw(field_rules())
    if draw(st.booleans()) and "read" in grant["can"]:
        grant["where"] = draw(wheres)
    if grant["can"] == ["read"] and draw(st.booleans()):
        grant |= {"remoteClusters": draw(remote_clusters), "where": {"term": {"region": "eu"}}}
    return grant


grant_lists = st.lists(grants(), min_size=1, max_size=3)


@st.composite
def accesses(draw: st.DrawFn, name: str = "orders") -> Access:
    """A valid SearchAccess."""
    access = an_access(name, grants=draw(grant_lists), clusterCan=draw(cluster_actions))
    assert not access.invalid, access.invalid
    assume(not access.widens)
    return access


@st.composite
def raw_entries(draw: st.DrawFn) -> dict[str, Any]:
    """One entry of a role, in any of the ways in which somebody may have written it."""
    entry: dict[str, Any] = {
        "names": draw(st.lists(index_names, min_size=1, max_size=3)),
        "privileges": draw(privileges),
    }
    if draw(st.booleans()):
        entry["field_security"] = {"grant": draw(st.lists(field_names, max_size=3))}
        if draw(st.booleans()):
            entry["field_security"]["except"] = draw(st.lists(field_names, max_size=2))
    query = draw(st.none() | queries | st.just("") | st.text(max_size=5) | queries.map(str))
    if query is not None:
        entry["query"] = query
    if draw(st.booleans()):
        entry["allow_restricted_indices"] = draw(st.booleans())
    if draw(st.booleans()):
        entry["future"] = draw(values)
    return entry


@st.composite
def raw_roles(draw: st.DrawFn) -> dict[str, Any]:
    """A role, in any of the ways in which somebody may have written it."""
    role: dict[str, Any] = {"indices": draw(st.lists(raw_entries(), max_size=4))}
    if draw(st.booleans()):
        role["cluster"] = draw(st.lists(st.sampled_from(["monitor", "all", "read_ilm"]), max_size=3))
    if draw(st.booleans()):
        remote = st.builds(lambda entry, found: entry | {"clusters": found}, raw_entries(), remote_clusters)
        role["remote_indices"] = draw(st.lists(remote, max_size=2))
    if draw(st.booleans()):
        role["run_as"] = draw(st.lists(st.sampled_from(["kibana", "elastic"]), max_size=2))
    if draw(st.booleans()):
        role["description"] = draw(st.text(max_size=10))
    if draw(st.booleans()):
        role["applications"] = draw(st.lists(st.just({"application": "kibana", "privileges": ["all"]}), max_size=1))
    return role


bodies: st.SearchStrategy[RoleBody] = st.builds(
    RoleBody,
    cluster=cluster_actions.map(lambda found: tuple(sorted(found))),
    entries=st.lists(raw_entries().map(entry_from_json), max_size=4).map(tuple),
)
entries: st.SearchStrategy[Entry] = raw_entries().map(entry_from_json)
