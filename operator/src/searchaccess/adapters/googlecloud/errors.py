"""Maps errors of Google's libraries to errors of the port."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from grpc import RpcError
from grpc.aio import BaseError

from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginMissing,
    LoginRefused,
    NotFound,
    PermissionDenied,
    Rejected,
    Throttled,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)

_TEMPORARY: Final = (Unreachable, "no token for the operator's own account")
# https://cloud.google.com/apis/design/errors
_BY_KIND: Final[tuple[tuple[type[Exception], type[ExternalError], str], ...]] = (
    (exceptions.NotFound, NotFound, "not found"),
    (exceptions.Unauthenticated, LoginRefused, "the operator's own account is rejected"),
    (exceptions.Forbidden, PermissionDenied, "the operator's own account lacks permission, or the API is not enabled"),
    (exceptions.TooManyRequests, Throttled, "a quota is exhausted"),
    (exceptions.AlreadyExists, Conflict, "it already exists"),
    (exceptions.FailedPrecondition, Conflict, "it has changed since it was read"),
    (exceptions.MethodNotImplemented, Unexpected, "it does not support the request"),
    (exceptions.DataLoss, Unexpected, "its response is incomplete"),
    (exceptions.ServerError, Unreachable, "it does not answer"),
    (exceptions.RetryError, Unreachable, "it does not answer"),
    (exceptions.Aborted, Unreachable, "it aborted the request"),
    (exceptions.Cancelled, Unreachable, "it aborted the request"),
    (exceptions.GoogleAPIError, Unexpected, "its response is not understood"),
    (TransportError, *_TEMPORARY),
    (GoogleAuthError, LoginMissing, "the operator has no Google service account: run it with Workload Identity"),
    (RpcError, Unreachable, "it does not answer"),
    (BaseError, Unreachable, "the connection is closed"),
)
# gRPC reports it in words only, as the reason of UNAVAILABLE.
_NOT_TRUSTED: Final = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")


def map_error(what: str, error: Exception) -> ExternalError:
    """Return the port's error. The library's message may have the request in it, so it is left out."""
    ours, text = _classify(error)
    return ours(f"{what}: {text}")


def _classify(error: Exception) -> tuple[type[ExternalError], str]:
    if isinstance(error, exceptions.ServiceUnavailable) and any(sign in str(error) for sign in _NOT_TRUSTED):
        return TlsNotVerified, "its certificate is not trusted"
    if isinstance(error, RefreshError) and _may_pass(error):
        return _TEMPORARY
    for kind, ours, text in _BY_KIND:
        if isinstance(error, kind):
            return ours, text
    return Unexpected, type(error).__name__


def _may_pass(error: RefreshError) -> bool:
    """Distinguish a failed token request from a refusal: the library keeps the response, if there was one."""
    cause = error.__cause__
    return error.retryable or (isinstance(cause, TransportError) and len(cause.args) == 1)


@contextmanager
def mapped_writing(what: str) -> Iterator[None]:
    """Do the same for our own writes: a request that Google rejects will be rejected again."""
    try:
        with mapped(what):
            yield
    except Unexpected as error:
        if isinstance(error.__context__, exceptions.InvalidArgument):
            raise Rejected(f"{what}: it rejects the request") from None
        raise
    except Unreachable as error:
        if isinstance(error.__context__, exceptions.Aborted):
            raise Conflict(f"{what}: it has changed since it was read") from None
        raise


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Raise the port's errors instead of the library's.

    Args:
        what: the target of the request, such as ``Cloud Run, projects/p/locations/l``.
    """
    try:
        yield
    except (exceptions.GoogleAPIError, GoogleAuthError, RpcError, BaseError) as error:
        raise map_error(what, error) from None
    except (OSError, ValueError, OverflowError) as error:
        # An invalid credentials file, or a time or text in a response that the library cannot convert.
        raise Unexpected(f"{what}: its response is not understood ({type(error).__name__})") from None
