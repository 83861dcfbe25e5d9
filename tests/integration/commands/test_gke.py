"""Runs as Cloud Run makes them: no kubeconfig, Google's metadata server and Kubernetes Engine's API instead."""

import base64
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud import container_v1

from tests.stack.trust.certificates import write_server_certificate
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.operatorprocess import ROOT
from tests.support.servers.googleserver import GoogleServer
from tests.support.servers.googlestate import GoogleState
from tests.support.servers.proxy import Fault, Seen
from tests.support.waiting import eventually
from tests.support.worlds.arena import Arena
from tests.support.worlds.world import CLUSTER, OPERATOR_USER, SYSTEM, access, account, grant

NAME = "projects/acme-shop/locations/europe-west1/clusters/tools"
# https://cloud.google.com/run/docs/container-contract#jobs-env-vars
JOB = {"CLOUD_RUN_JOB": "searchaccess", "CLOUD_RUN_EXECUTION": "searchaccess-x7k2p", "CLOUD_RUN_TASK_INDEX": "0"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def google(field: Arena, tmp_path: Path) -> Iterator[GoogleServer]:
    ca = base64.b64encode(field.api.ca_file.read_bytes()).decode()
    cluster = container_v1.Cluster(
        name="tools", endpoint=field.api.url.removeprefix("https://"), master_auth={"cluster_ca_certificate": ca}
    )
    with GoogleServer(GoogleState(clusters={NAME: cluster}), write_server_certificate(tmp_path / "google")) as running:
        yield running


@pytest.fixture
def metadata(field: Arena) -> Iterator[MetadataServer]:
    """Its access tokens are ones that the API server here accepts, as one of GKE does with Google's."""
    with MetadataServer(field.world.elasticsearch.issuer, account("searchaccess-operator")) as running:

        def mint() -> str:
            token = field.world.kubernetes.run_kubectl("create", "token", OPERATOR_USER, "-n", SYSTEM).stdout.strip()
            field.tokens.add(token)
            return token

        running.make_access_token = mint
        yield running


def command(field: Arena, *arguments: str) -> list[str]:
    program = field.operator()._command
    start = program[: program.index("run")]
    return [*start, "reconcile", "--instance", field.world.instance, "-o", "json", *arguments]


def start(field: Arena, google: GoogleServer, metadata: MetadataServer, *arguments: str) -> "subprocess.Popen[str]":
    """Start a run with nothing in its environment but what Cloud Run gives it."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(ROOT / "operator" / "src"),
        "SEARCHACCESS_GKE": NAME,
        **JOB,
        **google.environment,
        **metadata.environment,
    }
    log = (field.folder / "job.log").open("a")
    return subprocess.Popen(
        command(field, *arguments), env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd="/"
    )


def result(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any]]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, json.loads(output)


def test_once_without_a_kubeconfig(field: Arena, google: GoogleServer, metadata: MetadataServer) -> None:
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    code, found = result(start(field, google, metadata, "--once"))
    assert code == 0, (field.folder / "job.log").read_text()
    assert {item["name"]: item["reason"] for item in found["items"]} == {CLUSTER: "InSync", "shop/orders": "InSync"}
    assert set(field.roles()) == {"orders"}
    assert [name for _, name in google.calls] == [NAME]


def test_a_token_that_ends_is_replaced_while_it_runs(
    field: Arena, google: GoogleServer, metadata: MetadataServer
) -> None:
    metadata.lifetime = RENEWED_BEFORE + 3
    field.world.apply(field.cluster(), access("orders", grant("orders-*")))
    running = start(field, google, metadata, "--for", "5m")
    field.until_in_sync(1)
    eventually(lambda: field.api.count(lambda seen: seen.watches) >= 2, within=60, what="it watches")
    old = {seen.authorization for seen in field.api.requests if seen.authorization}

    def is_old(seen: Seen) -> bool:
        return seen.authorization in old

    def watching() -> list[Seen]:
        return [seen for seen in field.api.since(mark) if seen.watches and seen.status == 200 and not is_old(seen)]

    refusal = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401, "message": "Unauthorized"}
    with field.api.fault(Fault(answer=(401, refusal)), is_old) as fault:
        field.api.cut()
        mark = field.api.mark()
        eventually(watching, within=60, every=0.2, what="it watches with another token")
        field.world.apply(access("later", grant("later-*")))
        field.until_in_sync(2)
        assert fault.hits
    running.send_signal(signal.SIGTERM)
    code, found = result(running)
    assert (code, found["unfinished"]) == (1, "it was stopped")
    assert {item["name"]: item["reason"] for item in found["items"]} == {
        CLUSTER: "InSync", "shop/orders": "InSync", "shop/later": "InSync"
    }  # fmt: skip
