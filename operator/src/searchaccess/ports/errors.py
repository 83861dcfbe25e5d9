"""All errors of external systems, in one place.

ExternalError
 ├── TransientError            retried with back-off
 │    ├── Unreachable          no response, or a server error (5xx)
 │    ├── Throttled            429
 │    ├── Conflict             409: a concurrent write
 │    ├── Unexpected           a response that we cannot interpret
 │    │    └── TooLong         a response that is longer than its request allows
 │    └── NotHolder            another replica owns it, or may own it by now
 ├── WaitingError              a person or another system must act; retried periodically
 │    ├── TlsNotVerified
 │    ├── LoginMissing
 │    ├── LoginRefused         401
 │    ├── PermissionDenied     403
 │    │    └── NamespaceEnds   the namespace is being deleted, or is gone, with all that is in it
 │    ├── NotSupported         not Elasticsearch, or too old
 │    └── NotFound             404
 ├── Rejected                  400, 413, 422: the same request will never succeed
 ├── NotPrivate                the connection is exposed, and that is not allowed
 ├── ForeignObject             an object of a name that the operator needs belongs to somebody else
 ├── StoreNotFound             a SearchAccess names a store that its SearchCluster does not have
 ├── LoginCannotIssue          the operator's login cannot create keys
 ├── NothingIsWritten          a dry run was about to write: an internal error
 ├── BadManifest               a file has no manifests that can be read
 ├── InvalidLog                a log file cannot be read
 ├── NoSuchCluster             a requested SearchCluster does not exist
 ├── NoSuchSubject             somebody who was asked about does not exist
 ├── NotStarted                it was stopped, refused, or out of time, before it could start
 └── CannotListen              the address for probes and metrics is in use, or not of this machine

Whether a person must act (``Stalled``) is defined by the reason: ``doc_of(reason).terminal``.
"""

from typing import ClassVar

from searchaccess.api.conditions.reasons import Reason


class ExternalError(Exception):
    """An external system did not do what was requested.

    Args:
        message: for people; never contains a secret, a header or a URL's query.
    """

    reason: ClassVar[Reason] = Reason.INTERNAL_ERROR

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.at_store = False
        """Whether the secret store failed."""


class TransientError(ExternalError):
    """Retried with back-off."""


class Unreachable(TransientError):
    """No response, or a server error."""

    reason = Reason.CLUSTER_UNREACHABLE


class Throttled(TransientError):
    """The server limits the rate of requests."""

    reason = Reason.THROTTLED


class Conflict(TransientError):
    """Somebody else wrote concurrently."""


class Unexpected(TransientError):
    """A response that we cannot interpret."""


class TooLong(Unexpected):
    """A response is longer than its request allows; it was not read to the end."""


class NotHolder(TransientError):
    """Another replica owns this, or may own it by now."""


class WaitingError(ExternalError):
    """A person or another system must act first."""


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


class NamespaceEnds(PermissionDenied):
    """The namespace is being deleted, or is gone, with all that is in it."""


class NotSupported(WaitingError):
    """The server is not supported."""

    reason = Reason.VERSION_UNSUPPORTED


class NotFound(WaitingError):
    """What was requested does not exist."""


class Rejected(ExternalError):
    """The server refused the content of a request: the same request will never succeed."""

    reason = Reason.REJECTED


class NotPrivate(ExternalError):
    """A connection is not private, and that is not allowed."""

    reason = Reason.NOT_PRIVATE


class ForeignObject(ExternalError):
    """An object of a name that the operator needs belongs to somebody else. Nothing is written over it."""

    reason = Reason.OWNERSHIP_CONFLICT


class StoreNotFound(ExternalError):
    """The SearchCluster has no such store."""

    reason = Reason.STORE_NOT_FOUND


class LoginCannotIssue(ExternalError):
    """The operator's login cannot create keys."""

    reason = Reason.LOGIN_CANNOT_ISSUE


class NothingIsWritten(ExternalError):
    """A dry run was about to change something: an internal error."""


class BadManifest(ExternalError):
    """A file has no manifests that can be read."""


class InvalidLog(ExternalError):
    """A log file cannot be read."""


class NoSuchCluster(ExternalError):
    """A SearchCluster that was named does not exist."""

    reason = Reason.CLUSTER_NOT_FOUND


class NoSuchSubject(ExternalError):
    """Somebody who was asked about does not exist: a SearchAccess, or an API key."""


class NotStarted(ExternalError):
    """It was stopped, timed out, or was refused what it needs, before it could start."""


class CannotListen(ExternalError):
    """The address for probes and metrics is in use, or does not belong to this machine."""
