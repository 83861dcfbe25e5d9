"""When a request is sent again, and with what: one decision, for both transports. No I/O, no clock."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, Self

NOT_EXECUTED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses that say that a request was refused before it was executed."""

_READS: Final = frozenset(
    {
        "_count",
        "_field_caps",
        "_mget",
        "_msearch",
        "_msearch/template",
        "_mtermvectors",
        "_search",
        "_search/template",
        "_validate/query",
    }
)
"""What only reads although it is sent by POST. Not ``_search/scroll``: a lost page cannot be fetched again."""


class Failure(Enum):
    """Why there is no answer."""

    UNREACHABLE = auto()
    """No connection could be made, so nothing was sent."""
    UNREACHABLE_IN_TIME = auto()
    """The same, because it took too long."""
    CUT = auto()
    """The connection ended before the answer: what was sent may have been executed."""
    UNANSWERED_IN_TIME = auto()
    """The answer took too long: what was sent may have been executed."""
    UNTRUSTED = auto()
    """The server's certificate cannot be verified."""


class Before(Enum):
    """What comes before an attempt."""

    NOTHING = auto()
    PAUSE = auto()
    OTHER_TOKEN = auto()


@dataclass(frozen=True)
class Rules:
    """What Elastic's own options, and the request, allow."""

    read: bool
    """Whether the request changes nothing, so that it may be executed twice."""
    retries: int
    statuses: Collection[int]
    """After which statuses a request is sent again; a write after those in ``NOT_EXECUTED`` only."""
    on_timeout: bool
    other_nodes: int = 0
    """How many other nodes there are: they are tried without a pause when one cannot be reached."""
    renewable: bool = True
    """Whether the request bears a token that may be replaced."""


@dataclass(frozen=True)
class Attempt:
    """One attempt to send a request."""

    rules: Rules
    before: Before = Before.NOTHING
    retries: int = 0
    """How many retries there were, this attempt included; another token is none."""
    renewed: bool = False

    def after_status(self, status: int) -> Self | None:
        """Return the next attempt after an answer, or None if the answer is final."""
        if status == HTTPStatus.UNAUTHORIZED:
            if self.renewed or not self.rules.renewable:
                return None
            return replace(self, before=Before.OTHER_TOKEN, renewed=True)
        if status not in self.rules.statuses or not (self.rules.read or status in NOT_EXECUTED):
            return None
        return self._retry(Before.PAUSE)

    def after_failure(self, failure: Failure) -> Self | None:
        """Return the next attempt after a failure, or None if the failure is final."""
        match failure:
            case Failure.UNREACHABLE:
                allowed = True
            case Failure.UNREACHABLE_IN_TIME:
                allowed = self.rules.on_timeout
            case Failure.CUT:
                allowed = self.rules.read
            case Failure.UNANSWERED_IN_TIME:
                allowed = self.rules.read and self.rules.on_timeout
            case Failure.UNTRUSTED:
                allowed = False
        return (
            self._retry(Before.NOTHING if self.retries < self.rules.other_nodes else Before.PAUSE) if allowed else None
        )

    def _retry(self, before: Before) -> Self | None:
        if self.retries >= self.rules.retries:
            return None
        return replace(self, before=before, retries=self.retries + 1)


def is_read(method: str, target: str) -> bool:
    """Return whether a request may be executed twice, because it only reads.

    Args:
        method: of the request.
        target: path and query, without the prefix of a node.
    """
    segments = [segment for segment in target.partition("?")[0].split("/") if segment]
    # Neither an index nor an alias begins with an underscore; the id of a document may.
    start = next((at for at, segment in enumerate(segments) if segment.startswith("_") and segment != "_all"), None)
    endpoint = "" if start is None else "/".join(segments[start:])
    if method in {"GET", "HEAD"}:
        return not endpoint.startswith("_search/scroll")
    return method == "POST" and endpoint in _READS
