"""Reading SearchAccesses, and the actions."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.conditions.docs import REASON_DOCS, doc_of
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.grants.actions import letters_of, privileges_of
from searchaccess.core.model.parsing import access_from_object
from tests.unit.builders import a_grant, a_search_access, an_access

GRANTED: dict[Action, set[str]] = {
    Action.READ: {"read", "view_index_metadata"},
    Action.APPEND: {"create_doc"},
    Action.WRITE: {"create", "index"},
    Action.CREATE: {"auto_configure"},
    Action.DELETE: {"delete"},
    Action.MONITOR: {"monitor", "view_index_metadata"},
    Action.MANAGE: {"manage"},
}
"""What actions have granted since they exist: more would be given to all who have them today. A new one is in no need
of a line here."""
CAN_DELETE = {"all", "delete", "delete_index", "manage", "write", "maintenance"}
"""Index privileges with which documents or indices can be deleted (``write`` is Elasticsearch's, not ours)."""


@pytest.mark.parametrize("action", GRANTED)
def test_an_action_stands_for_what_it_always_did(action: Action) -> None:
    assert set(privileges_of((action,), ())) == GRANTED[action]


@pytest.mark.parametrize("action", Action)
def test_an_action_that_can_delete_says_so(action: Action) -> None:
    can = bool(CAN_DELETE & set(privileges_of((action,), ())))
    assert can == ("delete" in action.allows)


def test_privileges_are_sorted_and_without_duplicates() -> None:
    found = privileges_of((Action.MONITOR, Action.READ), ("read", "all"))
    assert found == ("all", "monitor", "read", "view_index_metadata")


def test_letters_are_distinct_and_in_order() -> None:
    assert letters_of(tuple(Action)[::-1], raw=True) == "".join(action.letter for action in Action) + "*"
    assert letters_of((Action.WRITE, Action.READ), raw=False) == "rw"
    assert len({action.letter for action in Action}) == len(Action)


INVALID_SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "an upper case index": ({"grants": [a_grant("Orders")]}, "lower case"),
    "a broken regular expression": ({"grants": [a_grant("/[/")]}, "spec.grants[0].indices"),
    "no grant at all": ({"grants": []}, "at least one grant"),
    "a grant that allows nothing": ({"grants": [a_grant(can=[])]}, "can"),
    "an unknown action": ({"grants": [a_grant(can=["fly"])]}, "spec.grants[0].can[0]"),
    "an unknown key": ({"grant": []}, "spec.grant"),
    "a privilege that is none": ({"grants": [a_grant(privileges=["Read All"])]}, "not the name of a privilege"),
    "a privilege of other clusters' keys": (
        {"grants": [a_grant(privileges=["read", "cross_cluster_replication"])]},
        "cannot be declared",
    ),
    "a cluster privilege that gives everything": (
        {"clusterCan": ["manage_security"]},
        "manage_security cannot be declared: changes who may do what",
    ),
    "a cluster privilege that is none": ({"clusterCan": ["superpower"]}, "write one of monitor, "),
    "a person's address": ({"service_account": "me@example.com"}, "serviceAccount"),
    "a wildcard for a service account": ({"service_account": "*@acme.iam.gserviceaccount.com"}, "serviceAccount"),
    "fields without read": ({"grants": [a_grant(can=["append"], fields={"include": ["a"]})]}, "read"),
    "where without read": ({"grants": [a_grant(can=["append"], where={"term": {"a": 1}})]}, "read"),
    "where with two queries": ({"grants": [a_grant(where={"term": {}, "terms": {}})]}, "where"),
    "an unknown mode": ({"mode": "Maybe"}, "spec.mode"),
}


@pytest.mark.parametrize(("given", "message"), INVALID_SPECS.values(), ids=INVALID_SPECS)
def test_a_bad_spec_is_named_and_grants_nothing(given: dict[str, Any], message: str) -> None:
    access = an_access(**given)
    assert message in access.invalid
    assert access.share.entries == ()


@pytest.mark.parametrize(
    "spec",
    [None, "text", [], {}, {"subject": []}, {"subject": {"serviceAccount": 5}}, {"deletionPolicy": [], "cluster": 7}],
    ids=repr,
)
def test_any_spec_can_be_read(spec: Any) -> None:
    access = access_from_object(a_search_access() | {"spec": spec})
    assert access.invalid
    assert access.principal == ""
    assert (access.mode, access.deletion_policy) == (Mode.ENFORCE, DeletionPolicy.DELETE)


SUMMARIES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "one grant": ([a_grant("orders-*", can=["read", "write"])], "rw orders-*"),
    "more indices": ([a_grant("a", "b"), a_grant("c")], "r a +2"),
    "raw privileges": ([a_grant("a", can=[], privileges=["all"])], "* a"),
    "some documents": ([a_grant("a", where={"term": {"region": "eu"}}), a_grant("b")], "r~ a +1"),
    "some fields": ([a_grant("a", can=["read", "write"], fields={"exclude": ["ssn"]})], "rw~ a"),
    "some fields of another grant": ([a_grant("a"), a_grant("b", fields={"include": ["id"]})], "r a +1~"),
    "all fields by name": ([a_grant("a", fields={"include": ["*"]})], "r a"),
}


@pytest.mark.parametrize(("grants", "text"), SUMMARIES.values(), ids=SUMMARIES)
def test_summary(grants: list[dict[str, Any]], text: str) -> None:
    assert an_access(grants=grants).summary == text


HIDING: dict[str, Any] = {"fields": {"exclude": ["a"]}}
WRITERS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    # grants, of which the last one writes, and whether it may change mappings and update
    "beside nothing": ([a_grant(can=["write"])], True),
    "hidden fields": ([a_grant(can=["read", "write"], **HIDING)], False),
    "hidden fields by another grant": ([a_grant("o*", **HIDING), a_grant(can=["append", "write"])], False),
    "hidden fields elsewhere": ([a_grant("audit", **HIDING), a_grant(can=["write"])], True),
    "hidden documents": ([a_grant(can=["read", "write"], where={"term": {"a": 1}})], False),
    "hidden documents by another grant": (
        [a_grant("o*", where={"term": {"a": 1}}), a_grant(can=["append", "write"])],
        False,
    ),
    "what is hidden in part is read as a whole": ([a_grant(**HIDING), a_grant("o*", can=["read", "write"])], True),
    "part of what is hidden is read as a whole": (
        [a_grant("o*", **HIDING), a_grant("orders-1"), a_grant("orders-*", can=["write"])],
        False,
    ),
    "all fields": ([a_grant(can=["read", "write"], fields={"include": ["*"]})], True),
}


@pytest.mark.parametrize(("grants", "named"), WRITERS.values(), ids=WRITERS)
def test_a_writer_from_whom_something_is_hidden_neither_changes_mappings_nor_updates(
    grants: list[dict[str, Any]], *, named: bool
) -> None:
    # By these names Elasticsearch accepts explicit changes of the mapping, and by two of them updates.
    granting = {"create", "create_doc", "index", "write"}
    writer = an_access(grants=grants).share.entries[-1]
    assert bool(granting & set(writer.privileges)) == named
    assert not any("update" in name for name in writer.privileges)
    credential = {"store": "main", "name": "orders"}
    key = an_access(grants=grants, auth="ApiKey", credential=credential).share.entries[-1]
    assert granting & set(key.privileges), "the operator's login may not have the actions"


def test_summary_of_cluster_privileges_alone() -> None:
    assert an_access(grants=[], clusterCan=["monitor"]).summary == "cluster"


def test_the_hash_is_of_the_rights_alone() -> None:
    one = an_access("a", grants=[a_grant("a", "b", can=["write", "read"]), a_grant("c")], generation=1)
    same = an_access("b", grants=[a_grant("c"), a_grant("b", "a", "a", can=["read", "write"])], generation=9)
    other = an_access("a", grants=[a_grant("a", "b", can=["read"]), a_grant("c")])
    assert one.share.hash == same.share.hash != other.share.hash
    assert one.share.same_as(same.share)


def test_rights_whose_hash_was_asked_for_are_as_before() -> None:
    asked, other = an_access(grants=[a_grant("a")]).share, an_access(grants=[a_grant("a")]).share
    known = asked.hash
    assert (asked, hash(asked), repr(asked)) == (other, hash(other), repr(other))
    assert replace(asked, cluster=("monitor",)).hash != known == other.hash


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_documented(reason: Reason) -> None:
    doc = doc_of(reason)
    assert doc.meaning.endswith(".")
    assert doc.next_step.endswith(".")
    assert doc.who


def test_no_documentation_without_a_reason() -> None:
    assert set(REASON_DOCS) == set(Reason)
