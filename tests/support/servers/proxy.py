"""A reverse proxy that records requests and, on request, spoils them.

It stands in front of Elasticsearch or of kube-apiserver; streams of any length (watches) go through as they come.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import yaml
import yarl
from aiohttp import web

from tests.stack.kubernetes import write_private
from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import write_server_certificate

_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
)
_OURS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_POLL: Final = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came, and what the client got for it."""

    method: str
    path: str
    query: str
    agent: str
    body: bytes
    at: float
    """Monotonic seconds of its arrival."""
    status: int | None = None
    """None: no answer, so far or ever."""
    lost: bool = False
    """Upstream answered, and the client never heard it."""
    opaque: str = ""
    """``X-Opaque-Id``: which process asked."""
    authorization: str = field(default="", repr=False)

    @property
    def watches(self) -> bool:
        return "watch=" in self.query

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD", "OPTIONS"} and not self.path.endswith(_READ_BY_POST)


_READ_BY_POST = (
    "/_security/_query/api_key",
    "/_security/_query/user",
    "/_security/user/_has_privileges",
    "/_validate/query",
)
"""Users and API keys are searched by POST; so are asked what a login may do and whether a query can be run."""

When = Callable[[Seen], bool]


def always(_: Seen) -> bool:
    return True


@dataclass(slots=True)
class Fault:
    """What happens to a request.

    Args:
        answer: status that is answered instead of asking upstream; its body, JSON.
        drop: cut the connection before the request reaches upstream.
        lose_reply: cut the connection after upstream answered.
        delay: seconds to wait first.
        black_hole: take the request and never answer, until the fault ends.
        times: how many requests it spoils; None: all.
        hook: called when it strikes, in the proxy's thread, before the connection is cut.
    """

    answer: tuple[int, Any] | None = None
    drop: bool = False
    lose_reply: bool = False
    delay: float = 0.0
    black_hole: bool = False
    times: int | None = None
    hook: Callable[[], None] | None = None
    hits: int = 0
    active: bool = False

    def strike(self) -> None:
        if self.hook:
            self.hook()


class Proxy:
    """One proxy, on a free loopback port, with a certificate of an authority of its own.

    Args:
        upstream: the server's address.
        upstream_ca: verifies the server.
        folder: for the certificate; nothing else is in it.
    """

    def __init__(self, upstream: str, upstream_ca: Path, folder: Path) -> None:
        self._upstream = upstream.rstrip("/")
        self._trust = ssl.create_default_context(cafile=str(upstream_ca))
        self._certificate = write_server_certificate(folder)
        self._port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca_file = self._certificate.ca_file
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._faults: list[tuple[When, Fault]] = []
        self._open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    # Recording

    @property
    def requests(self) -> tuple[Seen, ...]:
        """All requests so far, in the order in which they came."""
        with self._lock:
            return tuple(self._seen)

    def mark(self) -> int:
        """A place in the record, for `since`."""
        with self._lock:
            return len(self._seen)

    def since(self, mark: int, when: When = always) -> tuple[Seen, ...]:
        """Requests that came after a mark."""
        return tuple(request for request in self.requests[mark:] if when(request))

    def count(self, when: When = always, mark: int = 0) -> int:
        return len(self.since(mark, when))

    # Faults

    @contextmanager
    def fault(self, fault: Fault, when: When = always) -> Iterator[Fault]:
        """Spoil requests for a while. The newest fault that matches a request is the one that strikes."""
        rule = (when, fault)
        fault.active = True
        with self._lock:
            self._faults.insert(0, rule)
        try:
            yield fault
        finally:
            fault.active = False
            with self._lock:
                self._faults.remove(rule)

    def cut(self) -> None:
        """Cut all connections that clients have open, watches too."""
        self._wait_for(self._cut())

    # Life

    def start(self) -> None:
        self._thread.start()
        self._wait_for(self._start())

    def close(self) -> None:
        if self._thread.is_alive():
            self._wait_for(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def kubeconfig(self, original: Path, folder: Path) -> Path:
        """A kubeconfig like another one, that goes through this proxy."""
        content = yaml.safe_load(original.read_text())
        for cluster in content["clusters"]:
            cluster["cluster"] = {"server": self.url, "certificate-authority": str(self.ca_file)}
        path = folder / f"{original.stem}.{urlsplit(self.url).port}.yaml"
        write_private(path, yaml.safe_dump(content).encode())
        return path

    # In the proxy's thread

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=_OURS,
        )
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{any:.*}", self._handle)
        # A client that leaves ends its request upstream too.
        self._runner = web.AppRunner(
            application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1, auto_decompress=False
        )
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate.certificate_file, self._certificate.key_file)
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context).start()

    async def _stop(self) -> None:
        await self._cut()
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _cut(self) -> None:
        for transport in list(self._open):
            transport.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return web.Response()
        self._open.add(transport)
        try:
            body = await request.read()
            number, fault = self._record(request, body)
            return await self._answer(request, body, number, fault)
        except (aiohttp.ClientError, OSError):
            # Upstream is away, or went away in the middle: so it is for the client.
            return _cut_off(request)
        finally:
            self._open.discard(transport)

    def _record(self, request: web.Request, body: bytes) -> tuple[int, Fault | None]:
        seen = Seen(
            request.method,
            request.rel_url.path,
            request.rel_url.query_string,
            request.headers.get("User-Agent", ""),
            body,
            time.monotonic(),
            opaque=request.headers.get("X-Opaque-Id", ""),
            authorization=request.headers.get("Authorization", ""),
        )
        with self._lock:
            self._seen.append(seen)
            number = len(self._seen) - 1
            for when, fault in self._faults:
                if (fault.times is None or fault.hits < fault.times) and when(seen):
                    fault.hits += 1
                    return number, fault
        return number, None

    def _note(self, number: int, **changes: Any) -> None:
        with self._lock:
            self._seen[number] = replace(self._seen[number], **changes)

    async def _answer(self, request: web.Request, body: bytes, number: int, fault: Fault | None) -> web.StreamResponse:
        if fault is None:
            return await self._forward(request, body, number)
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.black_hole:
            while fault.active:  # noqa: ASYNC110 - it ends in another thread
                await asyncio.sleep(_POLL)
            return _cut_off(request)
        if fault.answer is not None:
            fault.strike()
            status, content = fault.answer
            self._note(number, status=status)
            # Elasticsearch's clients refuse an answer without this header.
            return web.json_response(content, status=status, headers={"X-Elastic-Product": "Elasticsearch"})
        if fault.drop:
            fault.strike()
            return _cut_off(request)
        if fault.lose_reply:
            async with self._ask(request, body) as reply:
                await reply.read()
            self._note(number, lost=True)
            fault.strike()
            return _cut_off(request)
        return await self._forward(request, body, number)

    def _ask(self, request: web.Request, body: bytes) -> "aiohttp.client._RequestContextManager":
        assert self._session is not None
        address = yarl.URL(self._upstream + request.raw_path, encoded=True)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        return self._session.request(request.method, address, headers=headers, data=body or None, allow_redirects=False)

    async def _forward(self, request: web.Request, body: bytes, number: int) -> web.StreamResponse:
        async with self._ask(request, body) as reply:
            response = web.StreamResponse(status=reply.status, reason=reply.reason)
            for name, value in reply.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    response.headers.add(name, value)
            if "Content-Length" in reply.headers:
                response.content_length = int(reply.headers["Content-Length"])
            else:
                response.enable_chunked_encoding()
            self._note(number, status=reply.status)
            with suppress(ConnectionResetError):  # The client left; nothing upstream is wrong.
                await response.prepare(request)
                async for part in reply.content.iter_any():
                    await response.write(part)
                await response.write_eof()
            return response


def _cut_off(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def summary(requests: Sequence[Seen]) -> dict[str, int]:
    """Counts by method and path, for messages."""
    found: dict[str, int] = {}
    for request in requests:
        place, _, names = request.path.rpartition("/")
        more = names.count(",")
        key = f"{request.method} {place}/{f'<{more + 1} names>' if more else names}"
        found[key] = found.get(key, 0) + 1
    return found
