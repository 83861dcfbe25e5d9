"""Starts the process, with or without a time limit, and reports why it could not."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from searchaccess.core.answers.missing_right import grant_commands
from searchaccess.engine.pacing.backoff import SPREADING_CAP, Backoff, Spreading
from searchaccess.ports.errors import (
    ExternalError,
    LoginRefused,
    NotFound,
    NotStarted,
    PermissionDenied,
    TlsNotVerified,
    TransientError,
    Unreachable,
)

T = TypeVar("T")

_NEXT_STEPS: Final[dict[type[ExternalError], str]] = {
    LoginRefused: "log in again: kubectl auth whoami must succeed with the same kubeconfig and context",
    TlsNotVerified: "correct certificate-authority in the kubeconfig, or the address, or choose another --context",
    NotFound: "install the kinds: kubectl apply --server-side -f crds/",
    Unreachable: "check the address in the kubeconfig, and --context: kubectl version must reach the same API server",
}

_NO_NAMESPACE: Final = re.compile('namespaces "[^"]*" not found')

log = structlog.get_logger(__name__)


def in_full(error: ExternalError) -> str:
    """Return an error of the API server, or of the connection to it, and the next step, in one line and once."""
    if isinstance(error, PermissionDenied):
        commands = grant_commands(error.message)
        step = f"an administrator grants it: {commands}" if commands else ""
    elif isinstance(error, NotFound) and _NO_NAMESPACE.search(error.message):
        step = "create the namespace, or name another one"
    else:
        step = next((text for kind, text in _NEXT_STEPS.items() if isinstance(error, kind)), "")
    return error.message if error.message.endswith(step) else f"{error.message}; {step}"


class Start:
    """Waits for what the start needs.

    Args:
        stop: set to end it before that.
        within: seconds within which all of it must succeed; what a person must fix then ends it at once, and a missing
            right after the seconds that a new one takes to spread. None: it is retried until stopped.
    """

    def __init__(self, stop: asyncio.Event, within: float | None) -> None:
        self._stop = stop
        self._within = within
        self._end = None if within is None else asyncio.get_running_loop().time() + within
        self._last: ExternalError | None = None

    async def wait_for(
        self, work: Callable[[], Awaitable[T]], what: str, retryable: type[ExternalError] = ExternalError
    ) -> T:
        """Retry something until it succeeds; return its result.

        Args:
            work: what to try.
            what: for the log.
            retryable: errors that may pass without a restart; in a run with a limit, only those that need no person.

        Raises:
            NotStarted: it was stopped, it took too long, or a person must act first.
            ExternalError: an error that is not retryable.
        """
        working = asyncio.create_task(self._retry(work, what, retryable))
        stopping = asyncio.create_task(self._stop.wait())
        left = None if self._end is None else self._end - asyncio.get_running_loop().time()
        try:
            await asyncio.wait({working, stopping}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
        finally:
            working.cancel()
            stopping.cancel()
        if self._stop.is_set():
            raise NotStarted("it was stopped before it could start")
        cause = f": {in_full(self._last)}" if self._last else ""
        raise NotStarted(f"it could not connect to Kubernetes within {self._within:.0f} s{cause}")

    async def _retry(self, work: Callable[[], Awaitable[T]], what: str, retryable: type[ExternalError]) -> T:
        backoff, spreading, cap = Backoff(), Spreading(asyncio.get_running_loop().time), None
        while True:
            try:
                return await work()
            except retryable as error:
                if self._within is not None and not isinstance(error, TransientError):
                    if not spreading.may_pass(error):
                        raise NotStarted(in_full(error)) from None
                    cap = SPREADING_CAP
                if self._within is None or self._last is None or self._last.message != error.message:
                    # A run with a limit reports the same again at its end.
                    log.warning("cannot start yet", missing=what, error=in_full(error))
                self._last = error
                await asyncio.sleep(backoff.next(cap))
