"""`searchaccess audit` on the log of a real Elasticsearch: who did what, and how small the log can be."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import yaml

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.parsing import build_share
from tests.stack.elasticsearch import ExternalElasticsearch, LocalElasticsearch
from tests.stack.running.logs import entries_of
from tests.support.howto import auditlogs
from tests.support.waiting import eventually
from tests.unit.cli.program import searchaccess

pytestmark = [
    pytest.mark.elasticsearch,
    pytest.mark.usefixtures("built_elasticsearch"),
    pytest.mark.skipif(ExternalElasticsearch.is_configured(), reason="an audit log needs a server of our own"),
]
EMAIL = "shop-web@acme-shop.iam.gserviceaccount.com"
REVISION = "shop-web/shop-web-00007-abc"
ACCESS = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccess",
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "cluster": "prod",
        "subject": {"serviceAccount": EMAIL},
        "grants": [{"indices": ["orders-*"], "can": ["read", "write"]}],
    },
}
PATIENCE = 60.0
_SHARDS = "orders-many-shards"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalElasticsearch]:
    with LocalElasticsearch(audit=True) as started:
        with started.client() as admin:
            for index in ("orders-1", "orders-2", "customers"):
                admin.put(f"/{index}/_doc/1?refresh", json={"region": "eu"}).raise_for_status()
            settings = {"index": {"number_of_shards": 8, "number_of_replicas": 0}}
            admin.put(f"/{_SHARDS}", json={"settings": settings}).raise_for_status()
            indices = [
                {"names": ["orders-*"], "privileges": ["read", "index", "create"]},
                {"names": ["customers"], "privileges": ["read"]},
            ]
            admin.put("/_security/role/web", json={"indices": indices}).raise_for_status()
            mapping = {"enabled": True, "roles": ["web"], "rules": {"field": {"username": EMAIL}}}
            admin.put("/_security/role_mapping/web", json=mapping).raise_for_status()
        yield started


@pytest.fixture
def caller(server: LocalElasticsearch) -> Iterator[httpx.Client]:
    with server.client_as(server.issuer.mint(EMAIL)) as client:
        client.headers["X-Opaque-Id"] = REVISION
        yield client


def rows(server: LocalElasticsearch, folder: Path, *options: str, until: Callable[[list[Any]], bool]) -> list[Any]:
    """Read the report again until the log, which is written behind, has what is expected."""
    (folder / "access.yaml").write_text(yaml.safe_dump(ACCESS))
    deadline = time.monotonic() + PATIENCE
    while True:
        arguments = ("audit", "-f", str(folder / "access.yaml"), *options, "-o", "json", str(server.audit_file))
        found = json.loads(searchaccess(folder, *arguments, check=0).stdout)["rows"]
        if until(found) or time.monotonic() > deadline:
            return list(found)
        time.sleep(0.2)


def bulk(caller: httpx.Client, number: int, index: str = "orders-1") -> None:
    lines = "".join(f'{{"index":{{"_index":"{index}"}}}}\n{{"number":{item}}}\n' for item in range(number))
    answer = caller.post("/_bulk", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert answer.raise_for_status().json()["errors"] is False


def test_it_says_who_did_what_from_which_revision(
    server: LocalElasticsearch, caller: httpx.Client, tmp_path: Path
) -> None:
    assert caller.get("/orders-*/_search").status_code == 200
    assert caller.get("/orders-2/_doc/1").status_code == 200
    assert caller.delete("/orders-2/_doc/1").status_code == 403
    bulk(caller, 3)
    assert caller.get("/customers/_search").status_code == 200
    with server.client_as("no.token.here") as stranger:
        assert stranger.get("/orders-1/_search").status_code == 401
    with server.client() as stranger:
        assert stranger.get("/orders-1/_search", auth=(EMAIL, "a guess")).status_code == 401

    expected = {
        ("read", "orders-1", 1, 0, ()),
        ("read", "orders-2", 2, 0, ()),
        ("read", _SHARDS, 1, 0, ()),
        ("delete", "orders-2", 0, 1, ()),
        ("write", "orders-1", 1, 0, ()),
        ("bulk", None, 1, 0, ()),
        ("read", "customers", 1, 0, ("BeyondDeclared",)),
    }

    def mine(found: list[Any]) -> set[tuple[Any, ...]]:
        return {
            (row["action"], row["index"], row["allowed"], row["denied"], tuple(row["findings"]))
            for row in found
            if row["searchAccesses"] == ["shop/web"] and row["action"] in ("read", "write", "bulk", "delete")
        }

    found = rows(server, tmp_path, until=lambda now: mine(now) == expected and _unknown(now) > 1)
    assert mine(found) == expected
    assert {row["revision"] for row in found if row["searchAccesses"]} == {"shop-web-00007-abc"}
    assert not any(row["revisionProven"] for row in found)
    assert _unknown(found) == 2, "whatever name was given"
    # Whoever nobody declared comes first: here the administrator, who made the indices.
    assert (found[0]["principal"], found[0]["findings"]) == ("elastic", ["Unexplained"])


def test_recorded_logs_have_the_fields_of_real_ones(
    server: LocalElasticsearch, caller: httpx.Client, tmp_path: Path
) -> None:
    caller.headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert caller.get("/orders-1/_search").status_code == 200
    assert caller.delete("/orders-1/_doc/1").status_code == 403
    with server.client_as("no.token.here") as stranger:
        assert stranger.get("/orders-1/_search").status_code == 401
    auditlogs.write(tmp_path, datetime.now(UTC))
    recorded = _fields(tmp_path / "logs" / "prod_audit.json")
    assert len(recorded) == 3

    def lacking() -> dict[tuple[str, str], set[str]]:
        real = _fields(server.audit_file)
        return {kind: lacks for kind, names in recorded.items() if (lacks := names - real.get(kind, set()))}

    eventually(lambda: not lacking(), within=PATIENCE, what=f"real events have these fields: {lacking()}")


def _fields(log: Path) -> dict[tuple[str, str], set[str]]:
    """Return the names of the fields that events have, by the type and the action of the event."""
    found: dict[tuple[str, str], set[str]] = {}
    for event in entries_of(log.read_text()):
        found.setdefault((event["event.type"], event["event.action"]), set()).update(event)
    return found


def _unknown(found: list[Any]) -> int:
    return sum(row["denied"] for row in found if row["findings"] == ["NoIdentity"])


FILTERS = {"indices": 0.6, "principals": 0.1}
"""What may remain of the bytes of a load of bulk requests."""


@pytest.mark.parametrize(("keep", "share"), FILTERS.items())
def test_a_filter_keeps_the_log_small_and_the_last_use_right(
    server: LocalElasticsearch, caller: httpx.Client, tmp_path: Path, keep: str, share: float
) -> None:
    def bytes_of_a_load(marker: str) -> int:
        before = server.audit_file.stat().st_size
        for _ in range(20):
            bulk(caller, 100, _SHARDS)
        caller.get("/orders-2/_doc/1", headers={"X-Opaque-Id": f"{marker}/{marker}-1"})
        rows(server, tmp_path, "--service", marker, until=bool)
        return server.audit_file.stat().st_size - before

    everything = bytes_of_a_load(f"whole-{keep}")
    body = json.loads(searchaccess(tmp_path, "audit-filter", "--keep", keep, "-o", "json", check=0).stdout)
    printed = yaml.safe_load(searchaccess(tmp_path, "audit-filter", "--keep", keep, check=0).stdout)
    assert printed == body["persistent"]
    with server.client() as admin:
        admin.put("/_cluster/settings", json=body).raise_for_status()
    try:
        filtered = bytes_of_a_load(f"filtered-{keep}")
        assert filtered < everything * share, (filtered, everything)

        since = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        bulk(caller, 5, _SHARDS)
        assert caller.get("/orders-1/_search").status_code == 200
        assert caller.delete("/orders-2/_doc/1").status_code == 403
        wanted: set[tuple[Any, ...]] = {("read", "orders-1", True), ("delete", "orders-2", False)}
        wanted |= {("write", _SHARDS, True)} if keep == "indices" else {("bulk", None, True)}

        def seen(found: list[Any]) -> set[tuple[Any, ...]]:
            return {(row["action"], row["index"], row["allowed"] > 0) for row in found}

        found = rows(server, tmp_path, "--since", since, "--service", EMAIL, until=lambda now: seen(now) >= wanted)
        assert seen(found) >= wanted
    finally:
        with server.client() as admin:
            admin.put("/_cluster/settings", json={"persistent": dict.fromkeys(body["persistent"])}).raise_for_status()


# Recommendations

WORLDS = 12
INDICES = ("stock-1", "stock-2", "depot-1", "depot-2")
_LINES = {"Content-Type": "application/x-ndjson"}
REQUESTS: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "search": lambda client, index: client.get(f"/{index}/_search"),
    "get": lambda client, index: client.get(f"/{index}/_doc/1"),
    "mapping": lambda client, index: client.get(f"/{index}/_mapping"),
    "stats": lambda client, index: client.get(f"/{index}/_stats"),
    "index": lambda client, index: client.put(f"/{index}/_doc/1", json={"region": "eu"}),
    "create": lambda client, index: client.post(f"/{index}/_doc", json={"region": "eu"}),
    "update": lambda client, index: client.post(f"/{index}/_update/1", json={"doc": {"region": "eu"}}),
    "delete": lambda client, index: client.delete(f"/{index}/_doc/none"),
    "bulk": lambda client, index: _bulk_of(client, index, "index"),
    "bulk create": lambda client, index: _bulk_of(client, index, "create"),
    "refresh": lambda client, index: client.post(f"/{index}/_refresh"),
    "search of several": lambda client, index: client.get(f"/{index},{INDICES[0]}/_search"),
    "search of all": lambda client, index: client.get(f"/{index[:-1]}*/_search"),
    "many searches": lambda client, index: client.post(
        "/_msearch", content=f'{{"index":"{index}"}}\n{{"size":0}}\n', headers=_LINES
    ),
    "scroll": lambda client, index: client.get(f"/{index}/_search?scroll=1m"),
    "count": lambda client, index: client.get(f"/{index}/_count"),
}


def _bulk_of(client: httpx.Client, index: str, operation: str) -> httpx.Response:
    content = f'{{"{operation}":{{"_index":"{index}"}}}}\n{{"region":"eu"}}\n'
    return client.post("/_bulk", content=content, headers=_LINES)


def _passed(answer: httpx.Response) -> bool:
    """Whether Elasticsearch allowed it; 404 is an answer, too."""
    refused = answer.status_code in (401, 403) or '"security_exception"' in answer.text
    assert refused or answer.status_code in (200, 201, 404), answer.text
    return not refused


def _role(spec: dict[str, Any]) -> dict[str, Any]:
    return RoleBody(entries=build_share(SearchAccessSpec.model_validate(spec)).entries).to_json()


def _world(random: Random, number: int) -> dict[str, Any]:
    patterns = [*INDICES, "stock-*", "depot-*", "*-1"]
    actions = ["read", "write", "append", "delete", "monitor", "manage"]
    grants = [
        {"indices": random.sample(patterns, random.randint(1, 3)), "can": random.sample(actions, random.randint(1, 4))}
        for _ in range(random.randint(1, 3))
    ]
    spec = {"cluster": "prod", "subject": {"serviceAccount": _email(number)}, "grants": grants}
    metadata = {"namespace": "shop", "name": f"world-{number}"}
    return {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccess", "metadata": metadata, "spec": spec}


def _email(number: int) -> str:
    return f"world-{number}@acme-shop.iam.gserviceaccount.com"


def test_what_was_allowed_is_still_allowed_with_what_is_recommended(server: LocalElasticsearch, tmp_path: Path) -> None:
    random = Random(20)  # noqa: S311 - the same each time
    worlds = [_world(random, number) for number in range(WORLDS)]
    used: list[list[tuple[str, str]]] = []
    with server.client() as admin, ExitStack() as stack:
        for index in INDICES:
            admin.put(f"/{index}/_doc/1?refresh", json={"region": "eu"}).raise_for_status()
        callers = [
            stack.enter_context(server.client_as(server.issuer.mint(_email(number)))) for number in range(WORLDS)
        ]
        for number, world in enumerate(worlds):
            admin.put(f"/_security/role/world-{number}", json=_role(world["spec"])).raise_for_status()
            mapping = {"enabled": True, "roles": [f"world-{number}"], "rules": {"field": {"username": _email(number)}}}
            admin.put(f"/_security/role_mapping/world-{number}", json=mapping).raise_for_status()
        for caller in callers:
            tried = [(random.choice(list(REQUESTS)), random.choice(INDICES)) for _ in range(12)]
            used.append([(request, index) for request, index in tried if _passed(REQUESTS[request](caller, index))])
        marker = f"end-{secrets.token_hex(4)}"
        callers[0].get("/", headers={"X-Opaque-Id": f"{marker}/{marker}-1"})
        rows(server, tmp_path, "--service", marker, until=bool)

        (tmp_path / "worlds.yaml").write_text(yaml.safe_dump_all(worlds))
        arguments = ("recommend", "-f", str(tmp_path / "worlds.yaml"), "-o", "json", str(server.audit_file))
        advice = json.loads(searchaccess(tmp_path, *arguments, check=0).stdout)["searchAccesses"]
        found = {item["searchAccess"]: item for item in advice}
        narrower = 0
        for number, caller in enumerate(callers):
            item = found[f"shop/world-{number}"]
            narrower += bool(item["unused"])
            if item["spec"] is None:
                assert item["unused"] == [] or used[number] == []
                continue
            admin.put(f"/_security/role/world-{number}", json=_role(item["spec"])).raise_for_status()
            again = [use for use in used[number] if not _passed(REQUESTS[use[0]](caller, use[1]))]
            assert again == [], (worlds[number]["spec"], item)
    assert narrower > WORLDS / 2
    assert sum(map(len, used)) > 3 * WORLDS
