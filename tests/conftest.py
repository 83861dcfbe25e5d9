"""Real servers as session fixtures: each starts when the first test asks for it."""

import gc
import os
import random
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.stack.build import BuildError
from tests.stack.build_go import ARGOCD, HELM, HELM_4, KUBE_SCORE, PROMTOOL, SECRET_MANAGER, VAULT, ensure_program
from tests.stack.build_kubernetes import ensure_kubernetes_binaries
from tests.stack.elasticsearch import ElasticsearchServer, ExternalElasticsearch, ensure_class_archive
from tests.stack.kubernetes import ExternalKubernetes, KubernetesServers
from tests.stack.others.emulator import SecretManagerEmulator
from tests.stack.others.vault import VaultServer
from tests.stack.releases import chosen_release
from tests.stack.stack import Stack
from tests.stack.trust.tokens import TokenIssuer
from tests.support.logs import forget_configuration
from tests.support.runs.effort import ALL, QUICK
from tests.support.runs.passed import KeepPassed, leave_out

# Every run has the same examples: a change is to blame for a failure, not chance. HYPOTHESIS_PROFILE=random has others.
# All are tried unless HYPOTHESIS_PROFILE=quick asks for a part, as `make test-unit` does and `make test` never.
_ANY_MACHINE = settings(max_examples=ALL, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", _ANY_MACHINE, derandomize=True)
settings.register_profile("quick", _ANY_MACHINE, derandomize=True, max_examples=QUICK)
settings.register_profile("random", _ANY_MACHINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "thorough"))


_GARBAGE = (20_000, 20, 20)
"""Thresholds of the garbage collector: in virtual time objects are made much faster than they were chosen for."""
_TESTS = Path(__file__).parent
_SERVERLESS = {"unit", "component"}
_BEHAVIOR = {"callers", "contract", "e2e"}
_NEED_ELASTICSEARCH = {"elasticsearch_server", "stack", "built_servers", "built_elasticsearch"}


_OWN_SERVERS = {
    "another_elasticsearch",
    "_elsewhere",
    "vault_server",
    "vault",
    "secret_manager_emulator",
    "built_servers",
}


def _suite(file: Path) -> str:
    """Return the folder of tests/ that a test is in, however deep; its file's name if it is in none."""
    return file.relative_to(_TESTS).parts[0]


@pytest.fixture(autouse=True)
def _as_alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Without servers, a test has the same jitter on each run, whatever ran before it. Each finds logging as it was."""
    if settings().derandomize and _suite(request.path) in _SERVERLESS:
        random.seed(request.node.nodeid)
    yield
    if structlog.is_configured():
        forget_configuration()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of servers."""
    parser.addoption(
        "--stack",
        choices=["local", "kind"],
        default="local",
        help="kind: what `make kind-up` made; tests that bring servers of their own are left out",
    )
    parser.addoption(
        "--namespaced",
        action="store_true",
        help="the operator of the end-to-end tests watches some namespaces only, with Roles in these",
    )
    parser.addoption("--keep-passed", type=Path, metavar="FILE", help="write which tests passed, an id a line")
    parser.addoption(
        "--leave-out", type=Path, metavar="FILE", help="leave out those that passed elsewhere, if there is such a file"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run on servers that are not there."""
    if config.getoption("--stack") == "kind" and not ExternalKubernetes.is_configured():
        raise pytest.UsageError("--stack=kind needs the environment in build/kind/env: use `make kind-test`")
    if kept := config.getoption("--keep-passed"):
        config.pluginmanager.register(KeepPassed(kept))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which Elasticsearch tests run on, how many examples they try, and how many passed elsewhere.

    The summary counts what is left out only if one process runs all tests.
    """
    external = ExternalElasticsearch.is_configured()
    share = settings().max_examples * 100 // ALL
    return [
        f"Elasticsearch: {'one that is not ours' if external else chosen_release().version}",
        f"examples and random histories: {f'{share} %, for a quick look' if share < 100 else 'all'}",
        *([f"left out: {len(ids)} tests that passed elsewhere"] if (ids := _passed_elsewhere(config)) else []),
    ]


def _passed_elsewhere(config: pytest.Config) -> set[str]:
    file = config.getoption("--leave-out")
    return set(file.read_text().splitlines()) if file and file.exists() else set()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the behavior that depends on Elasticsearch: that is tested on each of its releases.

    What crashes and outages do to it, and the launcher, is tested on the first alone. Folders' own conftest.py come
    first and may say what their items need; `-m` comes after.
    """
    if config.getoption("--stack") == "kind":
        leave_out(config, items, {item for item in items if _OWN_SERVERS & set(getattr(item, "fixturenames", ()))})
    if ids := _passed_elsewhere(config):
        leave_out(config, items, {item for item in items if item.nodeid in ids})
    for item in items:
        suite = _suite(item.path)
        if suite == "e2e":
            item.add_marker("e2e")
        if item.get_closest_marker("one_release"):
            continue
        if suite in _BEHAVIOR and _NEED_ELASTICSEARCH & set(getattr(item, "fixturenames", ())):
            item.add_marker("elasticsearch")


def pytest_collection() -> None:
    """Let the garbage collector rest: what collection makes stays to the end, and each of its runs goes through it."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end, modules and models and tests, and let it run less often."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Build what the chosen tests need before the first one: no test's time limit covers a build of minutes."""
    if session.config.option.collectonly:
        return
    needed = {fixture for item in session.items for fixture in getattr(item, "fixturenames", ())}
    with _visible_output(session.config):
        try:
            if needed & {"kubernetes_servers", "stack", "built_servers"}:
                ensure_kubernetes_binaries()
            shared = {"built_elasticsearch"} if ExternalElasticsearch.is_configured() else _NEED_ELASTICSEARCH
            if needed & shared:
                ensure_class_archive()
            if "vault_server" in needed:
                ensure_program(VAULT)
            if "secret_manager_emulator" in needed:
                ensure_program(SECRET_MANAGER)
            tools = {"helm": HELM, "helm4": HELM_4, "promtool": PROMTOOL, "kube_score": KUBE_SCORE, "argocd": ARGOCD}
            for tool, program in tools.items():
                if tool in needed:
                    ensure_program(program)
        except BuildError as error:
            # A process that shares the tests with another one has no standard output.
            print(f"{error}\nTests that need this server will fail; the others run.", file=sys.stderr)


@pytest.fixture(scope="session")
def built_servers() -> None:
    """The servers are built; for tests that start them in a process of their own."""


@pytest.fixture(scope="session")
def built_elasticsearch() -> None:
    """Elasticsearch is built; for tests that need one of their own, with settings of their own."""


@pytest.fixture(scope="session")
def idle_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Servers that start when they are asked for."""
    servers = Stack()
    yield servers
    with _visible_output(request.config):  # Shows where logs are kept.
        servers.stop(failed=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def stack(idle_stack: Stack) -> Stack:
    """Kubernetes and Elasticsearch, started side by side."""
    idle_stack.start()
    return idle_stack


@pytest.fixture(scope="session")
def kubernetes_servers(idle_stack: Stack) -> KubernetesServers:
    ours = idle_stack.kubernetes
    assert isinstance(ours, KubernetesServers)
    return ours


@pytest.fixture(scope="session")
def elasticsearch_server(idle_stack: Stack) -> ElasticsearchServer:
    return idle_stack.elasticsearch


@pytest.fixture(scope="session")
def vault_server(request: pytest.FixtureRequest) -> Iterator[VaultServer]:
    server = VaultServer()
    try:
        server.start()
        yield server
    finally:
        with _visible_output(request.config):
            server.close(failed=request.session.testsfailed > 0)


@pytest.fixture(scope="session")
def secret_manager_emulator() -> Iterator[SecretManagerEmulator]:
    with SecretManagerEmulator() as server:
        yield server


@pytest.fixture(scope="session")
def issuer(idle_stack: Stack) -> TokenIssuer:
    """Signs the tokens that this session's Elasticsearch accepts; starts nothing."""
    return idle_stack.issuer


def _visible_output(config: pytest.Config) -> AbstractContextManager[None]:
    capture = config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else nullcontext()
