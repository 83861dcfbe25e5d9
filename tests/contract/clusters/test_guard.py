"""A request that may not be made any more is not made, however late that turns out."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.errors import NotHolder, Unreachable
from tests.contract.oddserver import answer
from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import write_server_certificate

ROLE = Role("searchaccess.test.team.orders", RoleBody(), {})
REALM = WantedRealm("google", "https://es.example.com", "https://accounts.google.com")


@dataclass
class Guard:
    """Lets requests pass until it is shut."""

    shut: bool = False

    def __call__(self) -> None:
        if self.shut:
            raise NotHolder("it is another's")


@dataclass
class Watched:
    """A server that keeps what it got, and shuts the guard at some moment."""

    url: str
    authority: str
    guard: Guard
    shut_in_handshake: bool = False
    shut_when_answered: bool = False
    requests: list[bytes] = field(default_factory=list)
    handshakes: int = 0

    @asynccontextmanager
    async def client(self, *urls: str) -> AsyncIterator[ElasticsearchClient]:
        """Open a client of this server, or of other addresses."""
        client = ElasticsearchClient(Connection(urls or (self.url,), ca=self.authority), guard=self.guard)
        try:
            yield client
        finally:
            await client.close()

    def greeted(self, *_: object) -> None:
        self.handshakes += 1
        self.guard.shut |= self.shut_in_handshake

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(1 << 16):
            self.requests.append(head.partition(b"\r\n")[0])
            self.guard.shut |= self.shut_when_answered
            writer.write(answer("200 OK").replace(b"Connection: close\r\n", b""))
        writer.close()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    certificate = write_server_certificate(tmp_path)
    found = Watched(f"https://127.0.0.1:{free_port()}", certificate.ca_file.read_text(), Guard())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    context.sni_callback = found.greeted
    server = await asyncio.start_server(found.serve, "127.0.0.1", int(found.url.rpartition(":")[2]), ssl=context)
    async with server:
        yield found


async def test_a_request_that_may_be_made(watched: Watched) -> None:
    async with watched.client() as client:
        await client.put_roles([ROLE])
        await client.roles(None)
    assert watched.requests[0].startswith(b"POST /_security/role ")
    assert watched.requests[-1].startswith(b"GET /_security/role ")


async def test_one_that_may_not_makes_no_connection(watched: Watched) -> None:
    watched.guard.shut = True
    async with watched.client() as client:
        with pytest.raises(NotHolder):
            await client.put_roles([ROLE])
    assert watched.handshakes == 0


async def test_what_changes_while_the_connection_is_made(watched: Watched) -> None:
    """A process that is frozen in a handshake goes on with it."""
    watched.shut_in_handshake = True
    async with watched.client() as client:
        with pytest.raises(NotHolder):
            await client.put_roles([ROLE])
        with pytest.raises(NotHolder):
            await client.roles(None)
    assert (watched.handshakes, watched.requests) == (1, [])


async def test_what_changes_between_two_requests_of_one_question(watched: Watched) -> None:
    watched.shut_when_answered = True
    async with watched.client() as client:
        with pytest.raises(NotHolder):
            await client.facts(REALM)
    assert watched.requests == [b"GET / HTTP/1.1"]


async def test_what_changes_before_the_next_address_is_tried(watched: Watched) -> None:
    """Which address comes first is chance: each of them shuts the guard, and hangs up."""
    calls = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        watched.guard.shut = True
        writer.transport.abort()

    servers = [await asyncio.start_server(hang_up, "127.0.0.1", 0) for _ in range(2)]
    urls = tuple(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers)
    try:
        async with watched.client(*urls) as client:
            with pytest.raises(NotHolder):
                await client.roles(None)
    finally:
        for server in servers:
            server.close()
    assert calls == 1


async def test_a_cluster_that_is_away_is_still_away(watched: Watched) -> None:
    async with watched.client(f"https://127.0.0.1:{free_port()}") as client:
        with pytest.raises(Unreachable):
            await client.roles(None)
