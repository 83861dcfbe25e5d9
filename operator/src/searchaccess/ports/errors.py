"""Errors of everything outside: all of them, in one place.

ExternalError
 ├── TransientError            retried with back-off
 │    ├── Unreachable          no answer, or a server's own trouble (5xx)
 │    ├── Throttled            429
 │    ├── Conflict             409: somebody else wrote at the same time
 │    ├── Unexpected           an answer that we do not understand
 │    └── NotHolder            another replica has it, or may have it by now
 ├── WaitingError              a person or another system must do something; retried now and then
 │    ├── TlsNotVerified
 │    ├── LoginMissing
 │    ├── LoginRefused         401
 │    ├── PermissionDenied     403
 │    │    └── NamespaceEnds   its namespace is being deleted, or is gone, and all that is in it
 │    ├── NotSupported         not Elasticsearch, or too old
 │    └── NotFound             404
 ├── Rejected                  400, 413, 422: the same request will never succeed
 ├── NotPrivate                others could listen, and nobody allowed that
 ├── StoreNotFound             a SearchAccess names a store that its SearchCluster does not have
 ├── LoginCannotIssue          the operator's login can make no keys
 ├── NothingIsWritten          a dry run was about to write: an internal error
 ├── BadManifest               a file has no manifests that can be read
 ├── NoSuchCluster             a run is for a SearchCluster that does not exist
 ├── NotStarted                it was stopped, refused, or out of time, before it could begin
 └── CannotListen              the address for probes and metrics is taken, or is none of this machine

Whether a person must act (``Stalled``) is said once, by the reason: ``doc_of(reason).terminal``.
"""

from typing import ClassVar

from searchaccess.api.conditions.reasons import Reason


class ExternalError(Exception):
    """Something outside did not do what was requested.

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
    """No answer, or the server is in trouble."""

    reason = Reason.CLUSTER_UNREACHABLE


class Throttled(TransientError):
    """The server limits the rate of requests."""

    reason = Reason.THROTTLED


class Conflict(TransientError):
    """Somebody else wrote at the same time."""


class Unexpected(TransientError):
    """An answer that we cannot interpret."""


class NotHolder(TransientError):
    """Another replica has this, or may have it by now."""


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


class NamespaceEnds(PermissionDenied):
    """The namespace is being deleted, or is gone: what is in it goes with it, whoever may touch it until then."""


class NotSupported(WaitingError):
    """The server is not what we can work with."""

    reason = Reason.VERSION_UNSUPPORTED


class NotFound(WaitingError):
    """What was requested does not exist."""


class Rejected(ExternalError):
    """The server refused the content of a request: the same request will never succeed."""

    reason = Reason.REJECTED


class NotPrivate(ExternalError):
    """A connection is not private, and that is not allowed."""

    reason = Reason.NOT_PRIVATE


class StoreNotFound(ExternalError):
    """The SearchCluster has no such store."""

    reason = Reason.STORE_NOT_FOUND


class LoginCannotIssue(ExternalError):
    """The operator's login can make no keys."""

    reason = Reason.LOGIN_CANNOT_ISSUE


class NothingIsWritten(ExternalError):
    """A dry run was about to change something: an internal error."""


class BadManifest(ExternalError):
    """A file has no manifests that can be read."""


class NoSuchCluster(ExternalError):
    """A SearchCluster that was named does not exist."""

    reason = Reason.CLUSTER_NOT_FOUND


class NotStarted(ExternalError):
    """It was stopped, its time was over, or it was refused what it needs, before it could begin."""


class CannotListen(ExternalError):
    """The address for probes and metrics is in use, or does not belong to this machine."""
