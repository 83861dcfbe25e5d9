"""Findings as a log of SARIF 2.1.0, for code scanning."""

from typing import Any, Final

from searchaccess import __version__
from searchaccess.cli.plans.escaping import printable, unlinked
from searchaccess.cli.plans.findings import SARIF, SCHEMA
from searchaccess.core.answers.findings.kinds import KINDS, Kind, Severity
from searchaccess.core.answers.findings.lifecycle import Followed, Result
from searchaccess.core.answers.findings.model import About, Change, State

PAGE: Final = "docs/findings.md"
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_SCORES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""By which GitHub sorts results into the same four groups."""
_STATES: Final = {
    Change.NEW: "new",
    # The earlier run did not have it.
    Change.REOPENED: "new",
    Change.UNCHANGED: "unchanged",
    Change.NOT_EXAMINED: "unchanged",
    Change.FIXED: "absent",
}


def to_sarif(result: Result) -> dict[str, Any]:
    """Return findings that are open, suppressed, or fixed since the earlier run."""
    numbers = {kind: number for number, kind in enumerate(KINDS)}
    driver = {
        "name": "searchaccess findings",
        "semanticVersion": __version__,
        "rules": [_rule(kind) for kind in KINDS],
    }
    results = [
        _result(each, numbers[each.finding.kind])
        for each in result.findings
        if each.state is not State.FIXED or each.change is Change.FIXED
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": SARIF, "runs": [run]}


def _rule(kind: Kind) -> dict[str, Any]:
    doc = kind.doc
    return {
        "id": str(kind),
        "name": "".join(word.capitalize() for word in kind.split("-")),
        "shortDescription": {"text": doc.meaning},
        "help": {
            "text": f"{doc.meaning} {doc.next_step} See {PAGE}.",
            "markdown": f"{doc.meaning} {doc.next_step} See `{PAGE}`.",
        },
        "defaultConfiguration": {"level": _LEVELS[doc.severity]},
        "properties": {"tags": ["security"], "security-severity": _SCORES[doc.severity]},
    }


def _result(each: Followed, number: int) -> dict[str, Any]:
    finding = each.finding
    made: dict[str, Any] = {
        "ruleId": str(finding.kind),
        "ruleIndex": number,
        "level": _LEVELS[finding.severity],
        "message": {"text": unlinked(f"{finding.about}: {finding.title} {finding.next_step}")},
        "locations": [_location(finding.about)],
        "partialFingerprints": {"searchaccess/v1": finding.id},
    }
    if each.change:
        made["baselineState"] = _STATES[each.change]
    if each.state is State.SUPPRESSED and each.suppressed:
        decided = each.suppressed.suppression
        why = unlinked(f"{decided.reason} ({decided.by}, until {decided.until})")
        made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return made


def _location(about: About) -> dict[str, Any]:
    """Return where it is: an object in Kubernetes has no file, and code scanning needs the name of one."""
    from urllib.parse import quote

    name = printable(f"{about.kind}/{about.path}")
    return {
        "physicalLocation": {"artifactLocation": {"uri": quote(name, safe="/")}, "region": {"startLine": 1}},
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}],
    }
