"""The life cycle of findings: what is open, what is suppressed, and what an earlier run had and is fixed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.findings.baseline import Baseline, Earlier
from searchaccess.core.answers.findings.examined import Examined
from searchaccess.core.answers.findings.kinds import Severity
from searchaccess.core.answers.findings.model import FORMAT, Change, Finding, State
from searchaccess.core.answers.findings.suppressions import Effect, Suppressed, Suppression, effect_on


@dataclass(frozen=True, slots=True)
class Followed:
    """A finding, and where it is in its life.

    Args:
        finding: as this run, or an earlier one, found it.
        state: what is to be done about it.
        change: how it compares with an earlier run; None: there is none.
        suppressed: the suppression with its id, and what became of that; None: there is none.
        fixed_at: when a run no longer found it (RFC 3339, UTC); empty: it is not fixed.
    """

    finding: Finding
    state: State
    change: Change | None = None
    suppressed: Suppressed | None = None
    fixed_at: str = ""

    def data(self) -> dict[str, Any]:
        """Return it as plain data: the documented shape of JSON and YAML."""
        finding = self.finding
        return {
            "id": finding.id,
            "kind": str(finding.kind),
            "severity": str(finding.severity),
            "state": str(self.state),
            "change": str(self.change) if self.change else None,
            "object": {"kind": finding.about.kind, "namespace": finding.about.namespace, "name": finding.about.name},
            "what": list(finding.what),
            "title": finding.title,
            "evidence": list(finding.evidence),
            "content": finding.content,
            "nextStep": finding.next_step,
            "firstSeen": finding.first_seen or None,
            "fixedAt": self.fixed_at or None,
            "suppression": self.suppressed.data() if self.suppressed else None,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found.

    Args:
        findings: the open ones first, the worst of them first.
        stale: suppressions of which no finding has the id.
        gaps: what could not be read, each with the next step.
        at: when the run was (RFC 3339, UTC).
        compared: there was an earlier run.
        namespaces: of the objects that were read; an empty one: SearchClusters were, and what has no namespace.
    """

    findings: tuple[Followed, ...]
    stale: tuple[Suppressed, ...] = ()
    gaps: tuple[str, ...] = ()
    at: str = ""
    compared: bool = False
    namespaces: tuple[str, ...] = ()

    def of(self, state: State) -> tuple[Followed, ...]:
        """Return the findings in one state."""
        return tuple(each for each in self.findings if each.state is state)

    @property
    def lapsed(self) -> tuple[Followed, ...]:
        """The open findings whose suppression ended."""
        return tuple(each for each in self.of(State.OPEN) if each.suppressed)

    def code(self, fail_on: Severity | None) -> Exit:
        """Return the exit code.

        Args:
            fail_on: from which severity on an open finding counts; None: none does.
        """
        if fail_on is None:
            return Exit.IN_SYNC
        order = list(Severity)
        worst = min((order.index(each.finding.severity) for each in self.of(State.OPEN)), default=len(order))
        if worst <= order.index(fail_on):
            return Exit.NO
        return Exit.UNKNOWN if self.gaps else Exit.IN_SYNC

    def count(self) -> str:
        """Return how many there are, as a sentence."""
        found = self.of(State.OPEN)
        by_severity = [
            f"{number} {severity}"
            for severity in Severity
            if (number := sum(each.finding.severity is severity for each in found))
        ]
        parts = [f"{len(found)} open" + (f" ({', '.join(by_severity)})" if by_severity else "")]
        if suppressed := len(self.of(State.SUPPRESSED)):
            parts.append(f"{suppressed} suppressed")
        if self.compared:
            parts.append(f"{sum(each.change is Change.NEW for each in found)} new")
            if reopened := sum(each.change is Change.REOPENED for each in found):
                parts.append(f"{reopened} reopened")
            parts.append(f"{sum(each.change is Change.FIXED for each in self.findings)} fixed")
            if unseen := sum(each.change is Change.NOT_EXAMINED for each in self.findings):
                parts.append(f"{unseen} not examined")
        if lapsed := len(self.lapsed):
            parts.append(f"{lapsed} with a suppression that ended")
        if self.stale:
            parts.append(f"{len(self.stale)} stale suppression{'' if len(self.stale) == 1 else 's'}")
        return ", ".join(parts)

    def data(self, code: Exit) -> dict[str, Any]:
        """Return it as plain data: the documented shape of JSON and YAML.

        Args:
            code: the exit code.
        """
        return {
            "format": FORMAT,
            "at": self.at,
            "exitCode": int(code),
            "summary": self.count(),
            "gaps": list(self.gaps),
            "findings": [each.data() for each in self.findings],
            "staleSuppressions": [each.data() for each in self.stale],
        }


def follow(
    found: Iterable[Finding],
    seen: Examined,
    *,
    now: datetime,
    baseline: Baseline | None = None,
    suppressions: Mapping[str, Suppression] | None = None,
    gaps: Iterable[str] = (),
) -> Result:
    """Return what a run found, compared with an earlier one.

    Args:
        found: what is wrong now.
        seen: what was read: what an earlier run found is fixed only if this run would have found it.
        now: the time.
        baseline: the earlier run; None: there is none.
        suppressions: by the id of their finding.
        gaps: what could not be read.
    """
    at, decided = _written(now), suppressions or {}
    current = _merged(found)
    namespaces = {each.namespace for each in seen.objects if each.namespace}
    if seen.clusters and not seen.namespace:
        namespaces.add("")
    followed = [*_present(current, baseline, at), *_gone(current, baseline, seen, at)]
    with_decisions = [_decided(each, decided, now) for each in followed]
    known = {each.finding.id for each in with_decisions if each.state is not State.FIXED}
    # A run that did not see everything cannot tell.
    unmatched = [each for id_, each in decided.items() if id_ not in known] if seen.complete else []
    stale = [Suppressed(each, Effect.STALE) for each in unmatched]
    return Result(
        tuple(sorted(with_decisions, key=_order)),
        tuple(sorted(stale, key=lambda each: each.suppression.id)),
        tuple(gaps),
        at,
        baseline is not None,
        tuple(sorted(namespaces)),
    )


def _merged(found: Iterable[Finding]) -> dict[str, Finding]:
    """Return findings by id; of several with one id, the first that was seen, in an order that does not change."""
    merged = dict[str, Finding]()
    for each in sorted(found, key=lambda each: (each.id, each.first_seen or "~", each.title, each.evidence)):
        merged.setdefault(each.id, each)
    return merged


def _present(current: Mapping[str, Finding], baseline: Baseline | None, at: str) -> Iterator[Followed]:
    for id_, each in current.items():
        before = baseline.findings.get(id_) if baseline else None
        times = sorted(filter(None, [each.first_seen, before.finding.first_seen if before else ""]))
        change = _change(before) if baseline else None
        yield Followed(replace(each, first_seen=times[0] if times else at), State.OPEN, change)


def _change(before: Earlier | None) -> Change:
    if before is None:
        return Change.NEW
    return Change.REOPENED if before.state is State.FIXED else Change.UNCHANGED


def _gone(current: Mapping[str, Finding], baseline: Baseline | None, seen: Examined, at: str) -> Iterator[Followed]:
    for id_, before in (baseline.findings if baseline else {}).items():
        if id_ in current or not seen.shows(before.finding.about):
            continue
        if before.state is State.FIXED:
            yield Followed(before.finding, State.FIXED, Change.UNCHANGED, fixed_at=before.fixed_at)
        elif seen.covers(before.finding):
            yield Followed(before.finding, State.FIXED, Change.FIXED, fixed_at=at)
        else:
            yield Followed(before.finding, State.OPEN, Change.NOT_EXAMINED)


def _decided(each: Followed, suppressions: Mapping[str, Suppression], now: datetime) -> Followed:
    suppression = suppressions.get(each.finding.id)
    if suppression is None or each.state is State.FIXED:
        return each
    effect = effect_on(suppression, each.finding, now)
    state = State.SUPPRESSED if effect is Effect.IN_FORCE else State.OPEN
    return replace(each, state=state, suppressed=Suppressed(suppression, effect))


def _order(each: Followed) -> tuple[object, ...]:
    finding = each.finding
    return (
        list(State).index(each.state),
        list(Severity).index(finding.severity),
        finding.about.kind,
        finding.about.namespace,
        finding.about.name,
        finding.kind,
        finding.what,
        finding.id,
    )


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
