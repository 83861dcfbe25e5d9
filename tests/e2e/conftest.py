"""One operator process under its own ServiceAccount and with a least-privilege login, for all tests of this folder.

Tests share its world: each uses service accounts and indices of its own.
"""

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.kubernetes import KubectlError
from tests.stack.stack import Stack
from tests.stack.trust.certificates import write_server_certificate
from tests.support.metadata import MetadataServer
from tests.support.operatorprocess import ROOT
from tests.support.servers.googleserver import GoogleServer
from tests.support.servers.secretserver import SecretManagerServer
from tests.support.worlds.world import CLUSTER, World, account

NAMESPACES = ("billing", "default", "logging", "shop", "widen-team")
"""Those of the tests' SearchAccesses, and that of SearchClusters' events."""

QUICK = {"probeEvery": "500ms"}
"""Changes are found by the probe; the sweep is minutes away, so that it cannot be what found them."""

LOG_TAIL = 6000
APPROVALS = str(ROOT / "deploy" / "approvals.yaml")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="package")
def metadata(stack: Stack) -> Iterator[MetadataServer]:
    """The metadata server that the operator has."""
    with MetadataServer(stack.issuer, account("searchaccess-operator")) as server:
        yield server


@pytest.fixture(scope="package")
def google(folder: Path) -> Iterator[SecretManagerServer]:
    """Google's APIs, as the operator has them."""
    with SecretManagerServer(write_server_certificate(folder / "google"), page=1000) as server:
        yield server


@pytest.fixture(scope="package")
def world(
    stack: Stack, folder: Path, metadata: MetadataServer, google: GoogleServer, pytestconfig: pytest.Config
) -> Iterator[World]:
    """Kubernetes and Elasticsearch with the operator between them, and the SearchCluster ``prod``."""
    world = World(stack.kubernetes, stack.elasticsearch, folder)
    world.watched = NAMESPACES if pytestconfig.getoption("--namespaced") else ()
    world.environment = metadata.environment | google.environment
    world.install()
    # What is created later than these counts, so they come first.
    world.kubernetes.run_kubectl("apply", "-f", APPROVALS)
    world.namespace("billing")
    with world.running():
        world.apply(world.cluster(drift=QUICK, orphans={"allowed": True}))
        world.until_cluster_reason(CLUSTER, "InSync", within=120)
        yield world
        clear(world)
    # Other folders share the API server.
    world.kubernetes.run_kubectl("delete", "-f", APPROVALS, "--ignore-not-found")


@pytest.fixture(scope="package")
def another_elasticsearch(stack: Stack) -> Iterator[LocalElasticsearch]:
    """A second server, which trusts the same issuer."""
    with LocalElasticsearch(issuer=stack.issuer, heap="512m") as server:
        yield server


@pytest.fixture(scope="package")
def _elsewhere(world: World, another_elasticsearch: LocalElasticsearch, folder: Path) -> World:
    there = World(world.kubernetes, another_elasticsearch, folder)
    there.install()
    return there


@pytest.fixture
def elsewhere(_elsewhere: World) -> Iterator[World]:
    """The same Kubernetes and operator, with the second Elasticsearch and no SearchCluster for it yet.

    Whatever a test declares there goes away after it, so that the next one starts afresh.
    """
    yield _elsewhere
    clear(_elsewhere, keep=CLUSTER)
    for kind in ("role", "role_mapping"):
        for name in _elsewhere.admin.get(f"/_security/{kind}").json():
            if name.startswith("searchaccess."):
                _elsewhere.admin.delete(f"/_security/{kind}/{name}").raise_for_status()


@pytest.fixture
def keys(elsewhere: World) -> World:
    """A SearchCluster with a store of secrets, and a login that may make keys."""
    from tests.e2e.credentials.keys import declare_keys  # noqa: PLC0415 - it imports tests, whose asserts pytest must see first

    declare_keys(elsewhere)
    return elsewhere


def clear(world: World, keep: str = "") -> None:
    """Delete what is declared, except for what belongs to one SearchCluster."""
    kubectl = world.kubernetes.run_kubectl
    items = json.loads(kubectl("get", "searchaccesses,searchclusters", "-A", "-o", "json").stdout)["items"]
    found = []
    for item in items:
        meta = item["metadata"]
        cluster = item["spec"]["cluster"] if item["kind"] == "SearchAccess" else meta["name"]
        if cluster != keep:
            found.append((f"{item['kind']}/{meta['name']}", f"--namespace={meta.get('namespace', 'default')}"))
    for name, namespace in found:
        kubectl("delete", name, namespace, "--wait=false", "--ignore-not-found")
    try:
        for name, namespace in found:
            kubectl("wait", "--for=delete", name, namespace, "--timeout=120s")
    except KubectlError:
        # The test broke something: the next one shall not meet it.
        for name, namespace in found:
            kubectl("patch", name, namespace, "--type=merge", '-p={"metadata":{"finalizers":null}}', check=False)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the operator's log with a failed test."""
    report = yield
    world = getattr(item, "funcargs", {}).get("world") or getattr(item, "funcargs", {}).get("elsewhere")
    if report.failed and isinstance(world, World):
        log = (world.folder / "operator.log").read_text(errors="replace")
        report.sections.append(("the operator's log", log[-LOG_TAIL:]))
    return report
