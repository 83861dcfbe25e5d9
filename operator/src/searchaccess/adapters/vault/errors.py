"""Maps errors of Vault and aiohttp to errors of the port. No message contains Vault's own text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp

from searchaccess.adapters.answers import decode
from searchaccess.core.model.intake.reading import mapping
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
_BAD_REQUEST: Final = 400
_BY_STATUS: Final[dict[int, tuple[type[ExternalError], str]]] = {
    _BAD_REQUEST: (Rejected, "it rejects the request: is it a KV engine of version 2?"),
    401: (LoginRefused, "the operator's login is refused"),
    403: (PermissionDenied, "the operator's policies do not allow it, or its token is invalid"),
    404: (NotFound, "not found, or no engine is mounted there"),
    429: (Throttled, "a quota is exhausted"),
    500: (Unreachable, "it has an internal error"),
    501: (Unreachable, "it is not initialized"),
    502: (Unreachable, "it has an internal error"),
    503: (Unreachable, "it is sealed or under maintenance"),
}
"""https://developer.hashicorp.com/vault/api-docs#http-status-codes"""
_BY_TYPE: Final[dict[type[Exception], tuple[type[ExternalError], str]]] = {
    aiohttp.ClientSSLError: (TlsNotVerified, "its certificate is not trusted"),
    aiohttp.ServerFingerprintMismatch: (TlsNotVerified, "its certificate is not trusted"),
    aiohttp.ClientError: (Unreachable, "it does not answer"),
    OSError: (Unreachable, "it does not answer"),  # A TimeoutError is one.
    ValueError: (Unexpected, "its response is not understood"),
}
"""In the order in which they are tried: special ones first."""


def by_status(what: str, status: int, body: bytes) -> ExternalError:
    """Return our error for an unsuccessful response.

    Args:
        what: the target of the request, such as ``Vault, secret/team/orders``.
        status: of the response.
        body: of the response; it distinguishes a failed check-and-set from other bad requests.
    """
    if status == _BAD_REQUEST and _says_that_it_changed(body):
        return Conflict(f"{what}: it changed meanwhile")
    kind, text = _BY_STATUS.get(status, (Unexpected, f"its response is not understood (status {status})"))
    return kind(f"{what}: {text}")


def _says_that_it_changed(body: bytes) -> bool:
    try:
        errors = mapping(decode(body)).get("errors")
    except ValueError:
        return False
    return isinstance(errors, list) and any(isinstance(text, str) and _CHANGED in text for text in errors)


def map_error(what: str, error: Exception) -> ExternalError:
    """Return our error for one of aiohttp or the JSON reader, without its text, which may contain the address."""
    for kind, (ours, text) in _BY_TYPE.items():
        if isinstance(error, kind):
            return ours(f"{what}: {text}")
    return Unexpected(f"{what}: {type(error).__name__}")


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Raise the port's errors instead of those of aiohttp and of the JSON reader.

    Args:
        what: the target of the request, such as ``Vault, secret/team/orders``.
    """
    try:
        yield
    except tuple(_BY_TYPE) as error:
        raise map_error(what, error) from None
