"""The proxy itself: what it lets through, records, and spoils."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import write_server_certificate
from tests.support.servers.proxy import Fault, Proxy, Seen
from tests.support.waiting import eventually


class Upstream:
    """A server that counts, echoes, and streams lines until it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.certificate = write_server_certificate(folder)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.calls = 0
        self.agents: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        application = web.Application()
        application.router.add_get("/stream", self._stream)
        application.router.add_route("*", "/{any:.*}", self._echo)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate_file, self.certificate.key_file)
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=context).start()
        await self._end.wait()
        await runner.cleanup()

    async def _echo(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.agents.append(request.headers.get("User-Agent", ""))
        return web.json_response({"path": request.raw_path, "body": await request.text()}, status=201)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(10_000):
            await response.write(f"{number}\n".encode())
            await asyncio.sleep(0.01)
        return response

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(timeout=10)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    server = Upstream(tmp_path / "upstream")
    yield server
    server.close()


@pytest.fixture
def proxy(upstream: Upstream, tmp_path: Path) -> Iterator[Proxy]:
    with Proxy(upstream.url, upstream.certificate.ca_file, tmp_path / "proxy") as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=str(proxy.ca_file))
    with httpx.Client(base_url=proxy.url, verify=trust, timeout=60, headers={"User-Agent": "tester"}) as running:
        eventually(lambda: running.get("/ready").is_success)
        yield running


def test_requests_go_through_unchanged_and_are_recorded_in_order(
    proxy: Proxy, client: httpx.Client, upstream: Upstream
) -> None:
    mark = proxy.mark()
    answer = client.post("/_security/role/a%40b?x=1", content="hello")
    client.get("/second")
    assert (answer.status_code, answer.json()) == (201, {"path": "/_security/role/a%40b?x=1", "body": "hello"})
    assert [(seen.method, seen.path, seen.query, seen.status, seen.agent) for seen in proxy.since(mark)] == [
        ("POST", "/_security/role/a@b", "x=1", 201, "tester"),
        ("GET", "/second", "", 201, "tester"),
    ]
    assert upstream.agents[-1] == "tester"
    assert [seen.writes for seen in proxy.since(mark)] == [True, False]
    assert proxy.count(lambda seen: seen.method == "POST", mark) == 1


def test_a_fault_answers_only_what_matches_and_only_while_it_lasts(
    proxy: Proxy, client: httpx.Client, upstream: Upstream
) -> None:
    with proxy.fault(Fault(answer=(429, {"error": "slow down"})), lambda seen: seen.path == "/busy") as fault:
        assert client.get("/busy").status_code == 429
        assert client.get("/other").status_code == 201
    calls = upstream.calls
    assert client.get("/busy").status_code == 201
    assert (fault.hits, upstream.calls) == (1, calls + 1)


def test_a_dropped_request_never_reaches_upstream(proxy: Proxy, client: httpx.Client, upstream: Upstream) -> None:
    calls = upstream.calls
    with proxy.fault(Fault(drop=True)), pytest.raises(httpx.TransportError):
        client.get("/")
    assert upstream.calls == calls
    assert proxy.requests[-1].status is None


def test_a_lost_reply_did_reach_upstream_and_times_limits_it(
    proxy: Proxy, client: httpx.Client, upstream: Upstream
) -> None:
    calls, struck = upstream.calls, []
    with proxy.fault(Fault(lose_reply=True, times=1, hook=lambda: struck.append(upstream.calls))):
        with pytest.raises(httpx.TransportError):
            client.post("/")
        assert proxy.requests[-1].lost
        assert client.post("/").status_code == 201
    assert struck == [calls + 1]


def test_a_black_hole_holds_requests_until_it_ends(proxy: Proxy, client: httpx.Client, upstream: Upstream) -> None:
    calls = upstream.calls
    with proxy.fault(Fault(black_hole=True)), pytest.raises(httpx.ReadTimeout):
        client.get("/", timeout=httpx.Timeout(20, read=0.2))
    assert upstream.calls == calls
    assert client.get("/").status_code == 201


def test_a_delayed_request_goes_through(proxy: Proxy, client: httpx.Client) -> None:
    with proxy.fault(Fault(delay=0.05)) as fault:
        assert client.get("/").status_code == 201
    assert fault.hits == 1


def test_streams_flow_as_they_come_and_can_be_cut(proxy: Proxy, client: httpx.Client) -> None:
    with client.stream("GET", "/stream") as answer:
        lines = answer.iter_lines()
        assert [next(lines), next(lines)] == ["0", "1"]
        proxy.cut()
        with pytest.raises(httpx.TransportError):
            list(lines)


def test_an_upstream_that_is_away_shows_as_a_cut_connection(client: httpx.Client, upstream: Upstream) -> None:
    upstream.close()
    with pytest.raises(httpx.TransportError):
        client.get("/")


def test_an_upstream_with_another_authority_is_not_trusted(upstream: Upstream, tmp_path: Path) -> None:
    other = write_server_certificate(tmp_path / "other")
    with Proxy(upstream.url, other.ca_file, tmp_path / "second") as second:
        trust = ssl.create_default_context(cafile=str(second.ca_file))
        with httpx.Client(base_url=second.url, verify=trust) as client, pytest.raises(httpx.TransportError):
            client.get("/")
    assert upstream.calls == 0


def test_watches_are_distinguished() -> None:
    seen = Seen("GET", "/x", "watch=true&resourceVersion=1", "", b"", 0.0)
    assert seen.watches
    assert not seen.writes
