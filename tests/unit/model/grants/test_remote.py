"""Grants on remote clusters: what is taken, what it becomes, and that all else stays as it was."""

from typing import Any

import pytest

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.core.clusters.cluster import judge
from searchaccess.core.credentials.reach import lacking_remotely
from searchaccess.core.model.canonical import Entry, RoleBody, role_from_json
from searchaccess.core.model.parsing import build_share
from searchaccess.core.model.restrictions.union import conflict_within
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.policy.bypass import bypasses
from searchaccess.core.policy.copies import indices_to_read
from searchaccess.core.policy.decision import Do, decide
from tests.unit.builders import a_grant, an_access, facts

EU: dict[str, Any] = {"remoteClusters": ["eu"]}
WHERE: dict[str, Any] = {"where": {"term": {"region": "eu"}}}


def share_of(*grants: dict[str, Any]) -> Any:
    spec = {"cluster": "prod", "subject": {"serviceAccount": "a@b.iam.gserviceaccount.com"}, "grants": list(grants)}
    return build_share(SearchAccessSpec.model_validate(spec))


def test_a_grant_on_remote_clusters_is_an_entry_of_remote_indices_and_nothing_here() -> None:
    share = share_of(a_grant("logs-*", remoteClusters=["us", "eu-*", "us"]))
    assert share.body.to_json() == {
        "cluster": [],
        "indices": [],
        "remote_indices": [
            {
                "clusters": ["eu-*", "us"],
                "names": ["logs-*"],
                "privileges": ["read", "read_cross_cluster", "view_index_metadata"],
            }
        ],
    }
    assert share.local == ()


def test_documents_and_fields_can_be_restricted_there_too_and_such_entries_are_kept_apart() -> None:
    (entry,) = share_of(a_grant("logs-*", **EU, **WHERE, fields={"exclude": ["ssn"]})).entries
    (raw,) = RoleBody(entries=(entry,)).to_json()["remote_indices"]
    assert raw["query"] == '{"term":{"region":"eu"}}'
    assert raw["field_security"] == {"grant": ["*"], "except": ["ssn", "ssn.*"]}
    assert [name for name in raw["names"] if is_mark(name)]
    assert entry.indices == ("logs-*",)


def test_rights_of_before_have_the_hashes_of_before() -> None:
    share = share_of(a_grant("orders-*"), a_grant("orders-*", **WHERE))
    assert [entry.hash for entry in share.entries] == ["8c04e119-e5d41a50c0e45cd9", "a9d95abd-5532d6862a1a7b4e"]
    assert RoleBody(("monitor",), share.entries[:1]).hash == "55c84467b11724c5"


def test_an_entry_for_a_remote_cluster_is_none_for_another_or_for_this_one() -> None:
    shares = [share_of(a_grant("logs-*", **more)) for more in ({}, EU, {"remoteClusters": ["us"]})]
    assert len({share.hash for share in shares}) == len(shares)
    assert len({share.entries[0].hash[:8] for share in shares}) == len(shares)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "writing": (a_grant(can=["write"], **EU), "can only be read"),
    "reading and more": (a_grant(can=["read", "monitor"], **EU), "can only be read"),
    "raw privileges": (a_grant(privileges=["read"], **EU), "can only be read"),
    "raw privileges alone": (a_grant(can=[], privileges=["read"], **EU), "can only be read"),
    "no cluster": (a_grant(remoteClusters=[]), "at least 1 item"),
    "a name that is none": (a_grant(remoteClusters=["eu:logs"]), "neither the name of a remote cluster nor"),
    "an exclusion": (a_grant(remoteClusters=["-eu"]), "neither the name of a remote cluster nor"),
    "a wildcard within": (a_grant(remoteClusters=["e*u"]), "neither the name of a remote cluster nor"),
    "a regular expression": (a_grant(remoteClusters=["/[/"]), "neither the name of a remote cluster nor"),
    "an unknown query": (a_grant(**EU, where={"trem": {"a": 1}}), "trem is not a known query"),
    "an unknown query within": (
        a_grant(**EU, where={"bool": {"filter": [{"bool": {"must": {"trem": {"a": 1}}}}]}}),
        "trem is not a known query",
    ),
    "an unknown clause": (
        a_grant(**EU, where={"bool": {"filtr": [], "must": {"term": {"a": 1}}}}),
        "bool (filtr) is not in its documented form",
    ),
    "two fields in a term": (a_grant(**EU, where={"term": {"a": 1, "b": 2}}), "term is not in its documented form"),
    "one value as terms": (a_grant(**EU, where={"terms": {"a": 1}}), "terms is not in its documented form"),
    "a range that is none": (a_grant(**EU, where={"range": {"a": 1}}), "range is not in its documented form"),
    "exists of nothing": (a_grant(**EU, where={"exists": {}}), "exists is not in its documented form"),
    "a text as a term": (a_grant(**EU, where={"term": "a"}), "term is not in its documented form"),
    "a text as a query": (a_grant(**EU, where={"bool": {"must": ["a"]}}), "a query is not in its documented form"),
    "a template": (
        a_grant(**EU, where={"template": {"source": {"term": {"owner": "{{_user.username}}"}}}}),
        "template is not a known query",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_remote_cluster_would_take_is_refused(case: str) -> None:
    grant, message = REFUSED[case]
    access = an_access(grants=[grant])
    assert message in access.invalid
    assert access.share.entries == ()


@pytest.mark.parametrize(
    "where",
    [
        {"term": {"a": {"value": 1}}},
        {"terms": {"a": [1, 2]}},
        {"range": {"a": {"gte": 1}}},
        {"exists": {"field": "a"}},
        {"ids": {"values": ["1"]}},
        {"match_all": {}},
        {"bool": {"filter": [{"term": {"a": 1}}], "must_not": {"exists": {"field": "b"}}, "minimum_should_match": 0}},
    ],
    ids=lambda where: next(iter(where)),
)
def test_what_is_known_to_be_a_query_is_taken(where: dict[str, Any]) -> None:
    assert an_access(grants=[a_grant(**EU, where=where)]).invalid == ""


def test_the_column_access_names_the_remote_cluster() -> None:
    assert an_access(grants=[a_grant("logs-*", **EU)]).summary == "r eu:logs-*"
    several = [a_grant("logs-*", "a", remoteClusters=["eu", "us"]), a_grant("b")]
    assert an_access(grants=several).summary == "r eu:logs-* +4"


def test_what_elasticsearch_serves_reads_as_it_was_written() -> None:
    body = share_of(a_grant("logs-*", **EU, **WHERE), a_grant("orders-*")).body
    served = body.to_json()
    for entry in (*served["indices"], *served["remote_indices"]):
        entry |= {"allow_restricted_indices": False}
    assert role_from_json(served).same_as(body)
    assert role_from_json(served).other == ""


@pytest.mark.parametrize("entry", [{"names": ["*"], "privileges": ["all"], "clusters": []}, {"names": ["*"]}, "x", 7])
def test_what_names_no_cluster_is_no_right_here_and_does_not_get_lost(entry: Any) -> None:
    raw = {"indices": [], "remote_indices": [entry, {"clusters": ["eu"], "names": ["a"], "privileges": ["read"]}]}
    body = role_from_json(raw)
    assert [found.clusters for found in body.entries] == [("eu",)]
    assert body.to_json()["indices"] == []
    assert entry in body.to_json()["remote_indices"]
    assert role_from_json(body.to_json()) == body


EXACT: dict[str, tuple[dict[str, Any], ...]] = {
    "here and there": ({}, EU),
    "two clusters": ({"remoteClusters": ["us", "asia-*"]}, EU),
    "two beginnings": ({"remoteClusters": ["eu-west*"]}, {"remoteClusters": ["eu-north*", "eu"]}),
}
MEETING: dict[str, tuple[dict[str, Any], ...]] = {
    "the same cluster": (EU, EU),
    "one of several": (EU, {"remoteClusters": ["us", "eu"]}),
    "a name and a beginning": (EU, {"remoteClusters": ["e*"]}),
    "all": (EU, {"remoteClusters": ["*"]}),
}
BY_DOCUMENT: dict[str, Any] = a_grant("logs-*", **WHERE)
BY_FIELD: dict[str, Any] = a_grant("logs-1", fields={"include": ["region"]})


@pytest.mark.parametrize("case", [*EXACT, *MEETING])
def test_restrictions_are_joined_only_where_clusters_can_be_the_same(case: str) -> None:
    one, another = (EXACT | MEETING)[case]
    entries = share_of(BY_DOCUMENT | one, BY_FIELD | another).entries
    assert (conflict_within(entries, ["a", "b"]) is not None) == (case in MEETING)
    assert bool(an_access(grants=[BY_DOCUMENT | one, BY_FIELD | another]).widens) == (case in MEETING)


def test_fields_that_are_hidden_there_take_nothing_from_a_writer_here() -> None:
    hiding, writing = a_grant("logs-*", **EU, fields={"exclude": ["ssn"]}), a_grant("logs-*", can=["write"])
    assert share_of(hiding, writing).local == share_of(writing).entries
    here = a_grant("logs-*", fields={"exclude": ["ssn"]})
    assert share_of(here, writing).local[1] != share_of(writing).entries[0]


def test_what_lies_on_other_clusters_is_not_looked_at_here() -> None:
    hiding = share_of(a_grant("logs-*", **EU, fields={"exclude": ["ssn"]}))
    writing = share_of(a_grant("logs-*", can=["append"]), a_grant("logs-*"))
    assert bypasses(hiding, [writing]) == ()
    assert indices_to_read([hiding]) == frozenset()


@pytest.mark.parametrize(
    ("license", "allowed"), [("trial", True), ("enterprise", True), ("platinum", False), ("basic", False)]
)
def test_the_license_must_have_them(license: str, allowed: bool) -> None:  # noqa: A002, FBT001 - one of a table
    gate = judge(facts(license=license), "", "").gate
    decision = decide(an_access(grants=[a_grant(**EU)]), gate)
    assert (decision.do is Do.ENFORCE) == allowed
    if not allowed:
        assert decision.reason == "LicenseInsufficient"
        assert decision.message == f"remoteClusters needs an Enterprise or trial license; this cluster has {license}"
    assert (decide(an_access(), gate).do is Do.ENFORCE) == (license != "basic")


NOTHING = ("read, read_cross_cluster on eu:logs-1",)
OWN = Entry(("logs-*",), ("read", "read_cross_cluster", "view_index_metadata"), clusters=("eu*",))


@pytest.mark.parametrize(
    ("own", "lacking"),
    [
        ((), NOTHING),
        ((OWN,), ()),
        ((Entry(("*",), ("all",), clusters=("*",)),), ()),
        ((Entry(("logs-*",), ("read",), clusters=("eu",)),), ("read_cross_cluster, view_index_metadata on eu:logs-1",)),
        ((Entry(("logs-*",), ("all",)),), NOTHING),
        ((Entry(("logs-*",), ("all",), query="x", clusters=("*",)),), NOTHING),
        ((Entry(("orders",), ("all",), clusters=("*",)),), NOTHING),
    ],
)  # fmt: skip
def test_what_a_login_lacks_on_remote_clusters_is_named(own: tuple[Entry, ...], lacking: tuple[str, ...]) -> None:
    wanted = share_of(a_grant("logs-1", **EU, **WHERE), a_grant("here")).entries
    assert lacking_remotely(own, wanted) == lacking
