"""What a host name stands for is checked again for each connection: it need not be what it was when it was checked."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from searchaccess.adapters.answers import body_of
from searchaccess.adapters.elasticsearch import node
from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.operator.connections.connecting import Connections
from searchaccess.ports.errors import NotPrivate, TlsNotVerified, Unexpected, Unreachable
from tests.contract.oddserver import answer
from tests.stack.trust.certificates import write_server_certificate
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import LoopClock
from tests.support.memory.kubernetes import MemoryKubernetes

HERE = "127.0.0.1"
PUBLIC = "34.76.1.1"


@dataclass
class Network:
    """A server at an address of this machine, and what names stand for, look-up by look-up."""

    port: int
    authority: str
    connected: list[str] = field(default_factory=list)
    """Addresses to which connections were begun."""
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """TLS server names that clients asked for."""
    reply: bytes = answer("200 OK")
    found: list[list[str]] = field(default_factory=list)
    """What each next look-up gives; the last one stays."""

    async def getaddrinfo(self, _host: str, port: int | None, **_: Any) -> list[tuple[Any, ...]]:
        addresses = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port or 0)) for address in addresses]

    def client(self, host: str = "localhost", *, public: bool = False) -> ElasticsearchClient:
        return ElasticsearchClient(Connection((f"https://{host}:{self.port}",), self.authority, public=public))


@pytest.fixture
async def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    certificate = write_server_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found.requests.append(head.partition(b"\r\n")[0])
        writer.write(found.reply)
        writer.close()

    server = await asyncio.start_server(serve, HERE, 0, ssl=context)
    found = Network(server.sockets[0].getsockname()[1], certificate.ca_file.read_text())
    context.sni_callback = lambda _socket, name, _context: found.names.append(name)
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def sock_connect(sock: socket.socket, address: Any) -> None:
        found.connected.append(address[0])
        if address[0] == PUBLIC:
            raise ConnectionRefusedError
        await connect(sock, address)

    monkeypatch.setattr(loop, "getaddrinfo", found.getaddrinfo)
    monkeypatch.setattr(loop, "sock_connect", sock_connect)
    async with server:
        yield found


async def test_a_name_that_was_private_and_is_public_now_is_not_connected_to(network: Network) -> None:
    network.found = [[HERE], [PUBLIC]]
    connections = Connections(MemoryKubernetes(Faults(), LoopClock().now))
    assert await connections.resolve("localhost") == (HERE,)
    client = network.client()
    with pytest.raises(NotPrivate, match=rf"localhost \({PUBLIC}\) is a public address.*allowExposure"):
        await client.roles(None)
    assert network.connected == []
    await client.close()


async def test_each_new_connection_is_checked(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    network.found = [[HERE]]
    monkeypatch.setattr("aiohttp.connector._DNSCacheTable.expired", lambda *_: True)
    client = network.client()
    assert await client.roles(None) == {}
    network.found = [[PUBLIC]]
    with pytest.raises(NotPrivate):
        await client.roles(None)
    assert network.connected == [HERE]
    await client.close()


async def test_one_public_address_among_private_ones_is_enough_to_refuse(network: Network) -> None:
    network.found = [[HERE, PUBLIC]]
    client = network.client()
    with pytest.raises(NotPrivate):
        await client.roles(None)
    assert network.connected == []
    await client.close()


async def test_a_public_address_that_is_allowed_is_connected_to(network: Network) -> None:
    network.found = [[PUBLIC]]
    client = network.client(public=True)
    with pytest.raises(Unreachable):
        await client.roles(None)
    assert set(network.connected) == {PUBLIC}
    await client.close()


async def test_the_certificate_is_verified_for_the_name_and_not_for_the_address(network: Network) -> None:
    network.found = [[HERE]]
    client = network.client()
    assert await client.roles(None) == {}
    assert network.names == ["localhost"]
    await client.close()
    client = network.client("search.example.com")
    with pytest.raises(TlsNotVerified):
        await client.roles(None)
    assert network.names == ["localhost", "search.example.com"]
    assert len(network.requests) == 1
    await client.close()


@pytest.mark.parametrize("where", ["/elsewhere", "https://localhost:1/", f"http://{PUBLIC}/"])
async def test_a_redirect_is_not_followed(network: Network, where: str) -> None:
    """Nobody checked whereto, and what logs in would go there too."""
    network.found = [[HERE]]
    network.reply = answer("302 Found", headers=f"Location: {where}\r\n")
    client = network.client()
    with pytest.raises(Unreachable, match="redirect"):
        await client.roles(None)
    assert network.connected == [HERE]
    assert len(network.requests) == 1
    await client.close()


async def test_an_answer_without_end_is_not_read_to_its_end(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "body_of", lambda response, whose, _longest: body_of(response, whose, 100_000))
    network.found = [[HERE]]
    network.reply = answer("200 OK", "[" + " " * 200_000 + "]")
    client = network.client()
    with pytest.raises(Unexpected, match="more than 100000 bytes"):
        await client.roles(None)
    await client.close()
