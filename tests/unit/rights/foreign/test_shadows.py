"""Whether what a caller really has is what its role gives; and for how long a shadow is believed to be there."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.accesses.exclusivestatus import ExclusiveSource
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.rights.foreign.shadows import (
    CLEAN,
    Seen,
    Shadow,
    effective_role,
    ignores_run_as,
    of_everybody,
    seen_after,
    shadow_of,
    shadows_in,
)
from searchaccess.core.status.aspects.exclusive import TEXT_LIMIT

ROLE = "searchaccess.default.orders@acme-shop.iam.gserviceaccount.com"
NOTHING: dict[str, Any] = {"cluster": [], "global": [], "indices": [], "applications": [], "run_as": []}
EU, US = '{"term":{"region":"eu"}}', '{"term":{"region":"us"}}'


def entry(*names: str, can: tuple[str, ...] = ("read",), **more: Any) -> dict[str, Any]:
    return {"names": list(names), "privileges": list(can), "allow_restricted_indices": False, **more}


def said(stored: dict[str, Any], effective: Any, everybody: dict[str, Any] = NOTHING) -> str:
    found = shadow_of(ROLE, role_from_json(stored), effective_role(effective), effective_role(everybody))
    return (
        found.text.partition("in Elasticsearch: ")[2].removesuffix(". Look for it in roles.yml on each node")
        if found
        else ""
    )


# What Elasticsearch 8.19.0 answered for the roles beside it: entries with the same names are joined, names and
# privileges are in another order and in lower case, queries and field security are lists.
MERGED: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = [
    (
        [entry("same", query='{"term": {"x": 2}}'), entry("same", can=("write",), query={"term": {"x": 3}})],
        [entry("same", can=("read", "write"), query=['{"term":{"x":3}}', '{"term":{"x":2}}'])],
    ),
    ([entry("same", query=EU), entry("same")], [entry("same")]),
    (
        [entry("same", field_security={"grant": ["a"]}), entry("same", field_security={"grant": ["c"]})],
        [entry("same", field_security=[{"grant": ["a"]}, {"grant": ["c"]}])],
    ),
    (
        [entry("orders", "NO-INDEX#1", can=("read", "view_index_metadata", "Write"))],
        [entry("NO-INDEX#1", "orders", can=("read", "view_index_metadata", "write"))],
    ),
    (
        [entry("orders", query=EU, field_security={"grant": ["a", "b"], "except": ["b"]})],
        [entry("orders", query=[EU], field_security=[{"grant": ["a", "b"], "except": ["b"]}])],
    ),
    ([entry("fs", can=("read", "read_failure_store"))], [entry("fs"), entry("fs", can=("read_failure_store",))]),
    (
        [entry("a", query=EU), entry("a", can=("write",)), entry("a", "b", query=US)],
        [entry("a", "b", query=[US]), entry("a", can=("read", "write"))],
    ),
    ([], []),
]


@pytest.mark.parametrize(("stored", "effective"), MERGED)
def test_how_elasticsearch_joins_entries_is_no_shadow(
    stored: list[dict[str, Any]], effective: list[dict[str, Any]]
) -> None:
    assert said({"indices": stored, "transient_metadata": {"enabled": True}}, NOTHING | {"indices": effective}) == ""


def test_all_parts_of_a_role_may_be_in_an_answer() -> None:
    kibana = {"application": "kibana-.kibana", "privileges": ["feature_discover.read"], "resources": ["space:x"]}
    remote = {"names": ["r"], "privileges": ["read"], "allow_restricted_indices": False, "clusters": ["eu"]}
    stored = {
        "cluster": ["monitor"],
        "applications": [kibana],
        "remote_indices": [remote],
        "run_as": [],
        "metadata": {},
    }
    parts = {"cluster": ["monitor"], "applications": [kibana], "remote_indices": [remote]}
    assert said(stored, NOTHING | parts) == ""
    assert said(stored, NOTHING) == (
        "it lacks feature_discover.read in Kibana, cluster privileges monitor, read on eu:r"
    )
    assert said({}, NOTHING | parts) == (
        "it adds feature_discover.read in Kibana, cluster privileges monitor, read on eu:r"
    )


MINE = {"indices": [entry("orders-*", query=EU)]}


@pytest.mark.parametrize(
    ("effective", "text"),
    [
        ({"indices": [entry("*")]}, "it adds read on all indices"),
        ({"indices": []}, "it lacks read on orders-*"),
        ({"indices": [entry("orders-1", query=[EU])]}, "it lacks read on orders-*"),
        ({"indices": [entry("orders-*")]}, "it adds documents of orders-* that `where` hides"),
        (
            {"indices": [entry("orders-*", query=[EU, US])]},
            "it adds documents of orders-* that `where` hides",
        ),
        (
            {"indices": [entry("orders-*", query=[EU], field_security=[{"grant": ["a"]}])]},
            "it lacks fields of orders-* that `fields` hides",
        ),
        ({"indices": [entry("bills", query=[EU])]}, "it adds read on bills; it lacks read on orders-*"),
        ({"indices": [entry("orders-*", query=[EU])], "run_as": ["*"]}, "it adds acting as anybody"),
        ({"indices": [entry("orders-*", query=[EU])], "cluster": ["all"]}, "it adds all cluster privileges"),
        ({"indices": [entry("orders-*", query=[EU]), entry("orders-1", query=[EU])]}, ""),
        ({"indices": [entry("orders-*", can=("READ",), query=['{ "term": {"region": "eu"} }'])]}, ""),
    ],
)
def test_what_is_added_and_what_is_lacking_is_said(effective: dict[str, Any], text: str) -> None:
    assert said(MINE, NOTHING | effective) == text


def test_a_role_that_gives_nothing_is_compared_too() -> None:
    assert said({}, NOTHING) == ""
    assert said({}, NOTHING | {"indices": [entry("orders-*")]}) == "it adds read on orders-*"


def test_what_everybody_has_is_not_added_and_does_not_replace_what_is_lacking() -> None:
    everybody = NOTHING | {"cluster": ["monitor"], "indices": [entry("public-*"), entry("orders-*")]}
    assert (
        said({"indices": [entry("bills")]}, everybody | {"indices": [*everybody["indices"], entry("bills")]}, everybody)
        == ""
    )
    assert said({"indices": [entry("bills")]}, everybody, everybody) == "it lacks read on bills"


@pytest.mark.parametrize("answer", [None, [], "x", {"indices": [[]]}, {"indices": [entry("a", query={"x": 1})] * 2}])
def test_an_answer_that_cannot_be_read_is_not_the_role(answer: Any) -> None:
    assert said(MINE, answer).startswith("it adds"), "it is not taken for what was declared"


def test_more_combinations_than_are_compared_are_not_taken_for_the_same() -> None:
    many = [f'{{"term":{{"x":{number}}}}}' for number in range(65)]
    assert "does not know" in said({"indices": [entry("a")]}, NOTHING | {"indices": [entry("a", query=many)]})


def test_where_run_as_is_off_the_answer_is_about_the_login() -> None:
    login = effective_role(NOTHING | {"run_as": ["/searchaccess.*/"]})
    assert ignores_run_as(login, login)
    assert not ignores_run_as(effective_role(NOTHING), login)
    assert not ignores_run_as(effective_role(NOTHING), effective_role(NOTHING))
    assert of_everybody(login) == effective_role(NOTHING)


def test_the_text_fits_into_a_status_so_that_it_is_recalled_as_it_was() -> None:
    wide = NOTHING | {"indices": [entry(f"{'x' * 200}-{number}") for number in range(20)]}
    stored = {"indices": [entry(f"{'y' * 200}-{number}") for number in range(20)]}
    found = shadow_of("r" * 507, role_from_json(stored), effective_role(wide))
    assert found is not None
    assert len(found.text) <= TEXT_LIMIT
    assert found.text.endswith("Look for it in roles.yml on each node")
    assert ExclusiveSource(reason="Shadowed", kind="FileRole", name="r", message=found.text).message == found.text


NAMES = st.sampled_from(["orders-*", "orders-1", "bills", "*"])
ENTRIES = st.builds(
    lambda names, can, query: entry(*names, can=tuple(can), **({"query": query} if query else {})),
    st.lists(NAMES, min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from(["read", "write", "view_index_metadata"]), min_size=1, max_size=2, unique=True),
    st.sampled_from(["", EU, US]),
)


def _as_answered(stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join entries as Elasticsearch does."""
    joined: dict[frozenset[str], list[dict[str, Any]]] = {}
    for one in stored:
        joined.setdefault(frozenset(one["names"]), []).append(one)
    return [
        entry(
            *sorted(names),
            can=tuple(sorted({name for one in found for name in one["privileges"]})),
            **({"query": sorted({one["query"] for one in found})} if all(one.get("query") for one in found) else {}),
        )
        for names, found in joined.items()
    ]


@given(st.lists(ENTRIES, max_size=4), st.randoms(use_true_random=False))
def test_no_role_is_a_shadow_of_itself(stored: list[dict[str, Any]], random: Any) -> None:
    answer = _as_answered(stored)
    random.shuffle(answer)
    assert said({"indices": stored}, NOTHING | {"indices": answer}) == ""


@given(st.lists(ENTRIES, max_size=3))
def test_another_index_is_never_overlooked(entries: list[dict[str, Any]]) -> None:
    others = [one for one in entries if "*" not in one["names"]]
    stored = {"indices": [*others, entry("mine-1")]}
    answer = [*_as_answered(others), entry("mine-1")]
    assert said(stored, NOTHING | {"indices": [*answer, entry("secret")]}) == "it adds read on secret"
    assert said(stored, NOTHING | {"indices": answer[:-1]}) == "it lacks read on mine-1"


A, B, C, D = (Shadow(ROLE, text) for text in "abcd")


def test_a_shadow_ends_after_a_full_round_without_and_not_before() -> None:
    seen: Seen = seen_after({}, A)
    for _ in range(CLEAN - 1):
        seen = seen_after(seen, None)
        assert shadows_in(seen) == (A,)
    assert shadows_in(seen_after(seen, A)) == (A,)
    assert seen_after(seen, None) == {}


def test_nodes_with_different_files_do_not_take_turns() -> None:
    seen: Seen = {}
    for found in [A, B, None] * CLEAN:
        seen = seen_after(seen, found)
    assert shadows_in(seen) == (A, B)
    for found in (C, D):
        seen = seen_after(seen, found)
    assert len(shadows_in(seen)) == 3, "some are remembered, not all"
