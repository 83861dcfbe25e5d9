"""Findings in lines, for people."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from searchaccess.cli.plans.escaping import printable
from searchaccess.cli.plans.text import CLOSES, DIM, HEAD, OPENS, Styled
from searchaccess.core.answers.findings.kinds import Severity
from searchaccess.core.answers.findings.lifecycle import Followed, Result
from searchaccess.core.answers.findings.model import Change, State
from searchaccess.core.answers.findings.suppressions import Effect

_STYLES: Final = {Severity.CRITICAL: OPENS, Severity.HIGH: OPENS, Severity.MEDIUM: "yellow", Severity.LOW: DIM}
_CHANGES: Final = {
    Change.NEW: "new",
    Change.REOPENED: "reopened",
    Change.NOT_EXAMINED: "not examined in this run",
}
_ENDED: Final = {
    Effect.EXPIRED: "its suppression has ended",
    Effect.OTHER_CONTENT: "there is other evidence than what was suppressed",
}


def lines_of(result: Result) -> Iterator[Styled]:
    """Yield the open findings by object, the worst first; then what is suppressed, fixed and stale, and a sentence."""
    for about, group in groupby(_by_object(result), lambda each: each.finding.about):
        yield _line(str(about), HEAD)
        for each in group:
            yield from _open(each)
        yield Styled("")
    yield from _listed("Suppressed:", [_suppressed(each) for each in result.of(State.SUPPRESSED)])
    fixed = [each for each in result.of(State.FIXED) if each.change is Change.FIXED]
    yield from _listed("Fixed:", [f"{_named(each)}: {each.finding.title}" for each in fixed], CLOSES)
    stale = [each.suppression for each in result.stale]
    texts = [f"{each.id} by {each.by}, until {each.until}: {each.reason}" for each in stale]
    yield from _listed("Stale suppressions, of which no finding has the id:", texts)
    yield _line(f"{result.count()}.", HEAD)


def _by_object(result: Result) -> list[Followed]:
    """Return the open findings, those of one object together."""
    found = result.of(State.OPEN)
    places = {about: place for place, about in reversed(list(enumerate(each.finding.about for each in found)))}
    return sorted(found, key=lambda each: places[each.finding.about])


def _open(each: Followed) -> Iterator[Styled]:
    finding = each.finding
    parts = [f"first seen {finding.first_seen}"]
    if change := _CHANGES.get(each.change) if each.change else None:
        parts.insert(0, change)
    if each.suppressed and (ended := _ENDED.get(each.suppressed.effect)):
        parts.append(f"{ended} (by {each.suppressed.suppression.by}, until {each.suppressed.suppression.until})")
    head = f"  {finding.severity} {finding.kind} {finding.id}: {', '.join(parts)}"
    yield _line(head, _STYLES[finding.severity])
    yield _line(f"    {finding.title}")
    yield _line(f"    next: {finding.next_step}", DIM)


def _named(each: Followed) -> str:
    return f"{each.finding.id} {each.finding.kind} of {each.finding.about}"


def _suppressed(each: Followed) -> str:
    decided = each.suppressed.suppression if each.suppressed else None
    return f"{_named(each)}, until {decided.until} by {decided.by}: {decided.reason}" if decided else _named(each)


def _listed(head: str, texts: list[str], style: str = DIM) -> Iterator[Styled]:
    if texts:
        yield _line(head, HEAD)
        for text in texts:
            yield _line(f"  {text}", style)
        yield Styled("")


def _line(text: str, style: str = "") -> Styled:
    return Styled(printable(text), style, 4 if text.startswith(" ") else 0)
