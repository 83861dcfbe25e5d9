"""Probes and metrics are served, whatever clients do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from searchaccess.operator.telemetry.web import Pages, serving
from searchaccess.ports.errors import CannotListen

SHORT = 0.2
"""Seconds that a connection may last where it is to be cut; elsewhere there is far more than any test takes."""
LONG = 600.0


def _pages(metrics: bytes, unready: str = "") -> Pages:
    async def scrape() -> bytes:
        return metrics

    return Pages(lambda: "", lambda: unready, scrape)


PAGES = _pages(b"a_metric 1\n", "nothing was listed yet")


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def asked(port: int, request: str) -> bytes:
    """Send a request; return all that comes until the server closes the connection."""
    async with connected(port) as (reader, writer):
        writer.write(request.encode())
        return await reader.read()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Wait until the server closes the connection."""
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        ("GET /livez", b"200", b"ok"),
        ("GET /readyz", b"503", b"nothing was listed yet"),
        ("GET /metrics", b"200", b"a_metric 1\n"),
        ("GET /metrics?x=y", b"200", b"a_metric 1\n"),
        ("HEAD /livez", b"200", b""),
        ("GET /", b"404", b"there is no such page"),
        ("GET /livez/../metrics", b"404", b"there is no such page"),
        ("POST /livez", b"405", b"only GET"),
    ],
)
async def test_pages(request_line: str, status: bytes, body: bytes) -> None:
    async with serving("127.0.0.1", 0, PAGES, lifetime=LONG) as port:
        answer = await asked(port, f"{request_line} HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert rest == body


BEGUN = {
    "no request": "",
    "headers": "GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "a body": "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
}


@pytest.mark.parametrize("request_head", BEGUN.values(), ids=BEGUN)
async def test_a_client_that_sends_a_byte_at_a_time_is_cut(request_head: str) -> None:
    async with serving("127.0.0.1", 0, PAGES, lifetime=SHORT) as port, connected(port) as (reader, writer):
        writer.write(request_head.encode())

        async def send() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.01)

        sending = asyncio.create_task(send())
        # What it has sent and nobody reads makes the end a reset, or a broken pipe if the end came before that.
        with suppress(ConnectionError):
            await reader.read()
        sending.cancel()
        assert reader.at_eof() or reader.exception()


async def test_a_client_that_reads_slowly_is_cut() -> None:
    whole = 64_000_000
    pages = _pages(b"x" * whole)
    got = 0
    # Long enough for a beginning on any machine; it would take five times as long to read everything.
    async with serving("127.0.0.1", 0, pages, lifetime=5 * SHORT) as port, connected(port) as (reader, writer):
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            while part := await reader.read(1 << 17):
                got += len(part)
                await asyncio.sleep(0.01)
    assert 0 < got < whole


async def test_too_many_clients_do_not_keep_a_probe_out() -> None:
    async with (
        serving("127.0.0.1", 0, PAGES, lifetime=LONG, connections=3) as port,
        connected(port) as (first, _),
        connected(port),
        connected(port),
        connected(port),
    ):
        assert await is_cut(first)
        assert b" 200 " in await asked(port, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("lines", [1, 100])
async def test_headers_without_end_are_refused(lines: int) -> None:
    headers = "X-Long: " + "x" * (10_000 // lines) + "\r\n"
    async with serving("127.0.0.1", 0, PAGES, lifetime=LONG) as port:
        answer = await asked(port, f"GET /livez HTTP/1.1\r\nHost: x\r\n{headers * lines}\r\n")
    assert answer.split()[1] == b"400"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0)])
async def test_an_address_that_cannot_be_is_said(host: str, port: int) -> None:
    with pytest.raises(CannotListen, match=f"cannot listen at {host}:{port}: ."):
        async with serving(host, port, PAGES):
            pass
