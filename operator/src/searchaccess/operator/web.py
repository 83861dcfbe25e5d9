"""Serves probes and metrics by HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from searchaccess.api.reasons import Reason
from searchaccess.operator.metrics import CONTENT_TYPE
from searchaccess.ports.errors import ExternalError

log = structlog.get_logger(__name__)

LIVE: Final = "/livez"
READY: Final = "/readyz"
METRICS: Final = "/metrics"


class CannotListen(ExternalError):
    """The address for probes and metrics is taken, or is none of this machine."""

    reason = Reason.INTERNAL_ERROR


@dataclass(frozen=True, slots=True)
class Pages:
    """What is served.

    Args:
        stuck: says what makes no progress; empty: nothing.
        unready: says why what is declared is not known; empty: it is.
        metrics: gives metrics as text.
    """

    stuck: Callable[[], str]
    unready: Callable[[], str]
    metrics: Callable[[], bytes]


def _probe(ask: Callable[[], str]) -> Callable[[web.Request], object]:
    async def answer(_: web.Request) -> web.Response:
        # That it answers at all says that the event loop turns.
        why = ask()
        return web.Response(text=why or "ok", status=503 if why else 200)

    return answer


@asynccontextmanager
async def serving(host: str, port: int, pages: Pages) -> AsyncIterator[int]:
    """Serve until the context ends; give the port.

    Args:
        host: address to listen at.
        port: 0: any that is free.
        pages: what is served.

    Raises:
        CannotListen: not there.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=pages.metrics(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.router.add_get(LIVE, _probe(pages.stuck))  # type: ignore[arg-type]
    application.router.add_get(READY, _probe(pages.unready))  # type: ignore[arg-type]
    application.router.add_get(METRICS, metrics)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise CannotListen(f"cannot listen at {host}:{port}: {error.strerror}") from None
        taken = int(runner.addresses[0][1])
        log.info("serving probes and metrics", host=host, port=taken)
        yield taken
    finally:
        await runner.cleanup()
