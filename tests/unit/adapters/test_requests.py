"""How requests to Elasticsearch are sent: short ones as they are, users several at a time, and each with its login."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.adapters.elasticsearch.node import SHORT
from searchaccess.adapters.elasticsearch.users import AT_A_TIME
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.rights.ownership import Role

LIMIT = 60.0
"""Seconds after which a test fails that waits for something."""


@dataclass
class Server:
    """Takes everything, and keeps the requests."""

    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    users: int = 0
    """Requests for users that are not answered yet."""
    most: int = 0
    hold: asyncio.Event | None = None
    """Users are not answered before it is set; None: at once."""
    full: asyncio.Event = field(default_factory=asyncio.Event)
    """As many users are being written as may be."""

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if "/user/" in request.path and self.hold is not None:
            self.users += 1
            self.most = max(self.most, self.users)
            if self.users == AT_A_TIME:
                self.full.set()
            await self.hold.wait()
            self.users -= 1
        return web.json_response({"created": []}, headers={"X-Elastic-Product": "Elasticsearch"})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


def users(count: int) -> list[NativeUser]:
    return [NativeUser(f"user-{number}", ("role",), {"managed_by": "x"}) for number in range(count)]


async def test_what_is_short_is_not_compressed_and_neither_is_its_answer() -> None:
    server = Server()
    async with server.serving() as url:
        client = ElasticsearchClient(Connection((url,)))
        await client.put_users(users(1))
        await client.put_roles([Role("role", RoleBody(description="x" * SHORT), {})])
        await client.who()
        await client.close()
    seen = [(one.headers.get("content-encoding"), one.headers["accept-encoding"]) for one in server.requests]
    assert seen == [(None, "identity"), ("gzip", "gzip"), (None, "gzip")]
    # The server has decoded it.
    assert b"password_hash" in server.bodies[0]
    assert b"x" * SHORT in server.bodies[1]


async def test_users_are_written_several_at_a_time_and_nothing_else_waits_for_them() -> None:
    server = Server(hold=asyncio.Event())
    async with server.serving() as url, asyncio.timeout(LIMIT):
        client = ElasticsearchClient(Connection((url,)))
        writing = asyncio.create_task(client.put_users(users(3 * AT_A_TIME)))
        await server.full.wait()
        await client.who()
        assert server.hold is not None
        server.hold.set()
        written = await writing
        await client.close()
    assert len(written.changed) == 3 * AT_A_TIME
    assert server.most == AT_A_TIME
    assert len(server.requests) == 3 * AT_A_TIME + 1


async def test_each_request_has_the_token_of_its_time() -> None:
    server, tokens, given = Server(), ["one", "one", "two"], list[str]()

    async def token() -> str:
        given.append(tokens[len(given)])
        return given[-1]

    async with server.serving() as url:
        client = ElasticsearchClient(Connection((url,)), token)
        for _ in tokens:
            await client.who()
        await client.close()
    assert [one.headers["authorization"] for one in server.requests] == [f"Bearer {one}" for one in tokens]
