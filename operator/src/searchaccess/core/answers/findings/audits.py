"""Findings in audit logs: what nobody used, and callers whom nobody declared."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from searchaccess.core.answers.audit.report import Oddity, Report, Row
from searchaccess.core.answers.findings.kinds import Kind
from searchaccess.core.answers.findings.model import About, Finding
from searchaccess.core.answers.recommend.advice import Advice
from searchaccess.core.model.timeboxes.timebox import shown_time

CALLER: Final = "Caller"


@dataclass(frozen=True, slots=True)
class Logged:
    """What logs say.

    Attributes:
        findings: of all kinds.
        decided: SearchAccesses (``namespace/name``) of which the logs tell what was used.
        merged: some callers or indices are not told apart, so that one that is missing may be among these.
    """

    findings: tuple[Finding, ...]
    decided: frozenset[str]
    merged: bool = False


def in_logs(report: Report, advice: Iterable[Advice]) -> Logged:
    """Return what the events of logs say.

    Args:
        report: all rows, of all callers.
        advice: on all SearchAccesses.
    """
    given = list(advice)
    unused = [finding for each in given for finding in _unused(each)]
    decided = frozenset(each.path for each in given if each.decided)
    return Logged((*_callers(report.rows), *unused), decided, report.merged)


def _callers(rows: Sequence[Row]) -> Iterator[Finding]:
    """Yield one finding for each caller whom nobody declared, and each index that nobody granted."""
    grouped = dict[tuple[Kind, About, tuple[str, ...]], list[Row]]()
    for row in rows:
        if Oddity.UNEXPLAINED in row.oddities:
            # A name is kept apart from a key: whoever makes a key may give it the name of a user.
            what: tuple[str, ...] = ("key", row.key) if row.key else ("user",)
            grouped.setdefault((Kind.UNEXPLAINED, About(CALLER, "", row.principal), what), []).append(row)
        if Oddity.BEYOND in row.oddities:
            for path in row.accesses:
                namespace, _, name = path.partition("/")
                about = About("SearchAccess", namespace, name)
                grouped.setdefault((Kind.BEYOND, about, (row.principal, row.kind, row.index)), []).append(row)
    for (kind, about, what), found in grouped.items():
        title = _title(kind, about, found)
        used = sorted({f"{row.kind} {row.index or 'no index'}" for row in found})
        yield Finding(kind, about, what, title, tuple(used), _written(min(row.first for row in found)))


def _title(kind: Kind, about: About, rows: Sequence[Row]) -> str:
    row = rows[0]
    who = f"{about.name} (key {row.key})" if row.key else about.name
    allowed, denied = sum(each.allowed for each in rows), sum(each.denied for each in rows)
    counted = f"{allowed:,} requests allowed, {denied:,} refused"
    if kind is Kind.UNEXPLAINED:
        return f"no SearchAccess names {who}: {counted}"
    return f"{row.principal} was allowed to {row.kind} {row.index}, which no grant names: {counted}"


def _unused(advice: Advice) -> Iterator[Finding]:
    if not advice.decided:
        return
    namespace, _, name = advice.path.partition("/")
    about = About("SearchAccess", namespace, name)
    if advice.after is None:
        yield Finding(Kind.UNUSED, about, (), "nothing of it was used", ("no request",))
        return
    for each in advice.removals:
        yield Finding(Kind.UNUSED, about, each.key, f"{each.path} {each.what}: {each.why}", (each.why,))


def _written(at: datetime) -> str:
    # A log may have any time; in UTC, it may be one that cannot be written.
    return shown_time(int(max(at.timestamp(), 0.0)))
