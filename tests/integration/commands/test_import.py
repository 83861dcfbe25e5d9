"""A cluster with rights that people wrote by hand: imported, observed, enforced, and the old roles removed.

The rights of no caller change at any of these steps: what it may do is asked with its own token, and its searches give
the same documents and fields.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from searchaccess.api.constants import API_VERSION
from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES
from tests.integration.commands.observers import observer_in
from tests.support.operatorprocess import ROOT
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import CLUSTER, account

pytestmark = pytest.mark.timeout(600)

CORPUS: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "fixtures" / "import" / "roles.yml").read_text())
ROLES: dict[str, Any] = {
    "brown-reader": {
        "indices": [
            {
                "names": ["brown-orders-*"],
                "privileges": ["read"],
                "query": {"term": {"region.keyword": "eu"}},
                "field_security": {
                    "grant": ["region", "region.*", "amount", "customer.*"],
                    "except": ["customer.iban*"],
                },
            },
            {"names": ["brown-orders-1", "brown-places"], "privileges": ["monitor", "view_index_metadata"]},
        ],
        "cluster": ["monitor"],
    },
    "brown-writer": {"indices": [{"names": ["brown-audit"], "privileges": ["create_doc", "auto_configure"]}]},
    "brown-admin": {
        "indices": [{"names": ["brown-places"], "privileges": ["read", "delete_index"]}],
        "cluster": ["manage_own_api_key"],
        "run_as": ["brown-jane"],
    },
}
NAMES = ["brown-orders-1", "brown-orders-2", "brown-audit", "brown-places", "brown-other"]
ON_INDICES = ["read", "index", "create_doc", "delete", "monitor", "view_index_metadata", "auto_configure", "manage"]


def by_name(realm: str, *names: str) -> dict[str, Any]:
    return {"all": [{"field": {"realm.name": realm}}, {"field": {"username": [account(name) for name in names]}}]}


@pytest.fixture
def brownfield(field: Arena) -> Iterator[httpx.Client]:
    """Roles, role mappings, a person and a key, as somebody wrote them before there was an operator."""
    admin, realm = field.world.admin, field.world.elasticsearch.realm
    mappings = {
        "brown-team": {"enabled": True, "roles": ["brown-reader"], "rules": by_name(realm, "orders", "billing")},
        "brown-audit": {"enabled": True, "roles": ["brown-writer", "brown-admin"], "rules": by_name(realm, "orders")},
        "brown-people": {"enabled": True, "roles": ["brown-writer"], "rules": {"field": {"groups": "cn=ops"}}},
    }
    for index in NAMES[:2]:
        for key, region in (("1", "eu"), ("2", "us")):
            document = {"region": region, "amount": 1, "ssn": "not-to-be-read"}
            admin.put(f"/{index}/_doc/{key}?refresh=true", json=document).raise_for_status()
    for name, role in ROLES.items():
        admin.put(f"/_security/role/{name}", json=role).raise_for_status()
    for name, mapping in mappings.items():
        admin.put(f"/_security/role_mapping/{name}", json=mapping).raise_for_status()
    person = {"password": "only-for-this-test", "roles": ["brown-reader"]}
    admin.put("/_security/user/brown-jane", json=person).raise_for_status()
    key = admin.post("/_security/api_key", json={"name": "brown-key"}).raise_for_status().json()
    try:
        yield admin
    finally:
        for name in mappings:
            admin.delete(f"/_security/role_mapping/{name}")
        admin.delete("/_security/user/brown-jane")
        admin.request("DELETE", "/_security/api_key", json={"ids": [key["id"]]})
        admin.request("DELETE", "/_security/role", json={"names": [*ROLES, *CORPUS]})
        admin.delete("/brown-orders-1,brown-orders-2?ignore_unavailable=true")


@pytest.fixture
def reader(field: Arena) -> list[str]:
    """Options of somebody who may only read, in Kubernetes and in Elasticsearch."""
    path, login = observer_in(field), field.folder / "login"
    return ["--kubeconfig", str(path), "--elasticsearch-login", f"file:{login}", "--instance", field.world.instance]


def run(field: Arena, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Import; nothing is written anywhere."""
    marks = [(proxy, proxy.mark()) for proxy in (field.api, field.elasticsearch)]
    command = [sys.executable, "-m", "searchaccess", "import", "--cluster", CLUSTER, "-n", "shop", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    (field.folder / "import.log").write_text(done.stdout + done.stderr)
    for proxy, mark in marks:
        # A query of users or keys is a POST that reads.
        written = proxy.since(mark, lambda seen: seen.writes and "/_query/" not in seen.path)
        assert [(seen.method, seen.path) for seen in written] == []
    return done


def rights(field: Arena, name: str) -> dict[str, Any]:
    """Return all that a caller may do: what Elasticsearch says for each privilege, and what its searches show."""
    with field.world.caller(name) as caller:
        # Not each release has each of the privileges.
        known = field.world.admin.get("/_security/privilege/_builtin").raise_for_status().json()["cluster"]
        on_cluster = sorted(set(known) & (CLUSTER_PRIVILEGES.keys() - {"all", "none"}))
        asked = {"cluster": on_cluster, "index": [{"names": NAMES, "privileges": ON_INDICES}]}
        found = caller.post("/_security/user/_has_privileges", json=asked).raise_for_status().json()
        shown = caller.get("/brown-orders-*/_search").raise_for_status().json()["hits"]["hits"]
        hits = [(hit["_index"], hit["_id"], hit["_source"]) for hit in shown]
        return {"cluster": found["cluster"], "index": found["index"], "hits": sorted(hits, key=str)}


def ours(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is left of what this test made: others use the same servers."""
    return [one for one in found["report"]["leftovers"] if "brown-" in one["source"]]


def test_rights_that_are_there_are_imported_and_enforced_and_nobody_notices(
    field: Arena, brownfield: httpx.Client, reader: list[str]
) -> None:
    world, callers = field.world, ("orders", "billing")
    world.apply(field.cluster())
    before = {name: rights(field, name) for name in callers}
    assert before["billing"]["index"]["brown-orders-1"]["read"]
    seen = [
        ("brown-orders-1", "1", {"region": "eu", "amount": 1}),
        ("brown-orders-2", "1", {"region": "eu", "amount": 1}),
    ]
    assert before["billing"]["hits"] == seen
    assert before["orders"]["cluster"]["manage_own_api_key"]

    done = run(field, *reader, "-o", "yaml")
    assert done.returncode == 2, done.stderr
    found = yaml.safe_load(done.stdout)
    names = [item["metadata"]["name"] for item in found["items"] if item["metadata"]["name"].startswith("brown-")]
    assert names == ["brown-admin", "brown-reader-billing", "brown-reader-orders", "brown-writer"]
    assert {(one["source"], one["reason"]) for one in ours(found)} == {
        ("role brown-admin", "ClusterPrivilege"),
        ("role brown-admin", "RunAs"),
        ("role mapping brown-people", "MappedByGroup"),
        ("user brown-jane", "NotAServiceAccount"),
        ("API key brown-key", "NoSubject"),
    }
    assert not [name for name in found["report"]["replaced"] if "brown-" in name], "people need the others"

    # As it is printed, kubectl takes it. It only observes.
    world.kubernetes.run_kubectl("apply", "-f", "-", input=done.stdout)
    with field.running():
        for name in names:
            world.until_reason(name, "ChangesPending", within=PATIENCE)
        assert field.roles() == {}
        assert {name: rights(field, name) for name in callers} == before

        for name in names:
            world.patch(name, {"spec": {"mode": "Enforce"}})
        world.until_ready(*names, within=PATIENCE)
        assert set(field.roles()) == {"orders", "billing"}
        assert {name: rights(field, name) for name in callers} == before

        again = json.loads(run(field, *reader, "-o", "json").stdout)
        there = {
            one["searchAccess"]: one["declared"] for one in again["report"]["imported"] if "brown-" in one["source"]
        }
        assert there == {f"shop/{name}": True for name in names}
        assert [item for item in again["items"] if item["metadata"]["name"].startswith("brown-")] == []

        # What is left of the role that is still needed stays with it.
        rest = {"cluster": ROLES["brown-admin"]["cluster"], "run_as": ROLES["brown-admin"]["run_as"]}
        brownfield.put("/_security/role/brown-admin", json=rest).raise_for_status()
        mapping = {"enabled": True, "roles": ["brown-admin"], "rules": by_name(world.elasticsearch.realm, "orders")}
        brownfield.put("/_security/role_mapping/brown-audit", json=mapping).raise_for_status()
        brownfield.delete("/_security/role_mapping/brown-team").raise_for_status()
        brownfield.delete("/_security/role/brown-reader").raise_for_status()
        brownfield.delete("/_security/role/brown-writer").raise_for_status()
        assert {name: rights(field, name) for name in callers} == before


def test_a_restriction_that_is_not_applied_today_is_reported_and_it_is_so(
    field: Arena, brownfield: httpx.Client, reader: list[str]
) -> None:
    world = field.world
    world.apply(field.cluster())
    same = ROLES["brown-reader"]["indices"][0]["names"]
    brownfield.put("/_security/role/brown-writer", json={"indices": [{"names": same, "privileges": ["delete"]}]})
    found = json.loads(run(field, *reader, "-o", "json").stdout)
    merged = [(one["source"], one["part"], one["subject"]) for one in ours(found) if one["reason"] == "Merged"]
    assert merged == [("role brown-reader", "indices[0] (brown-orders-*)", account("orders"))]
    assert [hit[1] for hit in rights(field, "orders")["hits"]] == ["1", "2", "1", "2"], "nothing is restricted today"
    assert [hit[1] for hit in rights(field, "billing")["hits"]] == ["1", "1"]


@pytest.mark.usefixtures("brownfield")
def test_what_policies_refuse_is_reported_and_is_not_written(field: Arena, reader: list[str]) -> None:
    only_audit = {
        "apiVersion": API_VERSION,
        "kind": "SearchAccessPolicy",
        "metadata": {"name": "only-audit"},
        "spec": {"allow": [{"indices": ["brown-audit"], "can": ["append", "create"]}]},
    }
    field.world.apply(field.cluster(), only_audit)
    found = json.loads(run(field, *reader, "-o", "json").stdout)
    refused = {one["source"]: one["message"] for one in ours(found) if one["reason"] == "Policy"}
    assert refused.keys() == {"role brown-reader", "role brown-admin"}
    assert all("SearchAccessPolicy only-audit" in message for message in refused.values())
    assert [item["metadata"]["name"] for item in found["items"]] == ["brown-writer"]


@pytest.mark.usefixtures("brownfield")
def test_a_cluster_is_imported_without_kubernetes_and_a_missing_right_is_named(
    field: Arena, reader: list[str], tmp_path: Path
) -> None:
    server, login = field.elasticsearch, reader[reader.index("--elasticsearch-login") + 1]
    direct = ["--elasticsearch", server.url, "--ca-file", str(server.ca_file), "--elasticsearch-login"]
    realm = field.world.elasticsearch.realm
    found = json.loads(run(field, *direct, login, "--realm", realm, "-o", "json").stdout)
    names = [item["metadata"]["name"] for item in found["items"] if item["metadata"]["name"].startswith("brown-")]
    assert names == ["brown-admin", "brown-reader-billing", "brown-reader-orders", "brown-writer"]
    (tmp_path / "username").write_text("brown-jane")
    (tmp_path / "password").write_text("only-for-this-test")
    done = run(field, *direct, f"file:{tmp_path}")
    assert done.returncode == 1
    assert "needs the cluster privilege read_security" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_api_server_accepts_all_that_is_imported_of_fifty_roles(
    field: Arena, brownfield: httpx.Client, reader: list[str], tmp_path: Path
) -> None:
    for name, role in CORPUS.items():
        brownfield.put(f"/_security/role/{name}", json=role).raise_for_status()
    who = tmp_path / "who.yaml"
    who.write_text(yaml.safe_dump({"roles": {name: account(name) for name in CORPUS}}))
    field.world.apply(field.cluster())
    into = tmp_path / "manifests"
    done = run(field, *reader, "--subject-map", str(who), "--directory", str(into), "-o", "json")
    found = json.loads(done.stdout)
    replaced = {name.removeprefix("role ") for name in found["report"]["replaced"]} & set(CORPUS)
    assert len(replaced) >= 45, "as from the file"
    assert len(list(into.iterdir())) == len(found["items"])
    field.world.kubernetes.run_kubectl("apply", "--dry-run=server", "-f", str(into))
