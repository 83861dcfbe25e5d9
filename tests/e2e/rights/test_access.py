"""What a service may do is what its manifest says: no less, no more, from its next request on."""

import json
from typing import Any

import httpx
import pytest

from tests.stack.trust.tokens import TokenIssuer
from tests.support.worlds.world import World, access, account, grant

ORDERS = [
    {"region": "eu", "total": 1, "customer": {"name": "Ada", "ssn": "123-45"}},
    {"region": "eu", "total": 2, "customer": {"name": "Bob", "ssn": "678-90"}},
    {"region": "us", "total": 3, "customer": {"name": "Cem", "ssn": "555-55"}},
]


def fill(world: World, *indices: str) -> None:
    """Put the orders into indices."""
    for index in indices:
        for number, order in enumerate(ORDERS):
            world.admin.put(f"/{index}/_doc/{number}", json=order).raise_for_status()
        world.admin.post(f"/{index}/_refresh").raise_for_status()


def found(caller: httpx.Client, target: str) -> list[dict[str, Any]]:
    """Return the documents that a search finds."""
    answer = caller.get(f"/{target}/_search")
    assert answer.status_code == 200, answer.text
    return [hit["_source"] for hit in answer.json()["hits"]["hits"]]


def bulk(caller: httpx.Client, index: str, *lines: dict[str, Any]) -> list[int]:
    """Send a bulk request and give each item's status."""
    body = "".join(f"{json.dumps(line)}\n" for line in lines)
    answer = caller.post(f"/{index}/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return [next(iter(item.values()))["status"] for item in answer.json()["items"]]


def granted(world: World, name: str, *grants: dict[str, Any], **spec: Any) -> httpx.Client:
    """Declare an access and give a caller that has it."""
    world.apply(access(name, *grants, **spec))
    world.until_ready(name)
    return world.caller(name)


def test_a_reader_sees_the_granted_documents_and_fields_of_the_granted_indices_and_no_more(world: World) -> None:
    fill(world, "orders-1", "orders-2", "invoices-1")
    limits: dict[str, Any] = {"fields": {"exclude": ["customer.ssn"]}, "where": {"term": {"region.keyword": "eu"}}}
    caller = granted(world, "reader", grant("orders-*", **limits))

    documents = found(caller, "orders-*")
    assert {(item["region"], item["customer"]["name"]) for item in documents} == {("eu", "Ada"), ("eu", "Bob")}
    assert len(documents) == 4
    assert all("ssn" not in item["customer"] for item in documents)
    assert caller.get("/orders-1/_doc/2").status_code == 404, "a document that where does not match is not there"
    assert caller.get("/orders-1/_count?q=customer.ssn:123").json()["count"] == 0, "nor can a hidden field be searched"
    assert caller.get("/invoices-1/_search").status_code == 403
    for answer in (
        caller.put("/orders-1/_doc/9", json={}),
        caller.post("/orders-1/_update/0", json={"doc": {"total": 0}}),
        caller.delete("/orders-1/_doc/0"),
        caller.delete("/orders-1"),
        caller.put("/orders-3"),
        caller.get("/_cluster/health"),
        caller.get("/_security/role"),
        caller.put("/_security/role/mine", json={"cluster": ["all"]}),
    ):
        assert answer.status_code == 403, answer.request.url


def test_nobody_else_gets_in(world: World) -> None:
    fill(world, "guarded-1")
    granted(world, "guarded", grant("guarded-*"))
    url = "/guarded-1/_search"
    assert world.caller("guarded").get(url).status_code == 200
    assert world.caller("guarded-2").get(url).status_code == 403, "another service account"
    assert world.caller("guarded", audience="https://other.example.com").get(url).status_code == 401
    assert world.caller("guarded", issuer="https://issuer.example.com").get(url).status_code == 401
    assert world.caller("guarded", lifetime=-600).get(url).status_code == 401, "an expired token"
    forged = TokenIssuer().mint(account("guarded"))
    assert world.elasticsearch.client_as(forged).get(url).status_code == 401, "a token with another signature"
    person = world.elasticsearch.issuer.mint("ada@example.com")
    assert world.elasticsearch.client_as(person).get(url).status_code == 403, "a person of the same issuer"


@pytest.mark.parametrize("email", ["default", "*", "guarded*", "{{username}}"])
def test_odd_names_in_a_token_match_no_role(world: World, email: str) -> None:
    fill(world, "odd-1")
    granted(world, "odd", grant("odd-*"))
    answer = world.caller(email).get("/odd-1/_search")
    assert answer.status_code == 403, answer.text


def test_write_adds_and_replaces_documents_but_deletes_nothing(world: World) -> None:
    fill(world, "written-1")
    caller = granted(world, "writer", grant("written-*", can=["write"]))

    assert caller.put("/written-1/_doc/new", json={"total": 7}).status_code == 201
    assert caller.put("/written-1/_doc/0", json={"total": 8}).status_code == 200
    assert caller.post("/written-1/_update/1", json={"doc": {"total": 9}}).status_code == 200
    assert caller.delete("/written-1/_doc/0").status_code == 403
    assert caller.delete("/written-1").status_code == 403
    assert caller.get("/written-1/_search").status_code == 403, "write does not read"
    items = bulk(
        caller,
        "written-1",
        {"index": {"_id": "0"}},
        {"total": 10},
        {"delete": {"_id": "1"}},
        {"update": {"_id": "2"}},
        {"doc": {"total": 11}},
    )
    assert items == [200, 403, 200], "in a bulk request, only the deletion is refused"
    assert world.admin.get("/written-1/_count").json()["count"] >= 3
    assert world.admin.get("/written-1/_doc/1").json()["_source"]["total"] == 9


def test_append_only_adds(world: World) -> None:
    fill(world, "appended-1")
    caller = granted(world, "appender", grant("appended-*", can=["append"]))

    assert caller.post("/appended-1/_doc", json={"total": 7}).status_code == 201
    assert caller.put("/appended-1/_create/new", json={"total": 7}).status_code == 201
    assert caller.put("/appended-1/_create/0", json={"total": 8}).status_code == 409
    assert caller.put("/appended-1/_doc/0", json={"total": 8}).status_code == 403
    assert caller.post("/appended-1/_update/0", json={"doc": {"total": 8}}).status_code == 403
    assert caller.delete("/appended-1/_doc/0").status_code == 403
    items = bulk(
        caller,
        "appended-1",
        {"create": {}},
        {"total": 9},
        {"index": {"_id": "0"}},
        {"total": 9},
        {"delete": {"_id": "0"}},
    )
    assert items == [201, 403, 403]
    assert world.admin.get("/appended-1/_doc/0").json()["_source"] == ORDERS[0]


def test_create_lets_the_first_write_create_its_index(world: World) -> None:
    caller = granted(world, "creator", grant("created-*", can=["append", "create"]))

    assert caller.post("/created-1/_doc", json={"total": 7}).status_code == 201
    assert caller.put("/created-2").status_code == 403
    assert caller.delete("/created-1").status_code == 403
    assert granted(world, "creator", grant("created-*", can=["append"])).post("/created-3/_doc", json={}).is_error


def test_delete_deletes_documents_and_neither_writes_nor_deletes_the_index(world: World) -> None:
    fill(world, "deleted-1")
    caller = granted(world, "deleter", grant("deleted-*", can=["delete"]))

    assert caller.delete("/deleted-1/_doc/0").status_code == 200
    assert bulk(caller, "deleted-1", {"delete": {"_id": "1"}}, {"index": {"_id": "2"}}, {"total": 0}) == [200, 403]
    assert caller.put("/deleted-1/_doc/2", json={}).status_code == 403
    assert caller.delete("/deleted-1").status_code == 403


def test_manage_creates_and_deletes_indices_and_reads_nothing(world: World) -> None:
    fill(world, "managed-1", "unmanaged-1")
    caller = granted(world, "manager", grant("managed-*", can=["manage"]))

    assert caller.put("/managed-2").status_code == 200
    assert caller.get("/managed-1/_search").status_code == 403
    assert caller.delete("/managed-1").status_code == 200
    assert caller.delete("/unmanaged-1").status_code == 403
    assert world.admin.head("/managed-1").status_code == 404


def test_monitor_sees_statistics_and_no_documents(world: World) -> None:
    fill(world, "monitored-1")
    caller = granted(world, "monitor", grant("monitored-*", can=["monitor"]))

    assert caller.get("/monitored-1/_stats").status_code == 200
    assert caller.get("/monitored-1/_mapping").status_code == 200
    assert caller.get("/monitored-1/_search").status_code == 403


def test_raw_privileges_come_on_top_of_actions(world: World) -> None:
    fill(world, "raw-1")
    caller = granted(world, "raw", grant("raw-*", can=["append"], privileges=["read", "maintenance"]))

    assert len(found(caller, "raw-1")) == 3
    assert caller.post("/raw-1/_refresh").status_code == 200
    assert caller.delete("/raw-1/_doc/0").status_code == 403


def test_cluster_privileges_alone_are_enough_for_an_access(world: World) -> None:
    caller = granted(world, "watcher", clusterCan=["monitor"])

    assert caller.get("/_cluster/health").status_code == 200
    assert caller.put("/_cluster/settings", json={"persistent": {"search.max_buckets": 9}}).status_code == 403
    assert caller.get("/_security/user").status_code == 403


def test_a_regular_expression_names_indices(world: World) -> None:
    fill(world, "regex-1", "regex-22", "regex-a")
    caller = granted(world, "regex", grant("/regex-[0-9]+/"))

    assert len(found(caller, "regex-1")) == 3
    assert len(found(caller, "regex-22")) == 3
    assert caller.get("/regex-a/_search").status_code == 403


def test_two_grants_of_one_access_add_up_and_each_keeps_its_limits(world: World) -> None:
    fill(world, "sum-eu", "sum-all")
    limited = grant("sum-eu", where={"term": {"region.keyword": "eu"}})
    caller = granted(world, "sum", limited, grant("sum-all", can=["read", "write"]))

    assert len(found(caller, "sum-eu")) == 2
    assert len(found(caller, "sum-all")) == 3
    assert caller.put("/sum-all/_doc/0", json={}).status_code == 200
    assert caller.put("/sum-eu/_doc/0", json={}).status_code == 403


def test_a_caller_meets_a_changed_manifest_at_its_next_request(world: World) -> None:
    fill(world, "warm-1", "chill-1")
    caller = granted(world, "warm", grant("warm-*"))
    assert len(found(caller, "warm-1")) == 3
    assert caller.put("/warm-1/_doc/0", json=ORDERS[0]).status_code == 403

    world.apply(access("warm", grant("warm-*", can=["read", "write"])))
    world.until_ready("warm")
    assert caller.put("/warm-1/_doc/0", json=ORDERS[0]).status_code == 200

    world.apply(access("warm", grant("warm-*", where={"term": {"region.keyword": "us"}})))
    world.until_ready("warm")
    assert caller.put("/warm-1/_doc/0", json=ORDERS[0]).status_code == 403
    assert len(found(caller, "warm-1")) == 1

    world.apply(access("warm", grant("chill-*")))
    world.until_ready("warm")
    assert caller.get("/warm-1/_search").status_code == 403
    assert len(found(caller, "chill-1")) == 3


def test_a_caller_meets_a_deleted_manifest_at_its_next_request_and_a_new_one_too(world: World) -> None:
    fill(world, "gone-1")
    caller = granted(world, "gone", grant("gone-*"))
    assert len(found(caller, "gone-1")) == 3

    world.delete("gone")
    assert caller.get("/gone-1/_search").status_code == 403
    assert not world.role("gone")

    granted(world, "gone", grant("gone-*"))
    assert len(found(caller, "gone-1")) == 3


def test_another_subject_takes_the_rights_and_the_former_loses_them(world: World) -> None:
    fill(world, "moved-1")
    caller = granted(world, "moved", grant("moved-*"))
    heir = world.caller("moved-heir")
    assert heir.get("/moved-1/_search").status_code == 403

    world.apply(access("moved", grant("moved-*"), principal=account("moved-heir")))
    world.until_ready("moved")
    assert heir.get("/moved-1/_search").status_code == 200
    assert caller.get("/moved-1/_search").status_code == 403
    assert not world.role("moved")
