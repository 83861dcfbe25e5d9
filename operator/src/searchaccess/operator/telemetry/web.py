"""Serves probes and metrics by HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from searchaccess.operator.telemetry.metrics import CONTENT_TYPE
from searchaccess.ports.errors import CannotListen

log = structlog.get_logger(__name__)

LIVE: Final = "/livez"
READY: Final = "/readyz"
METRICS: Final = "/metrics"

LIFETIME: Final = 10.0
"""Seconds that a connection may last: for one request and its answer, whatever keeps them."""
CONNECTIONS: Final = 64
"""At the same time. The next connection replaces the oldest one."""
_HEADERS: Final = 32
_LINE: Final = 4096
"""Most headers of a request, and bytes in each and in its first line."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What is served.

    Args:
        stuck: returns what makes no progress; empty: nothing.
        unready: returns why what is declared is not known; empty: it is.
        metrics: gives metrics as text.
    """

    stuck: Callable[[], str]
    unready: Callable[[], str]
    metrics: Callable[[], Awaitable[bytes]]

    async def answer(self, path: str) -> web.Response:
        """Return the answer to a request."""
        if path == METRICS:
            return web.Response(body=await self.metrics(), headers={"Content-Type": CONTENT_TYPE})
        if path not in {LIVE, READY}:
            return web.Response(text="there is no such page", status=404)
        # Any answer shows that the event loop runs.
        why = self.stuck() if path == LIVE else self.unready()
        return web.Response(text=why or "ok", status=503 if why else 200)


class _Server(web.Server):
    """Cuts connections that last for too long, and the oldest ones when there are too many.

    Args:
        pages: what is served.
        lifetime: seconds that a connection may last.
        connections: that there may be at the same time.
    """

    def __init__(self, pages: Pages, lifetime: float, connections: int) -> None:
        super().__init__(
            self._answer,
            access_log=None,
            keepalive_timeout=lifetime,
            lingering_time=0,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS,
        )
        self._pages = pages
        self._lifetime = lifetime
        self._most = connections
        self._open: dict[Any, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Record a new connection."""
        super().connection_made(handler, transport)
        if len(self._open) >= self._most:
            oldest, _ = next(iter(self._open.values()))
            oldest.abort()
        ends = asyncio.get_running_loop().call_later(self._lifetime, transport.abort)
        self._open[handler] = transport, ends

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Record the end of one."""
        super().connection_lost(handler, exc)
        if handler in self._open:
            _, ends = self._open.pop(handler)
            ends.cancel()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        readable = request.method in {"GET", "HEAD"}
        answer = await self._pages.answer(request.path) if readable else web.Response(text="only GET", status=405)
        answer.force_close()
        return answer


@asynccontextmanager
async def serving(
    host: str, port: int, pages: Pages, *, lifetime: float = LIFETIME, connections: int = CONNECTIONS
) -> AsyncIterator[int]:
    """Serve until the context ends; return the port.

    Args:
        host: address to listen at.
        port: 0: any that is free.
        pages: what is served.
        lifetime: seconds that a connection may last.
        connections: that there may be at the same time.

    Raises:
        CannotListen: not there.
    """
    runner = web.ServerRunner(_Server(pages, lifetime, connections))
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
            raise CannotListen(f"cannot listen at {host}:{port}: {why}") from None
        taken = int(runner.addresses[0][1])
        log.info("serving probes and metrics", host=host, port=taken)
        yield taken
    finally:
        await runner.cleanup()
