"""What several roles together allow, as Elasticsearch unites them."""

from typing import Any

import pytest

from searchaccess.core.answers.access.actions import NoSuchActionError, question_of
from searchaccess.core.answers.access.groups import Part, Rights, both, groups_of, rights_of
from searchaccess.core.model.canonical import role_from_json
from tests.unit.answers.access.states import entry, role

EU = '{"term":{"region":"eu"}}'
US = '{"term":{"region":"us"}}'


def allowed(*entries: dict[str, Any], action: str = "read", names: tuple[str, ...] = ("orders-1",)) -> Rights | None:
    """Return what roles with an entry each allow together."""
    parts = [Part(f"r{number}", role_from_json(role(each))) for number, each in enumerate(entries)]
    return rights_of(groups_of(parts, names), names, question_of(action))


def test_documents_and_fields_are_united_separately() -> None:
    found = allowed(
        entry("orders-*", query=EU, field_security={"grant": ["total"]}),
        entry("orders-1", query=US, field_security={"grant": ["*"], "except": ["customer.*"]}),
    )
    assert found is not None
    assert found.documents == (frozenset({EU, US}),)
    assert (found.shows("total"), found.shows("customer.ssn"), found.shows("note")) == (True, False, True)
    assert found.sources == ("r0", "r1")


def test_a_role_without_a_restriction_lifts_it() -> None:
    found = allowed(entry("orders-*", query=EU), entry("orders-?"))
    assert found is not None
    assert found.is_open


def test_a_role_that_does_not_read_lifts_nothing_unless_it_has_the_same_names() -> None:
    apart = allowed(entry("orders-*", query=EU), entry("orders-1", can=["delete"]))
    merged = allowed(entry("orders-*", query=EU), entry("orders-*", can=["delete"]))
    assert apart is not None
    assert merged is not None
    assert (apart.documents, merged.documents) == ((frozenset({EU}),), ())


def test_what_an_api_key_sees_must_match_both() -> None:
    one = allowed(entry("orders-*", query=EU, field_security={"grant": ["total", "note"]}))
    other = allowed(entry("orders-*", query=US, field_security={"grant": ["note"]}))
    assert one is not None
    assert other is not None
    found = both(one, other)
    assert found.documents == (frozenset({EU}), frozenset({US}))
    assert (found.shows("note"), found.shows("total")) == (True, False)


@pytest.mark.parametrize(
    ("privileges", "action", "how"),
    [
        (["read"], "read", ""),
        (["all"], "read", ""),
        (["indices:data/read/get"], "read", "by id, not by search"),
        (["indices:data/read/mget*"], "read", "by some requests only"),
        (["index"], "read", "by updates, which return the document"),
        (["manage"], "read", None),
        (["view_index_metadata"], "read", None),
        (["cross_cluster_replication"], "read", "by some requests only"),
        (["cross_cluster_replication"], "monitor", ""),
        (["indices:data/read/field_caps*"], "read", None),
        (["create_doc"], "append", ""),
        (["create_doc"], "write", None),
        (["indices:data/write/index*", "indices:data/write/bulk*"], "write", ""),
        (["indices:data/write/index*"], "write", None),
        (["write"], "delete", ""),
        (["delete_index"], "delete", "the whole index, not single documents"),
        (["manage"], "manage", ""),
        (["delete_index"], "manage", "deletes the index only"),
        (["manage"], "view_index_metadata", ""),
        (["READ"], "indices:data/read/search", ""),
        (["all"], "read_failure_store", ""),
        (["read"], "read_failure_store", None),
        (["read_failure_store"], "read", "only what a data stream could not ingest (::failures)"),
        (["manage_failure_store"], "manage", "the failure store of a data stream only"),
    ],
)
def test_which_privileges_allow_what(privileges: list[str], action: str, how: str | None) -> None:
    found = allowed(entry("orders-*", can=privileges), action=action)
    assert (found.how if found else None) == how


@pytest.mark.parametrize(
    ("action", "reads"),
    [
        ("read", True),
        ("all", True),
        ("read_failure_store", True),
        ("cross_cluster_replication", True),
        ("manage", False),
        ("view_index_metadata", False),
        ("write", False),
    ],
)
def test_restrictions_matter_where_documents_are_shown(action: str, reads: bool) -> None:  # noqa: FBT001 - a case
    assert question_of(action).reads is reads


def test_an_update_shows_nothing_where_documents_are_restricted() -> None:
    assert allowed(entry("orders-*", can=["index"], query=EU)) is None


def test_privileges_of_several_roles_count_together() -> None:
    index, bulk = (
        entry(name, can=[can]) for name, can in (("orders-*", "indices:data/write/index*"), ("o*", "delete"))
    )
    assert allowed(index, action="write") is None
    assert allowed(index, bulk, action="write") is not None
    split = [entry("orders-*", can=["indices:admin/a*", "indices:admin/b*"]), entry("orders-1", can=["manage"])]
    assert allowed(*split, action="manage") is not None


def test_own_indices_of_elasticsearch_are_reached_only_with_the_flag() -> None:
    names = (".security-7",)
    assert allowed(entry("*"), names=names) is None
    assert allowed(entry("*", allow_restricted_indices=True), names=names) is not None


def test_rights_on_an_alias_count_for_what_it_leads_to() -> None:
    found = allowed(entry("sales"), entry("orders-*", can=["delete"]), names=("orders-1", "sales"))
    assert found is not None
    assert found.names == ("sales",)


def test_a_regular_expression_is_a_pattern_and_one_that_cannot_be_read_matches_nothing() -> None:
    assert allowed(entry("/orders-[0-9]+/")) is not None
    assert allowed(entry("/orders-[0-9/")) is None


def test_what_is_no_action_is_refused_with_what_to_write() -> None:
    for text in ("reed", "none", "indices:"):
        with pytest.raises(NoSuchActionError, match="write one of read, append"):
            question_of(text)
