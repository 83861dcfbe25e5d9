"""How host names are looked up, and what comes of certificates that cannot be used."""

import base64

import pytest

from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.sources import holds_certificates
from searchaccess.operator.connections.connecting import Connections
from searchaccess.ports.errors import LoginMissing
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import LoopClock
from tests.support.memory.kubernetes import MemoryKubernetes


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("::1", {"::1"}),
        ("34.76.1.1", {"34.76.1.1"}),
        ("no-such-host.invalid", set()),
        (f"{'a' * 64}.example.com", set()),
    ],
)
async def test_what_a_host_stands_for(host: str, addresses: set[str]) -> None:
    connections = Connections(MemoryKubernetes(Faults(), LoopClock().now))
    assert set(await connections.resolve(host)) == addresses


async def test_a_name_of_this_machine() -> None:
    connections = Connections(MemoryKubernetes(Faults(), LoopClock().now))
    assert set(await connections.resolve("localhost")) & {"127.0.0.1", "::1"}


async def test_certificates_that_only_the_library_finds_wrong_are_reported() -> None:
    body = base64.b64encode(b"\x30\x02\x30\x00").decode()
    ca = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    assert holds_certificates(ca)
    connections = Connections(MemoryKubernetes(Faults(), LoopClock().now))
    with pytest.raises(LoginMissing, match=r"spec\.ca: the certificates to trust cannot be read: "):
        await connections.open(Connection(("https://127.0.0.1:9200",), ca, "operator", "secret"))
