"""What hvac and requests raise, as errors of the port."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from hvac import exceptions
from requests.exceptions import RequestException, SSLError

from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginRefused,
    NotFound,
    PermissionDenied,
    Rejected,
    Throttled,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)

_CHANGED: Final = "check-and-set parameter did not match"
# https://developer.hashicorp.com/vault/api-docs#http-status-codes
_BY_KIND: Final[tuple[tuple[type[Exception], type[ExternalError], str], ...]] = (
    (exceptions.InvalidRequest, Rejected, "it refuses the request: is it a KV engine of version 2?"),
    (exceptions.Unauthorized, LoginRefused, "the operator's login is refused"),
    (exceptions.Forbidden, PermissionDenied, "the operator's policies do not allow it, or its token is not good"),
    (exceptions.InvalidPath, NotFound, "there is no such thing, or no engine is mounted there"),
    (exceptions.RateLimitExceeded, Throttled, "a quota is used up"),
    (exceptions.VaultNotInitialized, Unreachable, "it is not initialized"),
    (exceptions.VaultDown, Unreachable, "it is sealed or under maintenance"),
    (exceptions.InternalServerError, Unreachable, "it is in trouble"),
    (exceptions.BadGateway, Unreachable, "it is in trouble"),
    (exceptions.VaultError, Unexpected, "its answer is not understood"),
    (SSLError, TlsNotVerified, "its certificate is not trusted"),
    (RequestException, Unreachable, "it does not answer"),
)


def _map(what: str, error: Exception) -> ExternalError:
    """Give the port's error. The library's message may have the request in it, so it is left out."""
    if isinstance(error, exceptions.InvalidRequest) and any(_CHANGED in text for text in error.errors or ()):
        return Conflict(f"{what}: it is not as it was looked at")
    for kind, ours, text in _BY_KIND:
        if isinstance(error, kind):
            return ours(f"{what}: {text}")
    return Unexpected(f"{what}: {type(error).__name__}")


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Raise the port's errors in place of the libraries'.

    Args:
        what: whom was asked for what, such as ``Vault, secret/data/team/orders``.
    """
    try:
        yield
    except (exceptions.VaultError, RequestException) as error:
        raise _map(what, error) from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # RecursionError: the client's own reader of JSON meets an answer that is nested too deeply.
        raise Unexpected(f"{what}: its answer is not understood ({type(error).__name__})") from None
