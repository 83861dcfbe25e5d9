"""Serves probes and metrics over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from searchaccess.operator.listening import BoundedServer, listening
from searchaccess.operator.telemetry.metrics import CONTENT_TYPE

log = structlog.get_logger(__name__)

LIVE: Final = "/livez"
READY: Final = "/readyz"
METRICS: Final = "/metrics"

LIFETIME: Final = 10.0
"""Seconds that a connection may last, for one request and its response."""
CONNECTIONS: Final = 64
"""Concurrent connections. One more replaces the oldest."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages that are served.

    Args:
        stuck: returns what is stuck; empty: nothing.
        unready: returns why the process is not ready; empty: it is.
        metrics: returns the metrics as text.
    """

    stuck: Callable[[], str]
    unready: Callable[[], str]
    metrics: Callable[[], Awaitable[bytes]]

    async def answer(self, path: str) -> web.Response:
        """Return the response to a request."""
        if path == METRICS:
            return web.Response(body=await self.metrics(), headers={"Content-Type": CONTENT_TYPE})
        if path not in {LIVE, READY}:
            return web.Response(text="there is no such page", status=404)
        # Any response shows that the event loop runs.
        why = self.stuck() if path == LIVE else self.unready()
        return web.Response(text=why or "ok", status=503 if why else 200)


@asynccontextmanager
async def serving(
    host: str, port: int, pages: Pages, *, lifetime: float = LIFETIME, connections: int = CONNECTIONS
) -> AsyncIterator[int]:
    """Serve until the context ends; return the port.

    Args:
        host: address to listen at.
        port: 0: any that is free.
        pages: the pages to serve.
        lifetime: seconds that a connection may last, for one request and its response.
        connections: how many there may be at a time.

    Raises:
        CannotListen: it cannot listen there.
    """

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        readable = request.method in {"GET", "HEAD"}
        response = await pages.answer(request.path) if readable else web.Response(text="only GET", status=405)
        response.force_close()
        return response

    async with listening(host, port, BoundedServer(answer, lifetime, connections)) as taken:
        log.info("serving probes and metrics", host=host, port=taken)
        yield taken
