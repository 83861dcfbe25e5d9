"""Judges whether Elasticsearch can run each ``where`` on the existing indices (docs/adr/0038).

Elasticsearch parses a role's query when the role is written, without regard to any index. What fails on an index, such
as text where its mapping has a number, fails at each search of the caller.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import Truth
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Share
from searchaccess.core.model.restrictions.queries import TEMPLATE

CAUSE_LIMIT: Final = 200
"""Characters that are shown of a cause: it may quote values."""
_KEPT: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a query can be run on some indices. Equal ones are asked once."""

    indices: tuple[str, ...]
    """Names and patterns, as a role has them."""
    query: str
    """JSON."""
    remote: bool = False
    """Whether the indices are those of remote clusters."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Result of trying a query on indices."""

    shards: int
    """On how many indices it was tried, on one shard of each."""
    failures: tuple[tuple[str, str], ...] = ()
    """Index and cause, where it cannot be run; an empty index: it cannot be run on any."""

    def and_also(self, other: "Tried") -> "Tried":
        """Return the combined result for the indices of both."""
        return Tried(self.shards + other.shards, self.failures + other.failures)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result for one query, or for all of a SearchAccess: status, reason and message of ``QueriesProven``."""

    status: Truth
    reason: Reason
    message: str


PROVEN: Final = Verdict("True", Reason.QUERIES_PROVEN, "Elasticsearch can run each where on the indices that exist now")
ASKING: Final = Verdict("Unknown", Reason.PENDING, "Elasticsearch is being asked whether it can run each where")
_TEMPLATE: Final = Verdict(
    "Unknown", Reason.CANNOT_BE_TRIED, "a template is filled in for each caller, so Elasticsearch cannot try it"
)

_REMOTE: Final = Verdict(
    "Unknown", Reason.CANNOT_BE_TRIED, "a query for remote clusters runs there, so this cluster cannot try it"
)


@lru_cache(_KEPT)
def questions_of(share: Share) -> tuple[Question, ...]:
    """Return the queries to test for a SearchAccess; none: no query restricts its grants."""
    restricted = (entry for entry in share.on_indices if entry.query)
    return tuple(dict.fromkeys(Question(entry.indices, entry.query, bool(entry.clusters)) for entry in restricted))


def known_at_once(question: Question) -> Verdict | None:
    """Return the verdict on a query that cannot be tried; None: it can."""
    if question.remote:
        return _REMOTE
    try:
        query = json.loads(question.query)
    except ValueError:
        return None
    return _TEMPLATE if isinstance(query, dict) and TEMPLATE in query else None


def not_seen(hidden: Collection[str]) -> Verdict:
    """Return the verdict on a query for indices that the operator's login may not see.

    Args:
        hidden: which of them.
    """
    text = f"the operator's login lacks view_index_metadata on {some_of(tuple(sorted(hidden)))}"
    return Verdict("Unknown", Reason.LOGIN_CANNOT_PROVE, text)


def not_tried(reason: Reason, message: str) -> Verdict:
    """Return the verdict on a query that could not be tried because of a failure."""
    return Verdict("Unknown", reason, f"it could not be tried: {message}")


def judged(question: Question, tried: Tried) -> Verdict:
    """Return the verdict on a query that was tried."""
    if tried.failures:
        (index, cause), *others = sorted(tried.failures)
        more = len({name for name, _ in others} - {index})
        where = f"on {index}{f' and {more} more' if more else ''}: " if index else ""
        return Verdict("False", Reason.QUERY_FAILS, f"{where}{cause}")
    if not tried.shards:
        text = f"no open index matches {some_of(question.indices)} yet, so there is nothing to try the query on"
        return Verdict("Unknown", Reason.NO_INDEX_YET, text)
    return PROVEN


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on several queries: the worst of them, and of equal ones the first."""
    return min(verdicts, key=lambda verdict: ("False", "Unknown", "True").index(verdict.status))
