"""Requests that are made only while they may be."""

from collections.abc import Callable
from typing import Any, cast

import aiohttp
from elastic_transport import AiohttpHttpNode, TransportError


def guarded(guard: Callable[[], None]) -> type[AiohttpHttpNode]:
    """Give a class of nodes that ask before each request, and once more when its bytes are about to leave.

    A connection may have to be made first, another address may be tried when one does not answer, and the process may
    be frozen meanwhile: what was true when the request was asked for need not be true when it is sent.

    Args:
        guard: whatever it raises keeps the request from being made.
    """

    async def ask(*_: object) -> None:
        guard()

    class GuardedNode(AiohttpHttpNode):
        def _create_aiohttp_session(self) -> None:
            super()._create_aiohttp_session()
            tracing = aiohttp.TraceConfig()
            # Both are sent right before the bytes are written, with nothing to wait for in between.
            tracing.on_request_headers_sent.append(ask)
            tracing.on_request_chunk_sent.append(ask)
            tracing.freeze()
            cast("aiohttp.ClientSession", self.session).trace_configs.append(tracing)

        async def perform_request(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            guard()
            try:
                return await super().perform_request(*args, **kwargs)
            except TransportError:
                # What it was asked last comes wrapped, as if the cluster could not be reached.
                guard()
                raise

    return GuardedNode
