"""The last use of SearchAccesses, and reports, from audit events in a real Elasticsearch and in Cloud Logging."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from google.cloud.logging_v2 import types
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from searchaccess.engine.rights.background.usage import FIRST_RETRY
from tests.e2e.clusters.test_logins import write_login, write_user
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.auditevents import AGENT, PLAIN, RAW, Event, store
from tests.support.metadata import MetadataServer
from tests.support.servers.loggingserver import LoggingServer
from tests.support.servers.proxy import Seen
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import (
    CLUSTER,
    OPERATOR_PASSWORD,
    OPERATOR_ROLE,
    OPERATOR_USER,
    SYSTEM,
    access,
    account,
    condition_in,
    grant,
)
from tests.unit.cli.program import environment

INDEX = "usage-audit-1"
AUDITOR: dict[str, Any] = {
    **OPERATOR_ROLE,
    "indices": [*OPERATOR_ROLE["indices"], {"names": ["usage-audit-*"], "privileges": ["read"]}],
}


def declare(field: Arena, every: str) -> None:
    login = {"secretRef": {"namespace": SYSTEM, "name": "auditor"}}
    field.world.apply(field.cluster(login=login, audit={"index": "usage-audit-*", "every": every}))


def hint(field: Arena) -> str:
    return str(condition_in(field.world.get_cluster(CLUSTER), "UsageUnknown").get("message", ""))


def reads_events(request: Seen) -> bool:
    return "usage-audit" in request.path


def usage(field: Arena, name: str) -> dict[str, Any]:
    found: dict[str, Any] = field.listed()[name].get("status", {}).get("usage", {})
    return found


def test_a_status_says_when_it_was_last_used(field: Arena) -> None:
    admin = field.world.admin
    write_user(field.world, "auditor", OPERATOR_ROLE)
    write_login(field.world, "auditor", username="auditor", password=OPERATOR_PASSWORD)
    store(admin, INDEX, AGENT, [Event(OPERATOR_USER, time.time() - 60)])
    try:
        declare(field, "1h")
        field.world.apply(access("orders", grant("orders-*")), access("idle", grant("idle-*")))
        with field.running():
            field.until_in_sync(2)
            refused = "may not read usage-audit-*: give its role the privilege read on it"
            eventually(lambda: refused in hint(field), within=PATIENCE, what=refused)
            assert usage(field, "orders") == {}
            write_user(field.world, "auditor", AUDITOR)
            used = time.time()
            store(admin, INDEX, AGENT, [Event(account("orders"), used), Event(OPERATOR_USER, used + 1)])
            time.sleep(max(0.0, used + 2 - time.time()))  # Until then, the newest event has not happened.
            before = len(field.elasticsearch.requests)
            # Another interval is looked at once.
            declare(field, "2h")
            eventually(lambda: usage(field, "orders").get("lastUsed"), within=PATIENCE, what="the last use")
            assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(used)) == usage(field, "orders")["lastUsed"]
            eventually(lambda: usage(field, "idle"), within=PATIENCE, what="what is known of the other")
            assert "lastUsed" not in usage(field, "idle")
            eventually(lambda: hint(field) == "", within=PATIENCE, what="no hint")
            first, *_ = field.elasticsearch.since(0, reads_events)
            asked = field.elasticsearch.since(before, reads_events)
            # Where all takes longer, the read that was refused is retried in between.
            reads = 2 if asked[-1].at - first.at > FIRST_RETRY / 2 else 1
            assert 1 <= sum("_field_caps" in request.path for request in asked) <= reads
            assert sum("_search" in request.path for request in asked) <= 3 * reads
            field.until_in_sync(2)
            status = field.world.get_cluster(CLUSTER)["status"]
            assert status["audit"]["index"] == "usage-audit-*"
    finally:
        admin.delete(f"/{INDEX}").raise_for_status()


MANIFEST = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccess",
    "metadata": {"namespace": "shop", "name": "web"},
    "spec": {
        "cluster": "prod",
        "subject": {"serviceAccount": account("web")},
        "grants": [{"indices": ["orders-*"], "can": ["read", "write"]}],
    },
}


def events() -> tuple[Event, ...]:
    now = time.time()
    return (
        Event(account("web"), now - 7000, opaque="web/web-00001-abc"),
        Event(account("web"), now - 2000, ("stock-1",), kind="access_denied"),
        Event("ada", now - 1000, ("orders-2",)),
    )


def run(folder: Path, *arguments: str, **more: str) -> Any:
    """Run the program; return what it printed, as data."""
    (folder / "access.yaml").write_text(yaml.safe_dump(MANIFEST))
    done = subprocess.run(
        [sys.executable, "-m", "searchaccess.cli.main", *arguments, "-f", str(folder / "access.yaml"), "-o", "json"],
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def rows(report: Any) -> set[tuple[Any, ...]]:
    return {
        (row["principal"].partition("@")[0], row["index"], row["allowed"], row["denied"], tuple(row["findings"]))
        for row in report["rows"]
    }


WEB = ("web", "orders-1", 1, 0, ())
DENIED = ("web", "stock-1", 0, 1, ())
ADA = ("ada", "orders-2", 1, 0, ("Unexplained",))


def test_a_report_from_an_index(field: Arena, tmp_path: Path) -> None:
    server = field.world.elasticsearch
    assert isinstance(server, LocalElasticsearch)
    store(field.world.admin, INDEX, RAW, events())
    login = tmp_path / "login"
    login.mkdir()
    (login / "username").write_text(server.username)
    (login / "password").write_text(server.password)
    reach = ("--elasticsearch", server.url, "--elasticsearch-login", f"file:{login}", "--ca-file", str(server.ca_file))
    try:
        whole = ("audit", "--from-index", "usage-audit-*", *reach)
        assert rows(run(tmp_path, *whole)) == {WEB, DENIED, ADA}
        assert rows(run(tmp_path, *whole, "--since", "1h")) == {DENIED, ADA}
        assert rows(run(tmp_path, *whole, "--denied")) == {DENIED}
        assert rows(run(tmp_path, *whole, "--index", "orders-*", "--service", "shop/web")) == {WEB}
        advice = run(tmp_path, "recommend", "--from-index", "usage-audit-*", *reach)["searchAccesses"]
        assert [item["searchAccess"] for item in advice] == ["shop/web"]
        assert advice[0]["unused"]
    finally:
        field.world.admin.delete(f"/{INDEX}").raise_for_status()


def test_a_report_from_cloud_logging(tmp_path: Path) -> None:
    certificate = write_server_certificate(tmp_path / "pki")
    (tmp_path / "home").mkdir()
    with LoggingServer(certificate, page=2) as server, MetadataServer(TokenIssuer(), account("auditor")) as metadata:
        server.entries = [
            types.LogEntry(json_payload=ParseDict(event.stored(PLAIN), Struct()), log_name="projects/acme/logs/stdout")
            for event in events()
        ]
        more = {
            "SEARCHACCESS_LOGGING_ENDPOINT": server.address,
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(certificate.ca_file),
            **metadata.environment,
        }
        arguments = ("audit", "--from-cloud-logging", "acme", "--log-name", "stdout", "--since", "1h")
        found = run(tmp_path, *arguments, "--service", "ada", **more)
        assert rows(found) == {ADA}, "what the server gives too much is left out"
        assert len(server.requests) == 2
        chosen = server.requests[0].filter
        assert 'logName="projects/acme/logs/stdout"' in chosen
        assert 'jsonPayload."user.name"=("ada")' in chosen
        assert "timestamp>=" in chosen
