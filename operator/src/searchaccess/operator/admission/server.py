"""Answers the API server's admission requests over HTTPS (docs/adr/0050).

Every replica answers, from its own inventory, without any request of its own.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from searchaccess.core.webhook.review import BadReview, Review, reading, response_to
from searchaccess.core.webhook.ruling import Ruling, Undecided
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.allowance import Replaced, Unfinished
from searchaccess.operator.admission.judge import Judge
from searchaccess.operator.listening import BoundedServer, listening
from searchaccess.ports.meter import Meter

PATH: Final = "/validate"
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a request: the object as it is and as it would be, of which etcd stores 1.5 MiB each."""
FEW_BYTES: Final = 256 * 1024
MOST_BUFFERED: Final = 32 * 1024 * 1024
"""Of all requests together: beyond that, none may have more than few."""
READ_WITHIN: Final = 5.0
"""Seconds within which a request must have arrived."""
ANSWER_WITHIN: Final = 5.0
"""Seconds after which nobody waits for an answer any more, where the request does not say how long."""
_SECONDS: Final = re.compile(r"([1-9][0-9]?)s")
_MOST_SECONDS: Final = 30
"""Kubernetes allows no longer ``timeoutSeconds``."""
IDLE: Final = 150.0
"""Seconds that a connection may last without a new request. The API server closes it after 90, and so before us."""
CONNECTIONS: Final = 256
LEAVING: Final = 5.0
"""Seconds for which it answers after it began to stop: until then, not everybody knows that it stops."""

_TOO_MANY: Final = "too many requests at a time"
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
        """One is parsed and judged at a time, so that other tasks run in between."""
        self._slow = asyncio.Lock()
        """One is judged at a time of those that take more than one turn."""
        self._buffered = 0
        """Bytes of all requests that were read and not answered yet."""
        self.leaving = False
        """Whether connections are closed after their next request."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response to a request."""
        began, body = asyncio.get_running_loop().time(), bytearray()
        try:
            await self._read(request, body)
            review, ruling = await self._rule_in_turn(body, began + _patience(request))
            result, response = _kind(ruling), web.json_response(response_to(review, ruling))
        except _NoRuling as error:
            # The API server does as its failurePolicy says.
            result, response = error.result, web.Response(text=error.text, status=error.status)
        finally:
            self._buffered -= len(body)
        self._meter.reviewed(result, asyncio.get_running_loop().time() - began)
        if self.leaving or response.status != web.HTTPOk.status_code:
            # What is left of a request that was not read in full would count as the next one.
            response.force_close()
        return response

    async def _read(self, request: web.BaseRequest, body: bytearray) -> None:
        """Read the body of a request.

        Raises:
            _NoRuling: it is not one of the API server, or there are too many.
        """
        if request.path != PATH:
            raise _NoRuling("unreadable", 404, "there is no such page")
        if request.method != "POST":
            raise _NoRuling("unreadable", 405, "only POST")
        try:
            async with asyncio.timeout(READ_WITHIN):
                async for chunk in request.content.iter_any():
                    body += chunk
                    self._buffered += len(chunk)
                    if len(body) > MOST_BYTES:
                        raise _NoRuling("unreadable", 413, f"a request may have {MOST_BYTES} bytes")
                    if len(body) > FEW_BYTES and self._buffered > MOST_BUFFERED:
                        raise _NoRuling("late", 503, _TOO_MANY)
        except TimeoutError:
            raise _NoRuling("unreadable", 408, "the request did not arrive in time") from None
        except (web.PayloadAccessError, web.RequestPayloadError, OSError) as error:
            raise _NoRuling("unreadable", 400, f"the request cannot be read ({type(error).__name__})") from None

    async def _rule_in_turn(self, body: bytearray, deadline: float) -> tuple[Review, Ruling]:
        try:
            async with self._turn:
                self._check_time(deadline)
                self._check_ready()
                review = await _review(body)
                with suppress(Unfinished):
                    return review, self._judge.allowance.advance(self._judge.rule(review))
            # It waits as it came: parsed, it takes many times as much memory.
            del review
            return await self._rule_slowly(body, deadline)
        except BadReview as error:
            raise _NoRuling("unreadable", 400, str(error)) from None
        except Undecided:
            raise _NoRuling("failed", 500, _INTERNAL) from None
        except _NoRuling:
            raise
        except Exception as error:  # noqa: BLE001 - the barrier between one request and all others
            caught(self._meter, "", "admission", error)
            raise _NoRuling("failed", 500, _INTERNAL) from None

    async def _rule_slowly(self, body: bytearray, deadline: float) -> tuple[Review, Ruling]:
        """Judge in as many turns as it takes, one of such requests at a time: what is quick is answered in between.

        A ruling of before a policy changed does not count.
        """
        async with self._slow:
            self._check_time(deadline)
            review = await _review(body)
            while True:
                self._check_time(deadline)
                counts = partial(self._counts, self._judge.edition, deadline)
                with suppress(Replaced):
                    return review, await self._judge.allowance.complete(self._judge.rule(review), counts)

    def _check_ready(self) -> None:
        if why := self._unready():
            raise _NoRuling("unready", 503, why)

    def _check_time(self, deadline: float) -> None:
        if self._is_late(deadline):
            raise _NoRuling("late", 503, _TOO_MANY)

    def _counts(self, edition: int, deadline: float) -> bool:
        return self._judge.edition == edition and not self._is_late(deadline)

    def _is_late(self, deadline: float) -> bool:
        """Return whether nobody waits for the answer any more."""
        return asyncio.get_running_loop().time() > deadline


def _patience(request: web.BaseRequest) -> float:
    """Return for how many seconds the API server waits: the least of ``timeoutSeconds`` and what its client allows.

    It sends them in the URL, rounded up to whole ones
    (https://github.com/kubernetes/kubernetes/pull/81602).
    """
    seconds = _SECONDS.fullmatch(request.query.get("timeout", ""))
    return float(min(int(seconds[1]), _MOST_SECONDS)) if seconds else ANSWER_WITHIN


async def _review(body: bytes | bytearray) -> Review:
    """Read a request; other tasks run between the parts of a large one.

    Raises:
        BadReview: it is no AdmissionReview.
    """
    work = reading(body)
    while True:
        try:
            next(work)
        except StopIteration as end:
            review: Review = end.value
            return review
        await asyncio.sleep(0)


def _kind(ruling: Ruling) -> str:
    if not ruling.allowed:
        return "denied"
    return "warned" if ruling.warnings else "allowed"


@asynccontextmanager
async def admitting(
    host: str,
    port: int,
    admission: Admission,
    context: ssl.SSLContext,
    stop: asyncio.Event,
    leaving: float = LEAVING,
) -> AsyncIterator[int]:
    """Serve the webhook until the context ends, and some seconds after the process begins to stop; return the port.

    Args:
        host: address to listen at.
        port: 0: any that is free.
        admission: answers requests.
        context: for TLS, with the certificate as soon as there is one.
        stop: set when the process is to stop.
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
