"""What writers may do with indices, data streams and aliases: each sentence of docs/actions.md, on each release."""

import json
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.parsing import build_share
from tests.contract.vocabulary.actionproofs import PROOFS, Request, unproven
from tests.stack.elasticsearch import ElasticsearchServer

PASSWORD = "only-for-this-test"
ADDING = [["append"], ["write"]]
CREATING = [["append", "create"], ["write", "create"]]
DOCUMENT = {"@timestamp": "2026-11-28T00:00:00Z", "total": 1}


@dataclass
class Bench:
    """A server with a name that no other test uses: indices, roles and users begin with it."""

    server: ElasticsearchServer
    admin: httpx.Client
    name: str

    def caller(self, can: list[str], *indices: str, **more: Any) -> httpx.Client:
        """Return a client that has these actions on indices whose names begin with ours, and nothing else."""
        names = [index.replace("NAME", self.name) for index in indices or ("NAME-*",)]
        spec = SearchAccessSpec.model_validate(
            {
                "cluster": "x",
                "subject": {"serviceAccount": "x@y.iam.gserviceaccount.com"},
                "grants": [{"indices": names, "can": can, **more}],
            }
        )
        self.admin.put(f"/_security/role/{self.name}", json=build_share(spec).body.to_json()).raise_for_status()
        user = {"password": PASSWORD, "roles": [self.name]}
        self.admin.put(f"/_security/user/{self.name}", json=user).raise_for_status()
        trust = ssl.create_default_context(cafile=str(self.server.ca_file))
        return httpx.Client(base_url=self.server.url, auth=(self.name, PASSWORD), verify=trust, timeout=30)

    def template(self, **body: Any) -> None:
        """Make a template for all of our indices."""
        whole = {"index_patterns": [f"{self.name}-*"], "priority": 500, **body}
        self.admin.put(f"/_index_template/{self.name}", json=whole).raise_for_status()

    def found(self, kind: str = "indices") -> set[str]:
        """Return the names of our indices, aliases or data streams."""
        answer = self.admin.get(f"/_resolve/index/{self.name}*,.ds-{self.name}*?expand_wildcards=all")
        return {item["name"] for item in answer.json()[kind]}

    def count(self, target: str) -> int:
        self.admin.post(f"/{target}/_refresh").raise_for_status()
        found: int = self.admin.get(f"/{target}/_count").json()["count"]
        return found

    def close(self) -> None:
        for stream in self.found("data_streams"):
            # The data streams' own API is a module that the test server does not have; their template holds them.
            self.admin.delete(f"/_data_stream/{stream}")
        for index in self.found():
            self.admin.delete(f"/{index}")
        self.admin.delete(f"/_index_template/{self.name}")
        self.admin.delete(f"/_security/user/{self.name}")
        self.admin.delete(f"/_security/role/{self.name}")


@pytest.fixture
def bench(elasticsearch_server: ElasticsearchServer) -> Iterator[Bench]:
    with elasticsearch_server.client() as admin:
        made = Bench(elasticsearch_server, admin, f"actions{secrets.token_hex(3)}")
        yield made
        made.close()


def bulk(caller: httpx.Client, target: str, *lines: dict[str, Any]) -> list[int]:
    """Send a bulk request and give each item's status."""
    body = "".join(f"{json.dumps(line)}\n" for line in lines)
    answer = caller.post(f"/{target}/_bulk", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return [next(iter(item.values()))["status"] for item in answer.json()["items"]]


# Each action


@pytest.mark.parametrize("action", Action)
def test_an_action_allows_what_it_says_and_refuses_the_rest(bench: Bench, action: Action) -> None:
    assert unproven([action]) == []
    proof, index = PROOFS[action], f"{bench.name}-1"
    bench.admin.put(f"/{index}/_doc/1?refresh=true", json=DOCUMENT).raise_for_status()
    caller = bench.caller([action, *proof.beside])

    def status(request: Request) -> int:
        path = request.path.replace("INDEX", index).replace("NEW", f"{bench.name}-new")
        return caller.request(request.method, path, json=request.body).status_code

    assert [(request, got) for request in proof.refuses if (got := status(request)) != 403] == []
    assert [(request, got) for request in proof.allows if (got := status(request)) not in {200, 201}] == []


# The first write


@pytest.mark.parametrize("can", ADDING, ids=str)
def test_without_create_the_first_write_is_refused(bench: Bench, can: list[str]) -> None:
    caller = bench.caller(can)
    answer = caller.post(f"/{bench.name}-1/_doc", json=DOCUMENT)
    assert answer.status_code == 403
    assert "indices:admin/auto_create" in answer.text
    assert bulk(caller, f"{bench.name}-1", {"create": {}}, DOCUMENT) == [403]
    assert bench.found() == set()


@pytest.mark.parametrize("can", CREATING, ids=str)
def test_with_create_the_first_write_creates_the_index_by_its_template(bench: Bench, can: list[str]) -> None:
    bench.template(template={"settings": {"number_of_replicas": 0}})
    caller = bench.caller(can)
    assert caller.post(f"/{bench.name}-1/_doc", json=DOCUMENT).status_code == 201
    assert bulk(caller, f"{bench.name}-2", {"create": {}}, DOCUMENT) == [201]
    assert bench.found() == {f"{bench.name}-1", f"{bench.name}-2"}
    settings = bench.admin.get(f"/{bench.name}-1/_settings").json()[f"{bench.name}-1"]["settings"]["index"]
    assert settings["number_of_replicas"] == "0"


@pytest.mark.parametrize("can", CREATING, ids=str)
def test_with_create_the_first_write_creates_the_data_stream_of_a_template(bench: Bench, can: list[str]) -> None:
    bench.template(data_stream={})
    caller = bench.caller(can)
    assert caller.post(f"/{bench.name}-stream/_doc", json=DOCUMENT).status_code == 201
    assert bench.found("data_streams") == {f"{bench.name}-stream"}
    assert caller.post(f"/{bench.name}-stream/_doc", json={**DOCUMENT, "new": "field"}).status_code == 201
    assert bench.count(f"{bench.name}-stream") == 2


@pytest.mark.parametrize("can", [["create"], *CREATING], ids=str)
def test_create_creates_nothing_but_by_a_write_to_a_granted_name(bench: Bench, can: list[str]) -> None:
    caller = bench.caller(can)
    refused = [
        caller.put(f"/{bench.name}-1"),
        caller.put(f"/{bench.name}-1", json={"aliases": {"others": {}}}),
        caller.put(f"/{bench.name}-1", json={"settings": {"number_of_shards": 3}}),
        caller.post(f"/{bench.name}other/_doc", json=DOCUMENT),
        caller.put(f"/_index_template/{bench.name}", json={"index_patterns": [f"{bench.name}-*"]}),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert bench.found() == set()


@pytest.mark.parametrize("can", [["create"], ["create", "read"]], ids=str)
def test_create_alone_writes_nothing(bench: Bench, can: list[str]) -> None:
    caller = bench.caller(can)
    assert caller.post(f"/{bench.name}-1/_doc", json=DOCUMENT).status_code == 403
    assert bench.found() == set()


def test_append_with_create_still_only_adds(bench: Bench) -> None:
    caller, index = bench.caller(["append", "create"]), f"{bench.name}-1"
    assert caller.put(f"/{index}/_create/1", json=DOCUMENT).status_code == 201
    refused = [
        caller.put(f"/{index}/_doc/1", json={}),
        caller.put(f"/{index}/_doc/2", json={}),
        caller.post(f"/{index}/_update/1", json={"doc": {"total": 2}}),
        caller.delete(f"/{index}/_doc/1"),
        caller.delete(f"/{index}"),
        caller.post(f"/{index}/_close"),
        caller.put(f"/{index}/_settings", json={"index": {"number_of_replicas": 0}}),
        caller.put(f"/{index}/_alias/{bench.name}-alias"),
        caller.get(f"/{index}/_search"),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert caller.put(f"/{index}/_create/1", json={}).status_code == 409
    assert bulk(caller, index, {"index": {"_id": "1"}}, {}, {"create": {"_id": "2"}}, DOCUMENT) == [403, 201]
    assert bench.admin.get(f"/{index}/_doc/1").json()["_source"] == DOCUMENT
    assert bench.found() == {index}


def test_a_write_of_a_kind_that_is_refused_may_have_created_its_index(bench: Bench) -> None:
    caller = bench.caller(["append", "create"])
    assert caller.put(f"/{bench.name}-1/_doc/1", json=DOCUMENT).status_code == 403
    assert bench.found() == {f"{bench.name}-1"}
    assert bench.count(f"{bench.name}-1") == 0


# New fields


@pytest.mark.parametrize("can", ADDING, ids=str)
def test_new_fields_need_create_in_a_data_stream_and_nothing_in_an_index(bench: Bench, can: list[str]) -> None:
    bench.admin.put(f"/{bench.name}-1").raise_for_status()
    stream = f"{bench.name}-stream"
    bench.template(data_stream={})
    bench.admin.post(f"/{stream}/_doc", json=DOCUMENT).raise_for_status()
    caller = bench.caller(can)
    new = {**DOCUMENT, "new": "field"}
    assert caller.post(f"/{bench.name}-1/_doc", json=new).status_code == 201
    assert caller.post(f"/{stream}/_doc", json=DOCUMENT).status_code == 201
    assert caller.post(f"/{stream}/_doc", json=new).status_code == 403
    assert bench.caller([*can, "create"]).post(f"/{stream}/_doc", json=new).status_code == 201


# Refresh


@pytest.mark.parametrize("can", ADDING, ids=str)
def test_a_write_may_ask_for_a_refresh_and_the_refresh_api_needs_maintenance(bench: Bench, can: list[str]) -> None:
    index = f"{bench.name}-1"
    bench.admin.put(f"/{index}").raise_for_status()
    caller = bench.caller(can)
    for refresh in ("true", "wait_for"):
        assert caller.post(f"/{index}/_doc?refresh={refresh}", json=DOCUMENT).status_code == 201
    assert bench.admin.get(f"/{index}/_count").json()["count"] == 2
    assert caller.post(f"/{index}/_refresh").status_code == 403
    assert bench.caller(can, privileges=["maintenance"]).post(f"/{index}/_refresh").status_code == 200


# Rollover, aliases and backing indices


@pytest.mark.parametrize("can", CREATING, ids=str)
@pytest.mark.parametrize("kind", ["alias", "data stream"])
def test_a_rollover_by_others_needs_nothing_of_the_writer_and_its_own_is_refused(
    bench: Bench, can: list[str], kind: str
) -> None:
    target = f"{bench.name}-target"
    if kind == "alias":
        bench.admin.put(f"/{bench.name}-000001", json={"aliases": {target: {"is_write_index": True}}})
    else:
        bench.template(data_stream={})
    caller = bench.caller(can)
    assert caller.post(f"/{target}/_doc", json=DOCUMENT).status_code == 201
    before = bench.found()
    assert caller.post(f"/{target}/_rollover").status_code == 403
    assert bench.admin.post(f"/{target}/_rollover").json()["rolled_over"]
    (newest,) = bench.found() - before
    assert caller.post(f"/{target}/_doc", json=DOCUMENT).json()["_index"] == newest
    rolls = bench.caller([*can, "monitor"], privileges=["indices:admin/rollover"])
    answer = rolls.post(f"/{target}/_rollover")
    assert answer.status_code == 200, answer.text


def test_who_may_roll_over_may_give_the_new_index_any_alias_and_who_may_create_indices_may_not(bench: Bench) -> None:
    target, alias = f"{bench.name}-target", f"{bench.name}-elsewhere"
    bench.admin.put(f"/{bench.name}-000001", json={"aliases": {target: {"is_write_index": True}}})
    rolls = bench.caller(["monitor"], f"{bench.name}-target", privileges=["indices:admin/rollover"])
    answer = rolls.post(f"/{target}/_rollover", json={"aliases": {alias: {}}})
    assert (answer.status_code, alias in bench.found("aliases")) == (200, True), answer.text
    creates = bench.caller(["append"], privileges=["create_index"])
    assert creates.put(f"/{bench.name}-3", json={"aliases": {alias: {}}}).status_code == 403
    assert creates.put(f"/{bench.name}-3", json={"settings": {"number_of_shards": 2}}).status_code == 200


@pytest.mark.parametrize("can", ADDING, ids=str)
def test_a_pattern_is_held_against_the_name_in_the_request_be_it_an_alias_or_an_index(
    bench: Bench, can: list[str]
) -> None:
    index, alias = f"{bench.name}-1", f"{bench.name}alias"
    bench.admin.put(f"/{index}", json={"aliases": {alias: {}}}).raise_for_status()
    by_index = bench.caller(can, "NAME-*")
    assert by_index.post(f"/{index}/_doc", json=DOCUMENT).status_code == 201
    assert by_index.post(f"/{alias}/_doc", json=DOCUMENT).status_code == 403
    by_alias = bench.caller(can, "NAMEalias")
    assert by_alias.post(f"/{alias}/_doc", json=DOCUMENT).status_code == 201
    assert by_alias.post(f"/{index}/_doc", json=DOCUMENT).status_code == 403


def test_a_grant_on_a_data_stream_has_its_backing_indices_and_one_on_these_has_not_the_stream(bench: Bench) -> None:
    bench.template(data_stream={})
    stream = f"{bench.name}-stream"
    bench.admin.post(f"/{stream}/_doc?refresh=true", json=DOCUMENT).raise_for_status()
    (backing,) = bench.found()
    assert backing.startswith(f".ds-{stream}-")
    whole = bench.caller(["read"], "NAME-stream")
    assert whole.get(f"/{stream}/_count").json()["count"] == 1
    assert whole.get(f"/{backing}/_count").json()["count"] == 1
    part = bench.caller(["read"], ".ds-NAME-*")
    assert part.get(f"/{backing}/_count").json()["count"] == 1
    assert part.get(f"/{stream}/_count").status_code == 403


def rolled_over(bench: Bench, mappings: dict[str, Any]) -> tuple[str, str]:
    """Make a data stream that was rolled over as a policy does it; return its name and its newest index."""
    stream = f"{bench.name}-stream"
    bench.template(data_stream={}, template={"mappings": mappings})
    bench.admin.post(f"/{stream}/_doc?refresh=true", json=DOCUMENT).raise_for_status()
    before = bench.found()
    conditions = {"conditions": {"max_docs": 1}}
    assert bench.admin.post(f"/{stream}/_rollover", json=conditions).json()["rolled_over"]
    (newest,) = bench.found() - before
    return stream, newest


@pytest.mark.parametrize("can", ADDING, ids=str)
def test_after_a_rollover_fields_that_the_template_does_not_have_are_new_again(bench: Bench, can: list[str]) -> None:
    stream, newest = rolled_over(bench, {})
    assert bench.caller(can).post(f"/{stream}/_doc", json=DOCUMENT).status_code == 403
    assert bench.caller([*can, "create"]).post(f"/{stream}/_doc", json=DOCUMENT).json()["_index"] == newest
    assert bench.caller(can).post(f"/{stream}/_doc", json=DOCUMENT).json()["_index"] == newest


def test_a_grant_reaches_the_index_of_a_later_rollover_by_the_stream_and_by_a_pattern_of_backing_indices(
    bench: Bench,
) -> None:
    stream, newest = rolled_over(bench, {"properties": {"total": {"type": "long"}}})
    whole = bench.caller(["read", "append"], "NAME-stream")
    assert whole.post(f"/{stream}/_doc?refresh=true", json=DOCUMENT).json()["_index"] == newest
    assert whole.get(f"/{stream}/_count").json()["count"] == 2
    assert whole.get(f"/{newest}/_count").json()["count"] == 1
    part = bench.caller(["read", "append"], ".ds-NAME-*")
    assert part.get(f"/{newest}/_count").json()["count"] == 1
    assert part.get(f"/.ds-{bench.name}-*/_count?expand_wildcards=all").json()["count"] == 2
    assert part.get(f"/{stream}/_count").status_code == 403
    assert part.post(f"/{stream}/_doc", json=DOCUMENT).status_code == 403
    directly = part.post(f"/{newest}/_doc?op_type=create", json=DOCUMENT)
    assert (directly.status_code, "backing indices is disallowed" in directly.text) == (400, True), directly.text


@pytest.fixture
def aliased(bench: Bench) -> Bench:
    """One alias on one of two indices, with a filter."""
    alias = {f"{bench.name}alias": {"filter": {"term": {"region.keyword": "eu"}}}}
    bench.admin.put(f"/{bench.name}-1", json={"aliases": alias}).raise_for_status()
    for index in ("1", "2"):
        for region in ("eu", "us"):
            document = {"region": region, "index": index}
            bench.admin.post(f"/{bench.name}-{index}/_doc?refresh=true", json=document).raise_for_status()
    return bench


def regions(caller: httpx.Client, target: str) -> list[str]:
    """Return the regions of the documents that somebody finds, with the index of each."""
    hits = caller.get(f"/{target}/_search").raise_for_status().json()["hits"]["hits"]
    return sorted(f"{hit['_source']['region']}-{hit['_source']['index']}" for hit in hits)


def test_a_grant_on_an_alias_reads_what_it_shows_now_and_not_its_indices_by_their_names(aliased: Bench) -> None:
    caller, alias = aliased.caller(["read"], "NAMEalias"), f"{aliased.name}alias"
    assert regions(caller, alias) == ["eu-1"]
    assert caller.get(f"/{aliased.name}-1/_search").status_code == 403
    assert regions(caller, f"{aliased.name}*") == ["eu-1"]
    elsewhere = [
        {"remove": {"index": f"{aliased.name}-1", "alias": alias}},
        {"add": {"index": f"{aliased.name}-2", "alias": alias}},
    ]
    aliased.admin.post("/_aliases", json={"actions": elsewhere}).raise_for_status()
    assert regions(caller, alias) == ["eu-2", "us-2"]


def test_a_grant_on_indices_does_not_read_through_an_alias_on_them(aliased: Bench) -> None:
    caller = aliased.caller(["read"], "NAME-*")
    assert caller.get(f"/{aliased.name}alias/_search").status_code == 403
    assert regions(caller, f"{aliased.name}*") == ["eu-1", "eu-2", "us-1", "us-2"]


def test_a_restriction_is_of_the_name_that_is_granted_and_of_no_other_name(aliased: Bench) -> None:
    where = {"term": {"region.keyword": "us"}}
    caller = aliased.caller(["read"], "NAMEalias", "NAME-2", where=where)
    assert regions(caller, f"{aliased.name}alias") == []
    assert regions(caller, f"{aliased.name}-2") == ["us-2"]
    assert caller.get(f"/{aliased.name}-1/_search").status_code == 403


@pytest.mark.parametrize("kind", ["indices", "data stream"])
def test_writing_through_an_alias_needs_a_write_index_and_a_grant_on_the_alias_alone(bench: Bench, kind: str) -> None:
    alias = f"{bench.name}alias"
    if kind == "indices":
        targets = [f"{bench.name}-1", f"{bench.name}-2"]
        for target in targets:
            bench.admin.put(f"/{target}", json={"aliases": {alias: {}}}).raise_for_status()
    else:
        bench.template(data_stream={})
        targets = [f"{bench.name}-one", f"{bench.name}-two"]
        for target in targets:
            bench.admin.post(f"/{target}/_doc?refresh=true", json=DOCUMENT).raise_for_status()
            add = {"actions": [{"add": {"index": target, "alias": alias}}]}
            bench.admin.post("/_aliases", json=add).raise_for_status()
    caller = bench.caller(["append", "read"], "NAMEalias")
    refused = caller.post(f"/{alias}/_doc", json=DOCUMENT)
    assert (refused.status_code, "no write index is defined" in refused.text) == (400, True), refused.text
    write = {"actions": [{"add": {"index": targets[1], "alias": alias, "is_write_index": True}}]}
    bench.admin.post("/_aliases", json=write).raise_for_status()
    written = caller.post(f"/{alias}/_doc?refresh=true", json=DOCUMENT)
    assert (written.status_code, targets[1] in written.json()["_index"]) == (201, True)
    assert caller.get(f"/{alias}/_count").json()["count"] == (1 if kind == "indices" else 3)
    assert caller.post(f"/{targets[1]}/_doc", json=DOCUMENT).status_code == 403


def test_with_create_a_write_to_an_alias_that_does_not_exist_yet_makes_an_index_of_its_name(bench: Bench) -> None:
    alias = f"{bench.name}-alias"
    assert bench.caller(["append"]).post(f"/{alias}/_doc", json=DOCUMENT).status_code == 403
    assert bench.caller(["append", "create"]).post(f"/{alias}/_doc", json=DOCUMENT).status_code == 201
    taken = bench.admin.put(f"/{bench.name}-1", json={"aliases": {alias: {}}})
    assert (taken.status_code, bench.found()) == (400, {alias})
