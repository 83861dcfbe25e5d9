"""Classifies errors without an answer: whether the request may have arrived."""

import ssl

import urllib3.exceptions
from elastic_transport import ConnectionError as Disconnected
from elastic_transport import ConnectionTimeout

from searchaccess_client.attempts import Failure

_REFUSED_WITH_ASYNCIO = ("aiohttp.client_exceptions", "ClientConnectorError")
"""By name, because aiohttp is installed only with the extra `async`. In doubt a write is not repeated."""

Unanswered = Disconnected | ConnectionTimeout
"""What Elastic's library raises when no answer came."""


def failure_of(error: Unanswered) -> Failure:
    """Return what an error of Elastic's library means; in doubt, that the request may have arrived."""
    cause = _cause_of(error)
    if cause and any(isinstance(detail, ssl.SSLCertVerificationError) for detail in cause.args):
        return Failure.UNTRUSTED
    if isinstance(error, ConnectionTimeout):
        early = isinstance(cause, urllib3.exceptions.ConnectTimeoutError)
        return Failure.UNREACHABLE_IN_TIME if early else Failure.UNANSWERED_IN_TIME
    return Failure.UNREACHABLE if _is_refused(cause) else Failure.CUT


def explain(error: Unanswered, earlier: list[Unanswered]) -> None:
    """Add to an error its cause, which Elastic's library drops from the text, and the errors of earlier attempts.

    Args:
        error: the last one, which is raised.
        earlier: those before it.
    """
    cause = _cause_of(error)
    error.errors = (*([cause] if isinstance(cause, Exception) else []), *earlier)


def _is_refused(cause: BaseException | None) -> bool:
    names = {(kind.__module__, kind.__name__) for kind in type(cause).__mro__}
    return isinstance(cause, urllib3.exceptions.NewConnectionError) or _REFUSED_WITH_ASYNCIO in names


def _cause_of(error: Unanswered) -> BaseException | None:
    """Return the error that Elastic's library translated: the nearest, for a further one may be the caller's own."""
    return error.__cause__ or error.__context__
