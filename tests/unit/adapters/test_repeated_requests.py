"""What is sent again when a connection breaks before the answer: what has the same effect twice, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.errors import Unreachable
from tests.stack.running.processes import free_port

ROLE = Role("role", RoleBody(), {})
ANSWER = {"id": "1", "name": "orders", "api_key": "secret", "created": True}
Write = Callable[[ElasticsearchClient], Awaitable[object]]


@dataclass
class Nodes:
    """Nodes of a cluster that break the connection once they have read a write.

    Args:
        broken: how many writes get no answer.
    """

    broken: int
    writes: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        if request.method != "GET":
            self.writes.append(request.path)
            if len(self.writes) <= self.broken and request.transport is not None:
                request.transport.abort()
        return web.json_response(ANSWER, headers={"X-Elastic-Product": "Elasticsearch"})

    @asynccontextmanager
    async def client(self, count: int, *others: str) -> AsyncIterator[ElasticsearchClient]:
        """Serve so many nodes; yield a client of them, and of other addresses."""
        async with AsyncExitStack() as stack:
            urls = list(others)
            for _ in range(count):
                app = web.Application()
                app.router.add_route("*", "/{rest:.*}", self.handle)
                runner = web.AppRunner(app, shutdown_timeout=0.1)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
            client = ElasticsearchClient(Connection(tuple(urls)))
            stack.push_async_callback(client.close)
            yield client


async def create_key(client: ElasticsearchClient) -> object:
    return await client.create_key("orders", 60.0, RoleBody(), {})


async def create_user(client: ElasticsearchClient) -> object:
    return await client.create_user("orders", {})


creates = pytest.mark.parametrize("create", [create_key, create_user])


@creates
async def test_what_makes_something_new_is_not_sent_to_another_address_once_it_has_arrived(create: Write) -> None:
    nodes = Nodes(broken=1)
    async with nodes.client(2) as client:
        with pytest.raises(Unreachable, match="the connection broke before the answer"):
            await create(client)
        assert len(nodes.writes) == 1
        # The next one is a request of its own.
        assert await create(client)
    assert len(nodes.writes) == 2


@creates
async def test_nor_is_it_sent_again_over_another_connection_to_the_same_address(create: Write) -> None:
    nodes = Nodes(broken=1)
    async with nodes.client(1) as client:
        await client.who()
        with pytest.raises(Unreachable, match="the connection broke before the answer"):
            await create(client)
    assert len(nodes.writes) == 1


@creates
async def test_an_address_that_cannot_be_reached_has_got_nothing_and_the_next_is_tried(create: Write) -> None:
    nodes = Nodes(broken=0)
    async with nodes.client(1, f"http://127.0.0.1:{free_port()}") as client:
        # Addresses are tried in turn: one of these begins with the one that cannot be reached.
        assert await create(client)
        assert await create(client)
    assert len(nodes.writes) == 2


async def test_roles_are_sent_to_the_next_address() -> None:
    nodes = Nodes(broken=1)
    async with nodes.client(2) as client:
        await client.put_roles([ROLE])
    assert nodes.writes == ["/_security/role"] * 2
