"""Answers the API server's admission requests over HTTPS (docs/adr/0050).

Every replica answers, from its own inventory, without any request of its own.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web

from searchaccess.core.webhook.review import BadReview, Review, response_to, review_from
from searchaccess.core.webhook.ruling import Ruling, Undecided
from searchaccess.engine.barrier import caught
from searchaccess.operator.admission.judge import Judge
from searchaccess.operator.listening import BoundedServer, listening
from searchaccess.ports.meter import Meter

PATH: Final = "/validate"
MOST_BYTES: Final = 8 * 1024 * 1024
"""Of a request: the object as it is and as it would be, of 3 MB each at most."""
READ_WITHIN: Final = 5.0
"""Seconds within which a request must have arrived."""
ANSWER_WITHIN: Final = 5.0
"""Seconds after which nobody waits for an answer any more."""
IDLE: Final = 150.0
"""Seconds that a connection may last without a new request. The API server closes it after 90, and so before us."""
CONNECTIONS: Final = 256
LEAVING: Final = 5.0
"""Seconds for which it answers after the process was told to stop: until then, not everybody knows that it stops."""

_INTERNAL: Final = "an internal error: see the operator's log"

log = structlog.get_logger(__name__)


class _NoRuling(Exception):
    """Nothing can be decided.

    Args:
        result: what is counted, one of ``REVIEWS``.
        status: of the HTTP response.
        text: why, for people.
    """

    def __init__(self, result: str, status: int, text: str) -> None:
        super().__init__(text)
        self.result = result
        self.status = status
        self.text = text


class Admission:
    """Answers admission requests.

    Args:
        judge: decides about them.
        unready: returns why nothing can be decided yet; empty: it can.
        meter: counts the answers.
    """

    def __init__(self, judge: Judge, unready: Callable[[], str], meter: Meter) -> None:
        self._judge = judge
        self._unready = unready
        self._meter = meter
        self._turn = asyncio.Lock()
        """One is judged at a time, so that other tasks run in between."""
        self.leaving = False
        """Whether connections are closed after their next request."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response to a request."""
        began = asyncio.get_running_loop().time()
        try:
            review = await _read(request)
            ruling = await self._rule_in_turn(review, began)
            result, response = _kind(ruling), web.json_response(response_to(review, ruling))
        except _NoRuling as error:
            # The API server does as its failurePolicy says.
            result, response = error.result, web.Response(text=error.text, status=error.status)
        self._meter.reviewed(result, asyncio.get_running_loop().time() - began)
        if self.leaving or response.status != web.HTTPOk.status_code:
            # What is left of a request that was not read in full would count as the next one.
            response.force_close()
        return response

    async def _rule_in_turn(self, review: Review, began: float) -> Ruling:
        async with self._turn:
            if asyncio.get_running_loop().time() - began > ANSWER_WITHIN:
                raise _NoRuling("late", 503, "too many requests at a time")
            if why := self._unready():
                raise _NoRuling("unready", 503, why)
            try:
                return self._judge.rule(review)
            except Undecided:
                raise _NoRuling("failed", 500, _INTERNAL) from None
            except Exception as error:  # noqa: BLE001 - the barrier between one request and all others
                caught(self._meter, "", "admission", error)
                raise _NoRuling("failed", 500, _INTERNAL) from None


def _kind(ruling: Ruling) -> str:
    if not ruling.allowed:
        return "denied"
    return "warned" if ruling.warnings else "allowed"


async def _read(request: web.BaseRequest) -> Review:
    """Read a request.

    Raises:
        _NoRuling: it is not one of the API server.
    """
    if request.path != PATH:
        raise _NoRuling("unreadable", 404, "there is no such page")
    if request.method != "POST":
        raise _NoRuling("unreadable", 405, "only POST")
    try:
        async with asyncio.timeout(READ_WITHIN):
            body = await _body(request)
        return review_from(json.loads(body))
    except TimeoutError:
        raise _NoRuling("unreadable", 408, "the request did not arrive in time") from None
    except BadReview as error:
        raise _NoRuling("unreadable", 400, str(error)) from None
    except (ValueError, RecursionError):
        raise _NoRuling("unreadable", 400, "the request is no JSON that can be read") from None


async def _body(request: web.BaseRequest) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                raise BadReview(f"a request may have {MOST_BYTES} bytes")
    except (web.PayloadAccessError, web.RequestPayloadError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise BadReview(f"the request cannot be read ({type(error).__name__})") from None
    return bytes(body)


@asynccontextmanager
async def admitting(
    host: str,
    port: int,
    admission: Admission,
    context: ssl.SSLContext,
    stop: asyncio.Event,
    leaving: float = LEAVING,
) -> AsyncIterator[int]:
    """Serve the webhook until the context ends, and some seconds after the process is told to stop; return the port.

    Args:
        host: address to listen at.
        port: 0: any that is free.
        admission: answers requests.
        context: for TLS, with the certificate as soon as there is one.
        stop: set when the process is told to stop.
        leaving: seconds for which it still answers then.

    Raises:
        CannotListen: it cannot listen there.
    """
    server = BoundedServer(admission.answer, IDLE, CONNECTIONS, many_requests=True)
    async with listening(host, port, server, context) as taken:
        log.info("serving the admission webhook", host=host, port=taken)
        left = asyncio.create_task(_leave(admission, stop, leaving))
        try:
            yield taken
            if stop.is_set():
                await left
        finally:
            left.cancel()


async def _leave(admission: Admission, stop: asyncio.Event, leaving: float) -> None:
    await stop.wait()
    admission.leaving = True
    await asyncio.sleep(leaving)
