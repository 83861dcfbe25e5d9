"""The report: rows for people and programs, and what should be looked at first."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from searchaccess.core.answers.audit.known import Explained, Known, KnownAccess
from searchaccess.core.answers.audit.naming import METADATA
from searchaccess.core.answers.audit.tally import ELSEWHERE, Count, Tally, Use
from searchaccess.core.patterns.containment import contained


class Oddity(StrEnum):
    """Why a row comes first, the most important one first."""

    UNEXPLAINED = "Unexplained"
    """No SearchAccess names the principal or the key."""
    BEYOND = "BeyondDeclared"
    """It was allowed on an index that no grant of its SearchAccesses names."""
    NOT_SERVING = "NotServing"
    """The revision is none of those that the SearchAccesses' statuses name as serving."""
    NO_IDENTITY = "NoIdentity"
    """The caller is unknown: its token, key or password was not accepted."""


MEANINGS: Mapping[Oddity, str] = {
    Oddity.UNEXPLAINED: "no SearchAccess names this caller",
    Oddity.BEYOND: "allowed, but no grant names this index",
    Oddity.NOT_SERVING: "none of the serving revisions",
    Oddity.NO_IDENTITY: "the caller could not be identified",
}


@dataclass(slots=True)
class Row:
    """What one caller did on one index.

    Attributes:
        accesses: the SearchAccesses that explain it, as ``namespace/name``.
        claimed_access: they are known only by a key's name.
        principal: the user; that of a key owns it.
        key: name of the API key, or its id; empty: none.
        kind: of the action.
        index: empty: none is named.
        service: the Cloud Run workload; empty: unknown.
        revision: its revision or execution; empty: unknown.
        proven: Cloud Run's own request log names the revision; otherwise the caller claims it.
        through: whose log it is from.
        allowed: number of allowed requests.
        denied: number of refused requests.
        first: the first of all.
        last: the last of all.
        oddities: why it comes first.
    """

    accesses: tuple[str, ...]
    claimed_access: bool
    principal: str
    key: str
    kind: str
    index: str
    service: str
    revision: str
    proven: bool
    through: str
    allowed: int
    denied: int
    first: datetime
    last: datetime
    oddities: tuple[Oddity, ...] = ()

    def add(self, count: Count, *, allowed: bool) -> None:
        """Add requests that were allowed, or refused."""
        self.allowed += count.number if allowed else 0
        self.denied += 0 if allowed else count.number
        self.first, self.last = min(self.first, count.first), max(self.last, count.last)

    def data(self) -> dict[str, Any]:
        """Return it as plain data: the documented shape of JSON and YAML."""
        return {
            "searchAccesses": list(self.accesses),
            "searchAccessClaimed": self.claimed_access,
            "principal": self.principal or None,
            "apiKey": self.key or None,
            "action": self.kind,
            "index": self.index or None,
            "workload": self.service or None,
            "revision": self.revision or None,
            "revisionProven": self.proven,
            "source": self.through,
            "allowed": self.allowed,
            "denied": self.denied,
            "first": _written(self.first),
            "last": _written(self.last),
            "findings": [str(item) for item in self.oddities],
        }


def _written(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are wanted; empty: all.

    Attributes:
        index: pattern that the name of the index matches.
        service: name of the Cloud Run workload, the principal, or the SearchAccess (``namespace/name``).
        denied: only what was refused.
        findings: only what comes first.
    """

    index: str = ""
    service: str = ""
    denied: bool = False
    findings: bool = False

    def takes(self, row: Row) -> bool:
        """Decide whether a row is wanted."""
        names = {row.service, row.principal, row.principal.partition("@")[0], *row.accesses}
        return (
            (not self.index or bool(row.index and contained(row.index, (self.index,)).contained))
            and (not self.service or self.service in names)
            and (not self.denied or row.denied > 0)
            and (not self.findings or bool(row.oddities))
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All rows, those with findings first.

    Attributes:
        rows: sorted.
        events: how many events they count.
        unread: lines that are no events.
        merged: some callers, indices or revisions are not told apart.
        hours: number of allowed and of refused requests by hour.
    """

    rows: tuple[Row, ...]
    events: int = 0
    unread: int = 0
    merged: bool = False
    hours: tuple[tuple[str, int, int], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "events": self.events,
            "unreadLines": self.unread,
            "merged": self.merged,
            "findings": dict(self.counts),
            "rows": [row.data() for row in self.rows],
        }


def report(tally: Tally, known: Known, wanted: Wanted) -> Report:
    """Make the report.

    Args:
        tally: the counted events.
        known: what is declared.
        wanted: which rows.

    Returns:
        The rows: those with findings first, then by SearchAccess, principal, index and action.
    """
    rows: dict[Same, Row] = {}
    explained: dict[tuple[str, str, str], Explained] = {}
    for use, count in tally.total().items():
        if use.user in known.logins and not use.key_id:
            continue
        caller = (use.user, use.key_id, use.key_name)
        if caller not in explained:
            explained[caller] = known.explain(*caller)
        same = Same(caller, use.kind, use.index, use.service, use.revision, use.proven, use.through)
        if same not in rows:
            rows[same] = _row(use, count, explained[caller])
        rows[same].add(count, allowed=use.allowed)
    matches: dict[tuple[str, tuple[str, ...]], bool] = {}
    for same, row in rows.items():
        row.oddities = tuple(_oddities(row, explained[same.caller].accesses, matches))
    kept = sorted((row for row in rows.values() if wanted.takes(row)), key=_order)
    hours = sorted({hour for hour, _ in tally.hours})
    return Report(
        tuple(kept),
        tally.events,
        tally.unread,
        tally.merged,
        tuple((hour, tally.hours.get((hour, True), 0), tally.hours.get((hour, False), 0)) for hour in hours),
        dict(Counter(str(item) for row in kept for item in row.oddities)),
    )


class Same(NamedTuple):
    """What one row stands for."""

    caller: tuple[str, str, str]
    kind: str
    name: str
    service: str
    revision: str
    proven: bool
    through: str


def _row(use: Use, count: Count, explained: Explained) -> Row:
    return Row(
        accesses=tuple(sorted(access.path for access in explained.accesses)),
        claimed_access=explained.claimed,
        principal=use.user,
        key=use.key_name or use.key_id,
        kind=use.kind,
        index=use.index,
        service=use.service,
        revision=use.revision,
        proven=use.proven,
        through=use.through,
        allowed=0,
        denied=0,
        first=count.first,
        last=count.last,
    )


def _oddities(
    row: Row, accesses: tuple[KnownAccess, ...], matches: dict[tuple[str, tuple[str, ...]], bool]
) -> Iterable[Oddity]:
    if not row.principal:
        yield Oddity.NO_IDENTITY
        return
    if not accesses:
        yield Oddity.UNEXPLAINED
        return
    if row.allowed and row.index not in ("", ELSEWHERE) and row.kind != METADATA:
        patterns = tuple(sorted({pattern for access in accesses for pattern in access.patterns}))
        if (row.index, patterns) not in matches:
            verdict = contained(row.index, patterns)
            matches[row.index, patterns] = verdict.contained or verdict.undecided
        if not matches[row.index, patterns]:
            yield Oddity.BEYOND
    serving = {revision for access in accesses for revision in access.revisions}
    if serving and row.revision not in ("", ELSEWHERE) and row.revision not in serving:
        yield Oddity.NOT_SERVING


def _order(row: Row) -> tuple[object, ...]:
    rank = list(Oddity).index(row.oddities[0]) if row.oddities else len(Oddity)
    return (rank, row.accesses, row.principal, row.key, row.index, row.kind, row.service, row.revision, row.through)
