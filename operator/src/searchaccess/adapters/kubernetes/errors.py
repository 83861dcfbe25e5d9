"""Maps errors of the Kubernetes client, and of aiohttp under it, to ours. A test proves that none is missing."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import exceptions as client_exceptions
from kubernetes.aio.config import ConfigException

from searchaccess.adapters.kubernetes.causes import cause_of
from searchaccess.adapters.statuses import NO_REASON, error_of
from searchaccess.core.model.intake.reading import mapping, objects, shortened
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginMissing,
    NamespaceEnds,
    Rejected,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)

_BY_STATUS: Final[dict[int, Callable[[str], ExternalError]]] = {
    410: Conflict,
    415: Rejected,
}
_FORBIDDEN: Final = 403
_UNPROCESSABLE: Final = 422
_TERMINATING: Final = "NamespaceTerminating"
_PATCH_FAILED: Final = "the server rejected our request due to an error in our request"
"""The API server's whole message (measured) when a "test" of a JSON patch fails. For bad content, it names the
error."""

_BY_TYPE: Final[dict[type[BaseException], Callable[[str], ExternalError]]] = {
    aiohttp.ClientSSLError: TlsNotVerified,
    aiohttp.ServerFingerprintMismatch: TlsNotVerified,
    ssl.SSLError: TlsNotVerified,
    ConfigException: LoginMissing,
    client_exceptions.OpenApiException: Unexpected,
    aiohttp.ClientError: Unreachable,
    TimeoutError: Unreachable,
    OSError: Unreachable,
    ValueError: Unexpected,
}
"""In the order in which they are tried: special ones first."""


def by_status(status: int, message: str) -> ExternalError:
    """Return our error for an HTTP status of an answer that is no success."""
    return error_of(status, message, _BY_STATUS)


def _status(body: object) -> Mapping[str, Any]:
    """Read a Status object; empty: it is none."""
    try:
        return mapping(json.loads(body) if isinstance(body, str | bytes) else body)
    except (ValueError, RecursionError):
        return {}


def _message(status: Mapping[str, Any]) -> str:
    message = status.get("message")
    return shortened(message) if isinstance(message, str) and message else NO_REASON


def _namespace_ends(status: Mapping[str, Any]) -> bool:
    """Return whether a Status object says that something cannot be made because its namespace is being deleted."""
    causes = objects(mapping(status.get("details")).get("causes"))
    return any(cause.get("reason") == _TERMINATING for cause in causes)


def map_error(error: BaseException) -> ExternalError:
    """Return our error for one that the Kubernetes client raised."""
    if isinstance(error, client_exceptions.ApiException):
        body = _status(error.body)
        status, message = int(error.status or 0), _message(body)
        if status == _FORBIDDEN and _namespace_ends(body):
            return NamespaceEnds(f"the API server answered {status}: {message}")
        if status == _UNPROCESSABLE and message == _PATCH_FAILED:
            return Conflict("the object changed meanwhile")
        return by_status(status, f"the API server answered {status}: {message}")
    for kind, ours in _BY_TYPE.items():
        if isinstance(error, kind):
            return ours(f"the API server: {cause_of(error)}")
    return Unexpected(f"the API server: {cause_of(error)}")


@contextmanager
def mapped() -> Iterator[None]:
    """Turn errors of the Kubernetes client into ours."""
    try:
        yield
    except (
        client_exceptions.OpenApiException,
        ConfigException,
        aiohttp.ClientError,
        TimeoutError,
        OSError,
        ValueError,
    ) as error:
        raise map_error(error) from None
