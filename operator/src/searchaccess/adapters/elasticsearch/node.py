"""Makes requests only while allowed, only to allowed addresses, with responses of limited size."""

import asyncio
import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from elastic_transport import AiohttpHttpNode, HttpHeaders, NodeConfig, TransportError

from searchaccess.adapters.answers import LONGEST, body_of
from searchaccess.api.searchcluster import Exposure
from searchaccess.core.clusters.exposure import Exposed, is_public, refusal
from searchaccess.ports.errors import ExternalError, NotPrivate, Unreachable

SHORT: Final = 1200
"""Bytes of a body that fits into one packet with its headers: compressed, it costs both sides CPU and saves nothing."""
_ANSWERED_SHORTLY: Final = frozenset({"PUT", "DELETE"})
"""Methods after which there is not much to say."""


class PrivateResolver(AbstractResolver):
    """Resolves names to addresses that may be connected to, and no others.

    A SearchCluster's hosts are checked before a client is opened, but their names are resolved again for each
    connection, and may resolve to other addresses by then. Connections go to the addresses that are resolved here.

    Args:
        found_by: resolves names.
    """

    def __init__(self, found_by: AbstractResolver | None = None) -> None:
        self._found_by = found_by or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises:
            NotPrivate: one of its addresses is public.
            OSError: it does not resolve.
        """
        found = await self._found_by.resolve(host, port, family)
        for address in (item["host"].partition("%")[0] for item in found):
            if is_public(address):
                exposed = Exposed(Exposure.PUBLIC_ADDRESS, f"{host} ({address}) is a public address")
                raise NotPrivate(refusal([exposed], frozenset()))
        return found

    async def close(self) -> None:
        """Close the resolver."""
        await self._found_by.close()


_longest: Final = ContextVar("longest", default=LONGEST)


@contextmanager
def at_most(longest: int) -> Iterator[None]:
    """Refuse longer answers to the requests that are made meanwhile, by ``TooLong``.

    Args:
        longest: bytes.
    """
    token = _longest.set(longest)
    try:
        yield
    finally:
        _longest.reset(token)


@dataclass(slots=True)
class _Once:
    """One request that is not repeated once it may have arrived."""

    sent: bool = False


_once: Final = ContextVar[_Once | None]("once", default=None)


@contextmanager
def sent_once() -> Iterator[None]:
    """Send the one request that is made meanwhile only once: Elasticsearch may have done what it did not answer.

    If a connection breaks, elastic_transport repeats any request at the next address (``max_retries``), and aiohttp
    repeats PUT and DELETE at the same one, if the connection was used before. That is right for writes that have the
    same effect twice, such as those of roles, role mappings and users under names that we chose. It is wrong for one
    that makes something new each time, such as an API key: nobody would know the first. An address to which there is
    no connection got nothing, so the next one is still tried.

    Raises:
        Unreachable: the connection broke before the answer. The next reconcile finds what was made, and revokes it.
    """
    token = _once.set(_Once())
    try:
        yield
    finally:
        _once.reset(token)


def _may_repeat() -> None:
    """Check that a request that is sent only once was not sent yet.

    Raises:
        Unreachable: it was.
    """
    if (once := _once.get()) is not None and once.sent:
        raise Unreachable("Elasticsearch: the connection broke before the answer, and the request is not repeated")


async def _begin(*_: object) -> None:
    _may_repeat()
    if (once := _once.get()) is not None:
        once.sent = True


class _Bounded(aiohttp.ClientResponse):
    async def read(self) -> bytes:
        """Read the whole body, if it is not too long."""
        return await body_of(self, "Elasticsearch", _longest.get())


def _compressed(method: str, body: bytes | None, headers: HttpHeaders | None) -> tuple[bytes | None, HttpHeaders]:
    """Return a body and headers as they are sent: long ones compressed, and short ones as they are."""
    sent = HttpHeaders(headers or {})
    if body and len(body) > SHORT:
        body, sent["content-encoding"] = gzip.compress(body), "gzip"
    if method in _ANSWERED_SHORTLY:
        sent["accept-encoding"] = "identity"
    return body, sent


async def _refuse_redirect(*_: object) -> NoReturn:
    # The target would be unchecked, and the realm's client secret would go there as well.
    raise aiohttp.ClientConnectionError("it responds with a redirect")


def node_class(guard: Callable[[], None] | None, *, public: bool) -> type[AiohttpHttpNode]:
    """Return a class of nodes that check before each request, and again when its bytes are about to leave.

    A connection may have to be opened first, another address may be tried if one does not answer, and the process may
    be frozen meanwhile. So a condition that held when the request was made may no longer hold when it is sent.

    Args:
        guard: whatever it raises keeps the request from being made; None: each may be made.
        public: whether connections may be to public addresses.
    """

    def may() -> None:
        if guard is not None:
            guard()

    async def check(*_: object) -> None:
        may()

    class GuardedNode(AiohttpHttpNode):
        def __init__(self, config: NodeConfig) -> None:
            super().__init__(config)
            self._headers["accept-encoding"] = "gzip"

        def _create_aiohttp_session(self) -> None:
            # As the library does it, with another response class, resolver and tracing.
            self._loop = asyncio.get_running_loop()
            tracing = aiohttp.TraceConfig()
            # Both are sent right before the bytes are written, with nothing to wait for in between.
            tracing.on_request_headers_sent.extend((check, _begin))
            tracing.on_request_chunk_sent.append(check)
            tracing.on_request_redirect.append(_refuse_redirect)
            self.session = aiohttp.ClientSession(
                headers=self.headers,
                skip_auto_headers=("accept", "accept-encoding", "user-agent"),
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(
                    limit_per_host=self._connections_per_node,
                    ssl=self._ssl_context or False,
                    resolver=None if public else PrivateResolver(),
                ),
                response_class=_Bounded,
                trace_configs=[tracing],
            )

        async def perform_request(  # type: ignore[override]
            self,
            method: str,
            target: str,
            body: bytes | None = None,
            headers: HttpHeaders | None = None,
            **kwargs: Any,
        ) -> Any:
            may()
            _may_repeat()
            body, headers = _compressed(method, body, headers)
            try:
                return await super().perform_request(method, target, body, headers, **kwargs)
            except TransportError as error:
                # An error of the last check comes wrapped, as if the cluster could not be reached.
                may()
                ours = next((cause for cause in error.errors if isinstance(cause, ExternalError)), None)
                if ours is not None:
                    raise ours from None
                # The transport replaces ``errors`` by those of earlier attempts.
                raise error from next(iter(error.errors), None)

    return GuardedNode
