"""Errors of everything outside.

ExternalError
 ├── TransientError            try again with back-off
 │    ├── Unreachable          no answer, or a server's own trouble (5xx)
 │    ├── Throttled            429
 │    ├── Conflict             409: somebody else wrote at the same time
 │    └── Unexpected           an answer that we do not understand
 ├── WaitingError              a person or another system must do something; look again now and then
 │    ├── TlsNotVerified
 │    ├── LoginMissing
 │    ├── LoginRefused         401
 │    ├── PermissionDenied     403
 │    ├── NotSupported         not Elasticsearch, or too old
 │    └── NotFound             404
 └── TerminalError             the same request will never succeed
      ├── Rejected             400, 413, 422
      └── NotPrivate           others could listen, and nobody allowed that
"""

from typing import ClassVar

from searchaccess.api.reasons import Reason


class ExternalError(Exception):
    """Something outside did not do what was asked.

    Args:
        message: for people; never contains a secret, a header or a URL's query.
    """

    reason: ClassVar[Reason] = Reason.INTERNAL_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.at_store = False
        """Whether it is the store of secrets that did not do it."""


class TransientError(ExternalError):
    """Try again with back-off."""


class Unreachable(TransientError):
    """No answer, or the server is in trouble."""

    reason = Reason.CLUSTER_UNREACHABLE


class Throttled(TransientError):
    """The server asked to slow down."""

    reason = Reason.THROTTLED


class Conflict(TransientError):
    """Somebody else wrote at the same time."""


class Unexpected(TransientError):
    """An answer that we do not understand."""


class WaitingError(ExternalError):
    """A person or another system must do something first."""


class TlsNotVerified(WaitingError):
    """The server's certificate could not be verified."""

    reason = Reason.TLS_NOT_VERIFIED


class LoginMissing(WaitingError):
    """There is no usable login."""

    reason = Reason.LOGIN_MISSING


class LoginRefused(WaitingError):
    """The login was refused."""

    reason = Reason.LOGIN_REFUSED


class PermissionDenied(WaitingError):
    """The login may not do this."""

    reason = Reason.PERMISSION_DENIED


class NotSupported(WaitingError):
    """The server is not what we can work with."""

    reason = Reason.VERSION_UNSUPPORTED


class NotFound(WaitingError):
    """What was asked for does not exist."""


class TerminalError(ExternalError):
    """The same request will never succeed."""


class Rejected(TerminalError):
    """The server refused the content of a request."""

    reason = Reason.REJECTED


class NotPrivate(TerminalError):
    """A connection is not private, and that is not allowed."""

    reason = Reason.NOT_PRIVATE
