"""Each port, in memory and for real: the same tests hold both, so that the doubles cannot lie."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from tests.contract.elasticsearch_sides import ElasticsearchSide, MemorySide, RealSide
from tests.contract.kubernetes_sides import KubernetesSide, MemoryObjects, RealObjects
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesServers
from tests.stack.trust.certificates import ServerCertificate, write_server_certificate
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import SettableClock

MEMORY = "in memory"
REAL = "for real"

_SERVERS: Mapping[str, str] = {"search": "elasticsearch_server", "objects": "kubernetes_servers"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests need a real server, so that it is built before the first test begins."""
    for item in items:
        names = getattr(item, "fixturenames", [])
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("side") == "Vault":
            names.append("vault_server")
        for fixture, server in _SERVERS.items():
            if parameters.get(fixture) == REAL and server not in names:
                names.append(server)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """One for all doubles of Google: gRPC reads once in a process whom to trust."""
    made = write_server_certificate(tmp_path_factory.mktemp("google"))
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(made.ca_file)
    return made


@pytest.fixture(scope="session")
def installed(kubernetes_servers: KubernetesServers) -> KubernetesServers:
    """An API server that knows our kinds and the operator's ServiceAccount."""
    RealObjects.install(kubernetes_servers)
    return kubernetes_servers


@pytest.fixture(scope="session")
def login(elasticsearch_server: ElasticsearchServer) -> ElasticsearchServer:
    """An Elasticsearch that knows the operator's login."""
    RealSide.install(elasticsearch_server)
    return elasticsearch_server


@pytest.fixture(params=[MEMORY, REAL])
async def search(request: pytest.FixtureRequest) -> AsyncIterator[ElasticsearchSide]:
    side: ElasticsearchSide
    prefix = f"contract.{secrets.token_hex(4)}."
    side = MemorySide(prefix) if request.param == MEMORY else RealSide(prefix, request.getfixturevalue("login"))
    yield side
    await side.close()


@pytest.fixture(params=[MEMORY, REAL])
async def objects(request: pytest.FixtureRequest) -> AsyncIterator[KubernetesSide]:
    side: KubernetesSide
    if request.param == MEMORY:
        side = MemoryObjects(Faults(), SettableClock())
    else:
        side = await RealObjects.connect(request.getfixturevalue("installed"))
    yield side
    await side.close()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Returns names that no other test uses."""
    suffix = secrets.token_hex(3)
    return lambda name: f"{name}-{suffix}"


Raw = dict[str, Any]
