"""Errors by HTTP status, as far as servers agree on their meaning."""

from collections.abc import Callable, Mapping
from typing import Final

from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginRefused,
    NotFound,
    PermissionDenied,
    Rejected,
    Throttled,
    Unexpected,
    Unreachable,
)

NO_REASON: Final = "no reason given"
_SERVER_TROUBLE: Final = 500

_COMMON: Final[dict[int, Callable[[str], ExternalError]]] = {
    400: Rejected,
    401: LoginRefused,
    403: PermissionDenied,
    404: NotFound,
    408: Unreachable,
    409: Conflict,
    413: Rejected,
    422: Rejected,
    429: Throttled,
}


def error_of(status: int, message: str, special: Mapping[int, Callable[[str], ExternalError]]) -> ExternalError:
    """Return our error for an unsuccessful response.

    Args:
        status: of the response.
        message: of the error.
        special: what other statuses mean to this server.
    """
    otherwise = Unreachable if status >= _SERVER_TROUBLE else Unexpected
    return (_COMMON.get(status) or special.get(status, otherwise))(message)
