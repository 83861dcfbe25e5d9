"""Servers that tests may stop and start, apart from the session's shared ones."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack.build_go import ARGOCD, is_built
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.kubernetes import KubernetesServers
from tests.support.worlds.arena import Arena, arena
from tests.support.worlds.world import World

# It takes a quarter of an hour to build: `make test-argocd` does, and from then on it is tested with everything else.
collect_ignore = [] if os.environ.get("SEARCHACCESS_TEST_ARGOCD") or is_built(ARGOCD) else ["test_argocd.py"]


@dataclass(frozen=True)
class OwnServers:
    kubernetes: KubernetesServers
    elasticsearch: LocalElasticsearch


@pytest.fixture(scope="session")
def own_servers(
    built_servers: None,  # noqa: ARG001 - built before any test.
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OwnServers]:
    """Servers with the CRDs, the operator's ServiceAccount and its login."""
    servers = OwnServers(KubernetesServers(), LocalElasticsearch())
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda start: start(), [servers.kubernetes.start, servers.elasticsearch.start]))
        World(servers.kubernetes, servers.elasticsearch, tmp_path_factory.mktemp("own")).install()
        yield servers
    finally:
        failed = request.session.testsfailed > 0
        servers.elasticsearch.close(failed=failed)
        servers.kubernetes.close(failed=failed)


@pytest.fixture
def field(own_servers: OwnServers, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Arena]:
    """An arena for one test, under an instance name of its own."""
    words = re.findall("[a-z0-9]+", request.node.name.removeprefix("test_").lower())
    instance = "-".join(words)[-40:].strip("-")
    with arena(own_servers.kubernetes, own_servers.elasticsearch, tmp_path / "arena", instance) as one:
        yield one
