"""What a role adds to what is declared, in words."""

from typing import Any

import pytest

from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.rights.foreign.additions import Budget, Declared, added_by
from tests.unit.builders import a_grant, an_access

EU: dict[str, Any] = {"term": {"region": "eu"}}
US: dict[str, Any] = {"term": {"region": "us"}}
SUPERUSER: dict[str, Any] = {
    "cluster": ["all"],
    "indices": [
        {"names": ["*"], "privileges": ["all"]},
        {"names": ["*"], "privileges": ["monitor", "read"], "allow_restricted_indices": True},
    ],
    "applications": [{"application": "*", "privileges": ["*"], "resources": ["*"]}],
    "run_as": ["*"],
}
DECLARED = [
    a_grant("orders-*", where=EU),
    a_grant("bills-*", fields={"include": ["region", "amount"]}),
    a_grant("logs-a-*", can=["read", "write"]),
    a_grant("logs-*", can=["read", "monitor"]),
]


def _entry(*names: str, can: tuple[str, ...] = ("read",), **more: Any) -> dict[str, Any]:
    return {"names": list(names), "privileges": list(can), **more}


def _added(*entries: dict[str, Any], grants: list[dict[str, Any]] | None = None, **more: Any) -> str:
    access = an_access(grants=grants or DECLARED, clusterCan=["monitor"])
    assert not access.invalid
    return added_by(role_from_json({"indices": list(entries), **more}), Declared.of([access.share]), Budget())


NOTHING: dict[str, dict[str, Any]] = {
    "nothing": {"indices": []},
    "the privilege none": {"indices": [_entry("x-*", can=("none",))], "cluster": ["none"]},
    "the same": {"indices": [_entry("orders-*", query=EU)]},
    "the same query, as text": {"indices": [_entry("orders-*", query='{"term": {"region": "eu"}}')]},
    "fewer indices": {"indices": [_entry("orders-1", "orders-2*", query=EU)]},
    "a regular expression of fewer": {"indices": [_entry("/logs-[0-9]+/")]},
    "fewer documents": {"indices": [_entry("logs-1", query=EU)]},
    "fewer fields": {"indices": [_entry("bills-1", field_security={"grant": ["region"]})]},
    "a part of a privilege": {"indices": [_entry("logs-a-*", can=("read", "create_doc"))]},
    "an action of a privilege": {"indices": [_entry("logs-*", can=("indices:data/read/search*",))]},
    "capitals": {"indices": [_entry("logs-*", can=("READ",))]},
    "indices of two grants together": {"indices": [_entry("logs-*", can=("view_index_metadata",))]},
    "a part of a cluster privilege": {"cluster": ["monitor", "monitor_ml"]},
    "metadata alone": {"metadata": {"x": 1}, "description": "x", "transient_metadata": {"enabled": True}},
}


@pytest.mark.parametrize("role", NOTHING.values(), ids=NOTHING)
def test_it_adds_nothing(role: dict[str, Any]) -> None:
    assert _added(*role.pop("indices", []), **role) == ""


ADDED: dict[str, tuple[dict[str, Any], str]] = {
    "more indices": ({"indices": [_entry("orders*", query=EU)]}, "read on orders*"),
    "all indices": ({"indices": [_entry("*")]}, "read on all indices"),
    "more actions": ({"indices": [_entry("logs-b-*", can=("write",))]}, "write on logs-b-*"),
    "all actions": ({"indices": [_entry("logs-b-*", can=("all",))]}, "all actions on logs-b-*"),
    "more documents, without a query": (
        {"indices": [_entry("orders-1")]}, "documents of orders-1 that `where` hides"
    ),
    "more documents, by another query": (
        {"indices": [_entry("orders-1", query=US)]}, "documents of orders-1 that `where` hides"
    ),
    "more fields": (
        {"indices": [_entry("bills-*", field_security={"grant": ["*"], "except": ["ssn"]})]},
        "fields of bills-* that `fields` hides",
    ),
    "an update, which shows the document": (
        {"indices": [_entry("orders-1", can=("index",), query=EU)]}, "index on orders-1"
    ),
    "a cluster privilege": ({"cluster": ["manage_own_api_key", "monitor"]}, "cluster privileges manage_own_api_key"),
    "all cluster privileges": ({"cluster": ["all"]}, "all cluster privileges"),
    "another user": ({"run_as": ["ada", "bob"]}, "acting as ada, bob"),
    "Elasticsearch's own indices": (
        {"indices": [_entry("*", can=("monitor",), allow_restricted_indices=True)]},
        "monitor on all indices, monitor on Elasticsearch's own indices",
    ),
    "remote clusters": (
        {"remote_indices": [_entry("orders-*", clusters=["eu"])]}, "read on eu:orders-*"
    ),
    "privileges on remote clusters": (
        {"remote_cluster": [{"clusters": ["eu"], "privileges": ["monitor_enrich"]}]}, "privileges on remote clusters"
    ),
    "Kibana": (
        {"applications": [{"application": "kibana-.kibana", "privileges": ["feature_x.all"], "resources": ["*"]}]},
        "feature_x.all in Kibana",
    ),
    "another application": (
        {"applications": [{"application": "shop", "privileges": ["a"], "resources": ["*"]}]},
        "privileges of applications",
    ),
    "managing others": (
        {"global": {"application": {"manage": {"applications": ["x"]}}}}, "managing roles or applications of others"
    ),
    "what is new": ({"shoes": ["x"]}, "what the operator does not know (shoes)"),
    "what is new in an entry": (
        {"indices": [_entry("logs-1", shoes=1)]}, "rights that the operator does not know"
    ),
    "a pattern that cannot be read": ({"indices": [_entry("/logs-[/")]}, "perhaps read on /logs-[/"),
    "superuser, on remote clusters too": (
        SUPERUSER | {"remote_indices": [_entry("*", can=("all", "monitor"), clusters=["*"])]},
        "all indices, all actions, all cluster privileges, acting as anybody and 3 more",
    ),
    "superuser": (SUPERUSER, "all indices, all actions, all cluster privileges, acting as anybody and 1 more"),
}  # fmt: skip


@pytest.mark.parametrize(("role", "text"), ADDED.values(), ids=ADDED)
def test_it_adds_something(role: dict[str, Any], text: str) -> None:
    rest = {key: value for key, value in role.items() if key != "indices"}
    assert _added(*role.get("indices", []), **rest) == text


def test_two_grants_together_do_not_lift_what_each_restricts() -> None:
    grants = [a_grant("orders-*", where=EU, fields={"include": ["region"]}), a_grant("x-*")]
    fields = {"grant": ["region"]}
    assert _added(_entry("orders-*", query=EU, field_security=fields), grants=grants) == ""
    both = "documents of orders-* that `where` hides, fields of orders-* that `fields` hides"
    assert _added(_entry("orders-*"), grants=grants) == both


def test_what_takes_too_long_counts_as_added() -> None:
    names = [f"/a.*{number}.*b.*c/" for number in range(2000)]
    assert _added(_entry(*names[:20]), grants=[a_grant("a*b*c")]) == ""
    assert _added(_entry(*names), grants=[a_grant("a*b*c")]).startswith("perhaps read on /a.*")
