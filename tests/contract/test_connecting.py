"""How host names are looked up."""

import pytest

from searchaccess.operator.connecting import Connections
from tests.support.clocks import LoopClock
from tests.support.faults import Faults
from tests.support.memory_kubernetes import MemoryKubernetes


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
