"""Messages name the thing, in full, and never what is the operator's own or nobody can read."""

from typing import Any

import pytest

from searchaccess.adapters.elasticsearch.errors import map_item
from searchaccess.api.conditions.events import EventReason
from searchaccess.core.clusters.notfound import not_found
from searchaccess.core.model.grants.actions import in_short
from searchaccess.core.model.identities.identity import Identity, unknown_message
from searchaccess.core.model.identities.workload import Place, Workload, WorkloadKind
from searchaccess.core.patterns.cost.burden import what_is_complicated
from searchaccess.core.policy.decision import Do
from searchaccess.core.policy.delegation import Delegation, lacking
from searchaccess.core.rights.diff import Difference
from searchaccess.core.rights.plan import plan_role
from searchaccess.core.status.conditions import shorten_message
from searchaccess.core.status.differences import describe_differences
from searchaccess.core.status.events import EVENT_LIMIT, note
from tests.unit.builders import OPERATOR, PRINCIPAL, a_grant, an_access, members_of

ORDERS = Workload(Place("acme-shop", "europe-west1", WorkloadKind.SERVICE), "orders")
CLUSTERS = ["prod", "prod-eu", "staging", "tests", "zoo"]


class TestASearchClusterThatDoesNotExist:
    def test_has_a_name_close_to_it(self) -> None:
        assert (
            not_found("prd", "shop", CLUSTERS) == "there is no SearchCluster named 'prd'; did you mean prod, prod-eu?"
        )

    def test_or_some_that_the_namespace_may_use(self) -> None:
        said = "there is no SearchCluster named 'main'; the namespace shop may use prod, prod-eu, staging and 2 more"
        assert not_found("main", "shop", CLUSTERS) == said

    def test_or_none(self) -> None:
        said = "there is no SearchCluster named 'main', and the namespace shop may use no other"
        assert not_found("main", "shop", []) == said


PRIVILEGES: dict[str, tuple[tuple[str, ...], str]] = {
    "an action": (("read", "view_index_metadata"), "read"),
    "a part of one": (("view_index_metadata",), "view_index_metadata"),
    "many": (
        tuple(f"indices:data/{letter}" for letter in "abcdefghi"),
        "indices:data/a, indices:data/b, indices:data/c and 6 more",
    ),
}


@pytest.mark.parametrize(("privileges", "text"), PRIVILEGES.values(), ids=PRIVILEGES)
def test_privileges_are_named_by_their_action_and_never_all_of_many(privileges: tuple[str, ...], text: str) -> None:
    assert in_short(privileges) == text


def test_what_was_not_delegated_is_named_by_its_action() -> None:
    access = an_access(grants=[a_grant("orders-*", can=["read", "append", "monitor", "delete"])])
    said = lacking((Delegation(("else",), ("all",)),), access.share.entries)
    assert said.endswith(" on orders-*")
    assert said.count(",") <= 2
    assert "read" in said


def test_what_elasticsearch_knows_all_of_is_not_repeated() -> None:
    known = ",".join(f"privilege_{number}" for number in range(25))
    reason = (
        f"unknown index privilege [raed]. a privilege must be either one of the predefined fixed indices privileges "
        f"[{known}] or a pattern over one of the available index actions"
    )
    error = map_item({"type": "illegal_argument_exception", "reason": reason})
    assert error.message == "Elasticsearch refused it: unknown index privilege [raed]"
    reason = f"action [a] is unauthorized, this action is granted by the index privileges [{known}]"
    error = map_item({"type": "security_exception", "reason": reason})
    assert error.message.endswith("by the index privileges [privilege_0, privilege_1, privilege_2 and 22 more]")


def test_patterns_that_are_too_complicated_are_those_that_were_written() -> None:
    floating = [f"*{one}*{number}" for number, one in enumerate("abcdefghijklmno")]
    restricted = [a_grant(*floating[start : start + 7], where={"term": {"a": 1}}) for start in (0, 7)]
    first, second = (an_access(name, grants=[one]) for name, one in zip(("a", "b"), restricted, strict=True))
    refused = plan_role(OPERATOR, PRINCIPAL, members_of(first, second), None, {}).refused
    assert [decision.do for decision in refused.values()] == [Do.HOLD]
    for decision in refused.values():
        assert "NO-INDEX" not in decision.message
    assert what_is_complicated(name for entry in first.share.entries for name in entry.names).startswith("*a*0")


def test_the_subject_is_named_whatever_google_said() -> None:
    assert unknown_message(ORDERS, Identity(message="no answer")) == f"{ORDERS.path}: no answer"
    said = f"Google answered 403 for {ORDERS.path}"
    assert unknown_message(ORDERS, Identity(message=said)) == said


DIFFERENCES = [
    Difference(f"role/{number}", f"indices[{'x' * 60}-{number}]", '{"a":"' + "v" * 100 + '"}', "")
    for number in range(40)
]


def test_differences_are_said_in_whole_ones_and_the_others_are_counted() -> None:
    said = describe_differences(DIFFERENCES)
    assert len(said) < EVENT_LIMIT
    assert note(EventReason.DRIFT_DETECTED, said).message == said, "the event has all of it"
    parts = said.split("; ")
    assert parts[-1] == f"and {40 - len(parts) + 1} more: status.drift.items"
    assert all(part.endswith("have nothing") for part in parts[:-1])
    assert (
        describe_differences(DIFFERENCES[:1])
        == f"role/0 {DIFFERENCES[0].path}: want {DIFFERENCES[0].want}, have nothing"
    )
    assert describe_differences([Difference("role/0", ".", "{}", "")]) == "role/0: want {}, have nothing"


TEXTS: dict[str, tuple[str, str]] = {
    "short": ("a; b", "a; b"),
    "sentences": ("first part of it; second part; third part of it", "first part of it; second part …"),
    "no place to cut": ("x" * 100, "x" * 38 + " …"),
}


@pytest.mark.parametrize(("text", "shown"), TEXTS.values(), ids=TEXTS)
def test_what_is_too_long_is_cut_after_something_whole(text: str, shown: str) -> None:
    assert shorten_message(text, 40) == shown


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({"grants": [a_grant(foo=1)]}, "spec.grants[0].foo: there is no such field"),
    "a rule of ours": ({"auth": "ApiKey"}, "spec: auth: ApiKey or Password and credential belong together"),
    "a place in a list": ({"clusterCan": ["monitor", "superpower"]}, "spec.clusterCan[1]: not a cluster privilege"),
}


@pytest.mark.parametrize(("given", "text"), BAD.values(), ids=BAD)
def test_what_is_wrong_in_a_spec_is_said_as_people_write_it(given: dict[str, Any], text: str) -> None:
    assert an_access(**given).invalid.startswith(text)
