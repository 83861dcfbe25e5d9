"""An HTTP server with bounds on connections, whatever clients do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from searchaccess.ports.errors import CannotListen

HANDSHAKE: Final = 5.0
"""Seconds within which a TLS handshake must be done."""
SHUTDOWN: Final = 5.0
"""Seconds in which requests may be answered when the server ends."""
_HEADERS: Final = 32
_LINE: Final = 4096
"""Headers of a request, and bytes in each and in its first line, at most."""

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class BoundedServer(web.Server):
    """Closes connections that last too long, and the oldest ones if there are too many.

    Args:
        answer: answers a request.
        lifetime: seconds that a connection may last.
        connections: how many there may be at a time.
        many_requests: whether the lifetime, and the age, begin again with each request of a connection.
    """

    def __init__(self, answer: Answer, lifetime: float, connections: int, *, many_requests: bool = False) -> None:
        super().__init__(
            self._begin,
            access_log=None,
            keepalive_timeout=lifetime,
            lingering_time=0,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS,
        )
        self._bounded_answer = answer
        self._many_requests = many_requests
        self._lifetime = lifetime
        self._most = connections
        self._open: dict[Any, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}
        """By handler, the oldest first."""

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Record a new connection."""
        super().connection_made(handler, transport)
        if len(self._open) >= self._most:
            oldest, _ = next(iter(self._open.values()))
            oldest.abort()
        self._expect_end(handler, transport)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Record the end of a connection."""
        super().connection_lost(handler, exc)
        if handler in self._open:
            _, ends = self._open.pop(handler)
            ends.cancel()

    def _expect_end(self, handler: Any, transport: asyncio.Transport) -> None:
        ends = asyncio.get_running_loop().call_later(self._lifetime, transport.abort)
        self._open[handler] = transport, ends

    async def _begin(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._many_requests and (known := self._open.pop(request.protocol, None)):
            transport, ends = known
            ends.cancel()
            self._expect_end(request.protocol, transport)
        return await self._bounded_answer(request)


@asynccontextmanager
async def listening(
    host: str, port: int, server: BoundedServer, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Listen until the context ends; return the port.

    Args:
        host: address to listen at.
        port: 0: any that is free.
        server: the server.
        context: for TLS; None: without.

    Raises:
        CannotListen: it cannot listen there.
    """
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    listener: asyncio.Server | None = None
    try:
        loop = asyncio.get_running_loop()
        timeout = HANDSHAKE if context else None
        try:
            listener = await loop.create_server(server, host, port, ssl=context, ssl_handshake_timeout=timeout)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
            raise CannotListen(f"cannot listen at {host}:{port}: {why}") from None
        yield int(listener.sockets[0].getsockname()[1])
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()
