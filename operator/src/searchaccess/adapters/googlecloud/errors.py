"""What Google's libraries raise, as errors of the port."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, TransportError
from grpc import RpcError

from searchaccess.ports.errors import (
    ExternalError,
    LoginMissing,
    LoginRefused,
    NotFound,
    PermissionDenied,
    Throttled,
    Unexpected,
    Unreachable,
)

# https://cloud.google.com/apis/design/errors
_BY_KIND: Final[tuple[tuple[type[Exception], type[ExternalError], str], ...]] = (
    (exceptions.NotFound, NotFound, "there is no such thing"),
    (exceptions.Unauthenticated, LoginRefused, "the operator's own account is refused"),
    (exceptions.Forbidden, PermissionDenied, "the operator's own account may not read it, or the API is not enabled"),
    (exceptions.TooManyRequests, Throttled, "a quota is used up"),
    (exceptions.ServerError, Unreachable, "it does not answer"),
    (exceptions.RetryError, Unreachable, "it does not answer"),
    (exceptions.Aborted, Unreachable, "it broke off"),
    (exceptions.Cancelled, Unreachable, "it broke off"),
    (exceptions.GoogleAPIError, Unexpected, "its answer is not understood"),
    (TransportError, Unreachable, "the operator's own account cannot be asked for"),
    (GoogleAuthError, LoginMissing, "the operator has no account of its own: run it with Workload Identity"),
    (RpcError, Unreachable, "it does not answer"),
)


def map_error(what: str, error: Exception) -> ExternalError:
    """Give the port's error. The library's message may have the request in it, so it is left out."""
    for kind, ours, text in _BY_KIND:
        if isinstance(error, kind):
            return ours(f"{what}: {text}")
    return Unexpected(f"{what}: {type(error).__name__}")


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Raise the port's errors in place of the library's.

    Args:
        what: whom was asked for what, such as ``Cloud Run, projects/p/locations/l``.
    """
    try:
        yield
    except (exceptions.GoogleAPIError, GoogleAuthError, RpcError) as error:
        raise map_error(what, error) from None
