"""Whether several reading grants are exactly their union: the rule, held against a small world of documents."""

from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.union import (
    MOST_STEPS,
    Fields,
    Together,
    allows_fields,
    conflict_within,
    matters,
    reads,
)
from searchaccess.core.patterns.parsed import matches, parse_index_pattern
from tests.support.runs.effort import examples

ALL = ("*",)
DOCUMENTS: dict[str, frozenset[int]] = {
    "": frozenset(range(4)),
    "eu": frozenset({0, 1}),
    "us": frozenset({2}),
    "open": frozenset({0, 2}),
}
"""Which documents a query matches."""
NAMES = ["a", "ab", "b", "ba", "bb"]
INDICES = [*NAMES, *(f".ds-{name}-2026.11.28-000001" for name in NAMES)]
FIELD_NAMES = [
    "".join(letters) for length in range(1, 5) for letters in product("ab._", repeat=length) if letters[0] != "."
]


def entry(
    *names: str,
    query: str = "",
    include: tuple[str, ...] = ALL,
    exclude: tuple[str, ...] = (),
    privileges: tuple[str, ...] = ("read",),
) -> Entry:
    return Entry(names or ("orders",), privileges, include, exclude, query)


def conflicts(*entries: Entry) -> bool:
    return conflict_within(entries, map(str, range(len(entries)))) is not None


EU: dict[str, Any] = {"query": "eu"}
US: dict[str, Any] = {"query": "us"}
REGION: dict[str, Any] = {"include": ("region",)}
NO_SSN: dict[str, Any] = {"exclude": ("ssn",)}

EXACT: dict[str, tuple[Entry, ...]] = {
    "the same twice": (entry(**EU, **NO_SSN), entry(**EU, **NO_SSN)),
    "different documents, all fields": (entry(**EU), entry(**US)),
    "different documents, the same fields": (entry(**EU, **REGION), entry(**US, **REGION)),
    "all documents, different fields": (entry(**REGION), entry(**NO_SSN)),
    "the same documents, different fields": (entry(**EU, **REGION), entry(**EU, **NO_SSN)),
    "one allows everything": (entry(**EU, **REGION), entry()),
    "one allows all documents and more fields": (entry(**EU, **REGION), entry(include=("region", "name"))),
    "one allows all documents and fewer exceptions": (entry(**EU, exclude=("name", "ssn")), entry(**NO_SSN)),
    "indices that do not meet": (entry("orders-*", **EU), entry("customers", **REGION)),
    "one does not read": (entry(**EU), entry(**REGION, privileges=("delete", "manage"))),
    "three in a chain": (entry(**EU, **REGION), entry(include=("region", "name")), entry(**NO_SSN, include=ALL)),
}
NOT_EXACT: dict[str, tuple[Entry, ...]] = {
    "some documents, and some fields of all": (entry(**EU), entry(**REGION)),
    "different documents and different fields": (entry(**EU, **REGION), entry(**US, **NO_SSN)),
    "fewer documents, and other fields of them": (entry(**EU, **NO_SSN), entry(**REGION, exclude=("name",))),
    "only some of the fields": (entry(**EU, include=("name", "region")), entry(**REGION)),
    "an exception too many": (entry(**EU, **NO_SSN), entry(exclude=("name", "ssn"))),
    "by a wildcard": (entry("orders-*", **EU), entry("*-1", **REGION)),
    "by a regular expression": (entry("/orders-[0-9]+/", **EU), entry("orders-7", **REGION)),
    "a data stream and its backing indices": (entry("logs", **EU), entry(".ds-logs-*", **REGION)),
    "an unknown privilege": (entry(**EU), entry(**REGION, privileges=("brand_new",))),
    "a third one": (entry("a", **EU), entry("b", **REGION), entry("a*", **REGION)),
}


@pytest.mark.parametrize("entries", EXACT.values(), ids=EXACT)
def test_exact(entries: tuple[Entry, ...]) -> None:
    assert not conflicts(*entries)
    assert not conflicts(*reversed(entries))


@pytest.mark.parametrize("entries", NOT_EXACT.values(), ids=NOT_EXACT)
def test_not_exact(entries: tuple[Entry, ...]) -> None:
    assert conflicts(*entries)
    assert conflicts(*reversed(entries))


# Which privileges read


@pytest.mark.parametrize(
    "privilege",
    ["read", "all", "read_cross_cluster", "read_failure_store", "cross_cluster_replication", "READ", "unheard_of",
     "write", "index", "indices:data/write/update", "indices:data/read/search", "indices:data/read/get*", "indices:*",
     "indices:data/*", "indices:data/read/*"],
)  # fmt: skip
def test_whoever_has_it_may_read(privilege: str) -> None:
    assert reads(entry(privileges=("delete", privilege)))


@pytest.mark.parametrize(
    "privilege",
    ["create_doc", "create", "delete", "manage", "monitor", "view_index_metadata", "none", "maintenance",
     "indices:admin/*", "indices:monitor/stats"],
)  # fmt: skip
def test_whoever_has_it_may_not_read(privilege: str) -> None:
    assert not reads(entry(privileges=(privilege,)))


# Fields

field_patterns = st.text("ab._**?", min_size=1, max_size=4)
field_lists = st.tuples(
    st.one_of(st.just(ALL), st.lists(field_patterns, min_size=1, max_size=3).map(tuple)),
    st.lists(field_patterns, max_size=3).map(tuple),
)


def fields_allowed(fields: Fields) -> frozenset[str]:
    """Return the fields that Elasticsearch lets be read: metadata fields too, unless they are excluded."""
    include, exclude = ([parse_index_pattern(text) for text in some] for some in fields)
    return frozenset(
        name
        for name in FIELD_NAMES
        if (name.startswith("_") or any(matches(pattern, name) for pattern in include))
        and not any(matches(pattern, name) for pattern in exclude)
    )


@given(field_lists, field_lists)
def test_fields_that_are_allowed_at_least_are_a_superset(wider: Fields, narrower: Fields) -> None:
    if allows_fields(wider, narrower).yes:
        assert fields_allowed(narrower) <= fields_allowed(wider)


@pytest.mark.parametrize(
    ("wider", "narrower"),
    [
        ((ALL, ()), (("a",), ())),
        ((ALL, ("b",)), (("a", "a.*"), ())),
        ((ALL, ("b", "b.*")), (("a*",), ("a.b",))),
        ((ALL, ("b", "b.*")), (ALL, ("a", "b", "b.*"))),
        ((ALL, ("a.b",)), (("a.*",), ("a.b", "a.c"))),
        ((("a", "a.*"), ()), (("a.*",), ("a.b",))),
        ((("a*",), ("ab",)), (("a?c",), ())),
        ((("/a[0-9]+/",), ()), (("a12",), ())),
        ((("x*", "y*"), ()), (tuple(f"x{number}" for number in range(100)), ())),
        ((ALL, tuple(f"g{number}" for number in range(200))), (tuple(f"f{number}.*" for number in range(200)), ())),
    ],
)
def test_fields_that_are_allowed_at_least_are_recognized(wider: Fields, narrower: Fields) -> None:
    assert allows_fields(wider, narrower).yes
    assert not allows_fields(narrower, wider).yes


def test_fields_that_take_too_long_to_compare_count_as_not_allowed() -> None:
    hard = tuple(f"*a{'?' * number}b*" for number in range(60, 90))
    answer = allows_fields((hard, ()), (tuple(f"*{each}c" for each in hard), ()))
    assert not answer.yes


# The union

read_entries = st.builds(
    lambda names, query, fields: Entry(tuple(sorted(names)), ("read",), fields[0], fields[1], query),
    st.sets(st.sampled_from(["a", "b", "a*", "*b", "b?", "*", "/[ab]b/", ".ds-*"]), min_size=1, max_size=2),
    st.sampled_from(sorted(DOCUMENTS)),
    st.sampled_from([(ALL, ()), (ALL, ("a",)), (("a",), ()), (("a", "b"), ()), (("b",), ()), (ALL, ("a", "b"))]),
)


def applies(one: Entry, index: str) -> bool:
    """Return whether Elasticsearch applies an entry to an index: by its name, or that of its data stream."""
    names = {index, index[4:].split("-", maxsplit=1)[0] if index.startswith(".ds-") else index}
    return any(matches(parse_index_pattern(text), name) for text in one.names for name in names)


def shown(entries: list[Entry]) -> dict[str, set[tuple[int, str]]]:
    """Return what Elasticsearch shows in each index: documents, and fields of these."""
    found = {}
    for index in INDICES:
        here = [each for each in entries if applies(each, index)]
        documents = {document for each in here for document in DOCUMENTS[each.query]}
        fields = {name for each in here for name in fields_allowed((each.include, each.exclude))}
        found[index] = set(product(documents, fields))
    return found


def declared(entries: list[Entry]) -> dict[str, set[tuple[int, str]]]:
    """Return what the entries allow, each by itself."""
    alone = [shown([each]) for each in entries]
    return {index: {one for each in alone for one in each[index]} for index in INDICES}


@settings(max_examples=examples(200))
@given(st.lists(read_entries, min_size=2, max_size=4))
def test_what_is_shown_is_what_is_declared_or_it_is_refused(entries: list[Entry]) -> None:
    if not conflicts(*entries):
        assert shown(entries) == declared(entries)


@settings(max_examples=examples(200))
@given(read_entries, read_entries)
def test_two_that_are_refused_would_show_more(one: Entry, another: Entry) -> None:
    if conflicts(one, another) and not any(name == "*" for each in (one, another) for name in each.names):
        assert shown([one, another]) != declared([one, another])


@given(st.lists(read_entries, min_size=2, max_size=4), st.data())
def test_it_depends_neither_on_the_order_nor_on_what_else_there_is(entries: list[Entry], data: st.DataObject) -> None:
    turned = data.draw(st.permutations(entries))
    assert conflicts(*entries) is conflicts(*turned)
    assert conflicts(*entries) is any(conflicts(*pair) for pair in combinations(entries, 2))


def test_a_message_names_both_and_says_what_to_write() -> None:
    found = conflict_within((entry("orders-*", **EU), entry("x"), entry("orders-1", **REGION)), ["0", "1", "2"])
    assert found is not None
    text = found.message("go elsewhere")
    assert text.startswith("2 (orders-1) and 0 (orders-*) can read the same index")
    assert text.endswith("or go elsewhere")
    long = conflict_within((entry("/" + "a" * 253 + "/", **EU), entry("a*", **REGION)), ["0", "1"])
    assert long is not None
    assert len(long.message("go elsewhere")) < 500


# How much is compared


def taken_in(*entries: Entry) -> tuple[Together, list[int]]:
    together, refused = Together(), []
    for number, each in enumerate(entries):
        if together.conflict((each,), str(number)):
            refused.append(number)
        else:
            together.add((each,), str(number))
    return together, refused


@pytest.mark.parametrize(
    "entries",
    [
        [entry("orders-*", query=f"q{number}") for number in range(1000)],
        [entry("orders-*", include=(f"f{number}",)) for number in range(1000)],
        [entry(f"tenant-{number}-*", query=f"q{number}", include=(f"f{number}",)) for number in range(1000)],
        [entry(f"tenant-{number}-*", query=f"q{number}") for number in range(999)] + [entry("*", include=ALL)],
        [entry("*", query="q")] + [entry(f"tenant-{number}-*", query=f"q{number}") for number in range(999)],
    ],
    ids=["queries", "fields", "both on indices of their own", "all at the end", "all at the beginning"],
)
def test_a_thousand_that_are_exact_take_few_steps(entries: list[Entry]) -> None:
    together, refused = taken_in(*entries)
    assert not refused
    assert MOST_STEPS - together.steps < 10_000


def test_a_thousand_that_meet_an_older_one_take_few_steps() -> None:
    newer = [entry("*-orders", query=f"q{number}", include=(f"f{number}",)) for number in range(999)]
    together, refused = taken_in(entry("orders-*", **EU), *newer)
    assert refused == list(range(1, 1000))
    assert together.steps > 0


def test_what_would_take_too_many_steps_is_refused_from_the_newest_on() -> None:
    many = [entry(f"*-{number:04}", query=f"q{number}", include=(f"f{number}",)) for number in range(1000)]
    together, refused = taken_in(*many)
    assert refused == list(range(refused[0], 1000))
    assert refused[0] > 30
    found = together.conflict((many[-1],), "the newest")
    assert found is not None
    assert found.endless
    assert "too many" in found.message("wait")
    assert not together.conflict((entry("x"),), "what needs no comparison"), "it reads all"


def test_what_reads_all_or_nothing_needs_no_comparison() -> None:
    assert not matters(entry())
    assert not matters(entry(**EU, privileges=("delete",)))
    assert matters(entry(**EU))


def test_many_patterns_whose_fields_are_the_same_are_not_compared_two_by_two() -> None:
    many = [entry(*(f"o*{one}*{number}*" for number in range(50)), query=f"q{one}") for one in range(50)]
    together, refused = taken_in(*many)
    assert not refused
    assert together.steps == MOST_STEPS, "three million comparisons would take half a second"


def test_one_that_differs_is_compared_although_the_others_agree() -> None:
    many = [entry(f"orders-{one}", query=f"q{one}") for one in range(5)]
    together, refused = taken_in(*many, entry("orders-3", query="other", include=("f",)))
    assert refused == [5]
    assert together.steps < MOST_STEPS
