"""Vault: requests that hang, are cancelled, trickle, or are under way while the login is replaced."""

import asyncio
import gc
import json
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from searchaccess.adapters.vault import session as adapter
from searchaccess.adapters.vault.secrets import VaultSecrets
from searchaccess.ports.errors import LoginRefused, PermissionDenied, Rejected, Unexpected, Unreachable
from searchaccess.ports.stores import Place
from tests.contract.stores.test_stores import payload
from tests.contract.stores.vaultstore import OWNER, Tokens, declared, opened
from tests.stack.trust.certificates import ServerCertificate
from tests.support.loop.clocks import SettableClock

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")  # Of connections that nobody closed.

PLACE = Place("shop", "orders")
PATIENCE = 30
"""Seconds after which a test fails instead of waiting on."""
GOOD = {"data": {"created_time": "2026-01-01T00:00:00Z", "current_version": 0, "versions": {}}}
LASTING = {"data": {"ttl": 0, "renewable": False}}


@pytest.fixture(scope="module", autouse=True)
def _without_garbage() -> None:
    """Collect what other tests of this process left unclosed: from here on, such a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def answer(body: Any, status: str = "200 OK", headers: str = "") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\n{headers}\r\n".encode() + raw


DENIED = answer({"errors": ["permission denied"]}, "403 Forbidden")

Reply = Callable[["Request"], Awaitable[None]]


class Request:
    """A request as it came, and the connection that it came by."""

    def __init__(self, head: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *rest = head.split("\r\n")
        self.method, self.path, _ = first.split(" ")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        self.body = body
        self._reader, self._writer = reader, writer

    @property
    def logs_in(self) -> bool:
        return self.path.endswith(("/lookup-self", "/login"))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until_closed(self) -> None:
        """Wait until the client closes the connection."""
        assert await self._reader.read() == b""


class FakeVault:
    """Replies as a test says; to logins by a token by itself."""

    def __init__(self, reply: Reply) -> None:
        self.seen: list[Request] = []
        self.connections = 0
        self.tasks: set[asyncio.Task[Any] | None] = set()
        self.arrived, self.closed = asyncio.Event(), asyncio.Event()
        self._reply = reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().strip()
                length = next((line for line in head.split("\r\n") if line.lower().startswith("content-length")), "")
                body = await reader.readexactly(int(length.partition(":")[2] or 0))
                request = Request(head, body, reader, writer)
                self.seen.append(request)
                if request.path.endswith("/lookup-self"):
                    await request.send(answer(LASTING))
                else:
                    self.arrived.set()
                    await self._reply(request)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.connections -= 1
            self.closed.set()

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.seen]


@asynccontextmanager
async def vault_that(
    certificate: ServerCertificate,
    reply: Reply,
    clock: SettableClock | None = None,
    host: str = "127.0.0.1",
    **spec: Any,
) -> AsyncIterator[tuple[VaultSecrets, FakeVault]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    vault = FakeVault(reply)
    server = await asyncio.start_server(vault.serve, "127.0.0.1", 0, ssl=context)
    address = f"https://{host}:{server.sockets[0].getsockname()[1]}"

    async def jwt() -> str:
        return "a-jwt"

    store = opened(declared(address, **spec), Tokens(certificate.ca_file.read_text(), "t"), jwt, clock)
    async with server, asyncio.timeout(PATIENCE):
        try:
            yield store, vault
        finally:
            await store.close()


def always(data: bytes) -> Reply:
    async def reply(request: Request) -> None:
        await request.send(data)

    return reply


class Held:
    """Replies when a test says so; knows when the client hung up."""

    def __init__(self, data: bytes = answer(GOOD)) -> None:
        self.go = asyncio.Event()
        self.closed = asyncio.Event()
        self._data = data

    async def __call__(self, request: Request) -> None:
        await self.go.wait()
        await request.send(self._data)

    async def hang(self, request: Request) -> None:
        await request.until_closed()
        self.closed.set()


@pytest.mark.parametrize("write", [False, True], ids=["a read", "a write"])
async def test_a_request_that_is_cancelled_leaves_no_task_and_its_connection_is_closed(
    certificate: ServerCertificate, *, write: bool
) -> None:
    held = Held()
    async with vault_that(certificate, held.hang) as (store, vault):
        before = asyncio.all_tasks()
        asked: Awaitable[Any] = store.add(PLACE, OWNER, None, 1, payload()) if write else store.find(PLACE)
        task = asyncio.ensure_future(asked)
        await vault.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() - before - vault.tasks == set()
        await held.closed.wait()
        assert len(vault.seen) == 2, "nothing is asked again"


async def test_a_login_that_is_cancelled_is_tried_again_by_the_next(certificate: ServerCertificate) -> None:
    held = Held()

    async def reply(request: Request) -> None:
        if request.logs_in:
            await held.hang(request)

    auth = {"jwt": {"role": "operator", "audience": "x"}}
    async with vault_that(certificate, reply, auth=auth) as (store, vault):
        tasks = [asyncio.ensure_future(store.find(PLACE)) for _ in range(2)]
        await vault.arrived.wait()
        vault.arrived.clear()
        tasks[0].cancel()
        await held.closed.wait()
        await vault.arrived.wait()
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert vault.paths == ["POST /v1/auth/jwt/login"] * 2
        assert json.loads(vault.seen[0].body) == {"role": "operator", "jwt": "a-jwt"}


class _CountedThreads(ThreadPoolExecutor):
    def __init__(self) -> None:
        super().__init__(1)
        self.asked = 0

    def submit(self, *arguments: Any, **more: Any) -> Any:
        self.asked += 1
        return super().submit(*arguments, **more)


async def test_a_vault_that_hangs_takes_no_thread(certificate: ServerCertificate) -> None:
    held = Held()
    async with vault_that(certificate, held) as (store, vault):
        threads = _CountedThreads()
        asyncio.get_running_loop().set_default_executor(threads)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.find(PLACE)) for _ in range(20)]
            await vault.arrived.wait()
            assert await asyncio.to_thread(lambda: "a thread for others") == "a thread for others"
            held.go.set()
        assert all(task.result() for task in tasks)
        assert threads.asked == 1


async def test_an_answer_that_trickles_ends_after_the_timeout(
    certificate: ServerCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "TIMEOUT", 0.3)

    async def reply(request: Request) -> None:
        await request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            await request.send(b" ")
            await asyncio.sleep(0.01)

    async with vault_that(certificate, reply) as (store, _):
        with pytest.raises(Unreachable, match="does not answer"):
            await store.find(PLACE)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_an_answer_of_two_megabytes_is_not_read(certificate: ServerCertificate, status: str) -> None:
    large = answer(b'{"data": "' + b"x" * 2 * 1024 * 1024 + b'"}', status)
    async with vault_that(certificate, always(large)) as (store, _):
        with pytest.raises(Unexpected, match="more than 1048576 bytes"):
            await store.find(PLACE)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"data": {"current_version": ' + b"9" * 5000 + b', "created_time": "x", "versions": {}}}',
        b'{"data": {"versions": {"1": ' + b"9" * 5000 + b'}, "created_time": "x", "current_version": 1}}',
        b"<html>",
    ],
    ids=["nested too deeply", "a number too long", "a number too long within", "no JSON"],
)
async def test_an_odd_answer_is_not_understood(certificate: ServerCertificate, body: bytes) -> None:
    async with vault_that(certificate, always(answer(body))) as (store, _):
        with pytest.raises(Unexpected):
            await store.find(PLACE)


# The login is replaced


async def test_a_login_that_is_replaced_breaks_off_no_request_under_way(certificate: ServerCertificate) -> None:
    """One path that the policy forbids makes another login; requests to other paths are under way by the old one."""
    held = Held()

    async def reply(request: Request) -> None:
        if request.path.endswith("/forbidden"):
            await request.send(DENIED)
        elif request.path.endswith("/slow"):
            await held(request)
        else:
            await request.send(answer(GOOD))

    async with vault_that(certificate, reply) as (store, vault):
        assert await store.find(PLACE)
        async with asyncio.TaskGroup() as group:
            vault.arrived.clear()
            slow = group.create_task(store.find(Place("shop", "slow")))
            await vault.arrived.wait()
            with pytest.raises(PermissionDenied):
                await store.find(Place("shop", "forbidden"))
            assert len([path for path in vault.paths if path.endswith("lookup-self")]) == 2
            held.go.set()
        assert slow.result()
        assert len([path for path in vault.paths if path.endswith("/slow")]) == 1
        await until_connections_are(1, vault)
    await until_connections_are(0, vault)


async def test_a_login_that_ended_is_replaced_and_its_connections_are_closed(certificate: ServerCertificate) -> None:
    clock = SettableClock()
    async with vault_that(certificate, always(answer(GOOD)), clock) as (store, vault):
        for _ in range(3):
            assert await store.find(PLACE)
            clock.advance(3600)
        await until_connections_are(1, vault)
        assert len([path for path in vault.paths if path.endswith("lookup-self")]) == 3


async def until_connections_are(number: int, vault: FakeVault) -> None:
    async with asyncio.timeout(PATIENCE):
        while vault.connections != number:
            vault.closed.clear()
            await vault.closed.wait()


@pytest.mark.parametrize("token", ["hunter2\r\nX-Vault-Namespace: root", "hunter2\n", "hunter2 ä", ""])
async def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(
    certificate: ServerCertificate, token: str
) -> None:
    made = answer({"auth": {"client_token": token, "lease_duration": 60}})
    auth = {"kubernetes": {"role": "operator"}}
    async with vault_that(certificate, always(made), auth=auth) as (store, vault):
        with pytest.raises(LoginRefused, match="missing, or has characters") as refused:
            await store.find(PLACE)
        assert "hunter2" not in refused.value.message
        assert vault.paths == ["POST /v1/auth/kubernetes/login"]


@pytest.mark.parametrize("login", [{}, {"auth": None}, {"auth": []}], ids=repr)
async def test_a_login_without_an_answer_is_not_understood(
    certificate: ServerCertificate, login: Mapping[str, Any]
) -> None:
    auth = {"kubernetes": {"role": "operator"}}
    async with vault_that(certificate, always(answer(login)), auth=auth) as (store, _):
        with pytest.raises(Unexpected, match="Vault, login: its response is not understood"):
            await store.find(PLACE)


# What is sent


async def test_each_request_says_that_it_is_one_and_no_cookie_is_sent_back(certificate: ServerCertificate) -> None:
    reply = always(answer(GOOD, headers="Set-Cookie: a=b; Path=/\r\n"))
    async with vault_that(certificate, reply, host="localhost") as (store, vault):
        await store.find(PLACE)
        await store.find(PLACE)
        assert {request.headers.get("x-vault-request") for request in vault.seen} == {"true"}
        assert {request.headers.get("x-vault-token") for request in vault.seen} == {"t"}
        assert not any({"cookie", "x-vault-namespace"} & set(request.headers) for request in vault.seen)


@pytest.mark.parametrize("path", ["..", ".", "a/../b", "a//b", "/a"])
async def test_a_path_leads_nowhere_else(certificate: ServerCertificate, path: str) -> None:
    async with vault_that(certificate, always(answer(GOOD)), path=path) as (store, vault):
        with pytest.raises(Rejected, match="not a valid path in Vault"):
            await store.find(PLACE)
        assert [seen for seen in vault.paths if not seen.endswith("lookup-self")] == []


async def test_what_is_odd_in_a_path_is_sent_as_a_part_of_it(certificate: ServerCertificate) -> None:
    async with vault_that(certificate, always(answer(GOOD)), mount="a b%2F?x#ä") as (store, vault):
        await store.find(PLACE)
        assert vault.paths[-1] == "GET /v1/a%20b%252F%3Fx%23%C3%A4/metadata/searchaccess/shop/orders"


@pytest.mark.parametrize("address", ["https://127.0.0.1:99999", "https://[::1"])
async def test_an_address_that_is_none_is_not_reached(address: str) -> None:
    store = opened(declared(address), Tokens("", "t"))
    with pytest.raises(Unreachable, match="Vault, login: its address cannot be used"):
        await store.find(PLACE)
    await store.close()
