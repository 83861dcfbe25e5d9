"""Findings of ``searchaccess lint``: for people, scripts, code scanning, and annotations of pull requests."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from searchaccess import __version__
from searchaccess.cli.plans.escaping import printable, unlinked
from searchaccess.cli.plans.text import DIM, HEAD, OPENS, Styled
from searchaccess.core.answers.lint.model import FORMAT, Finding, Rule, Severity
from searchaccess.core.answers.lint.rules import RULES

SARIF: Final = "2.1.0"
SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
PAGE: Final = "docs/lint.md"
"""Of the repository; a rule's part of it begins with its id."""
_STYLES: Final = {Severity.ERROR: OPENS, Severity.WARNING: "yellow", Severity.NOTE: DIM}
_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_MOST_ANNOTATIONS: Final = 50
"""GitHub shows no more of one step, ten of each kind."""


def anchor(rule: Rule) -> str:
    """Return where the documentation has a rule."""
    return f"{PAGE}#{rule.id.lower()}"


def lines_of(findings: Sequence[Finding]) -> Iterator[Styled]:
    """Yield findings in lines, as compilers print them, and a sentence."""
    for each in findings:
        if not each.ignored:
            position = f"{each.file}:{each.position.line}:{each.position.column}"
            about = f" ({each.kind} {each.name})" if each.name else ""
            text = f"{position}: {each.rule.severity} {each.rule.id}{about}: {each.message} [{each.rule.name}]"
            yield Styled(printable(text), _STYLES[each.rule.severity], 4)
    yield Styled(count(findings), HEAD)


def count(findings: Sequence[Finding]) -> str:
    """Return how many there are, as a sentence."""
    left = [each for each in findings if not each.ignored]
    parts = [
        f"{number} {severity}{'s' if number > 1 else ''}"
        for severity in Severity
        if (number := sum(each.rule.severity is severity for each in left))
    ]
    ignored = len(findings) - len(left)
    return (", ".join(parts) or "Nothing found") + (f"; {ignored} ignored" if ignored else "") + "."


def to_json(findings: Sequence[Finding], code: int) -> dict[str, Any]:
    """Return findings for scripts."""
    items = [each.to_json() | {"page": anchor(each.rule)} for each in findings]
    return {"format": FORMAT, "exitCode": code, "summary": count(findings), "findings": items}


def github_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield workflow commands by which GitHub annotates the lines of a pull request, and a sentence.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    left = [each for each in findings if not each.ignored]
    ordered = sorted(left, key=lambda each: list(Severity).index(each.rule.severity))
    for each in ordered[:_MOST_ANNOTATIONS]:
        about = f"{each.kind} {each.name}: " if each.name else ""
        parts = (
            f"file={_property(each.file)}",
            f"line={each.position.line}",
            f"col={each.position.column}",
            f"title={_property(f'{each.rule.id} {each.rule.name}')}",
        )
        yield f"::{_COMMANDS[each.rule.severity]} {','.join(parts)}::{_message(about + each.message)}"
    if len(ordered) > _MOST_ANNOTATIONS:
        yield _message(f"{len(ordered) - _MOST_ANNOTATIONS} more findings are not shown as annotations.")
    yield count(findings)


def _message(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def to_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings as a log of SARIF 2.1.0, for code scanning."""
    numbers = {rule.id: number for number, rule in enumerate(RULES)}
    driver = {
        "name": "searchaccess",
        "semanticVersion": __version__,
        "rules": [_sarif_rule(rule) for rule in RULES],
    }
    results = [_sarif_result(each, numbers[each.rule.id]) for each in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": SARIF, "runs": [run]}


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.finds},
        "help": {
            "text": f"{rule.finds} {rule.instead} See {anchor(rule)}.",
            "markdown": f"{rule.finds} {rule.instead} See `{anchor(rule)}`.",
        },
        "defaultConfiguration": {"level": str(rule.severity)},
        "properties": {"tags": ["security"]},
    }


def _sarif_result(finding: Finding, number: int) -> dict[str, Any]:
    about = f"{finding.kind} {finding.name}: " if finding.name else ""
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": number,
        "level": str(finding.rule.severity),
        "message": {"text": unlinked(about + finding.message)},
        "locations": [_sarif_location(finding)],
        "partialFingerprints": {"searchaccess/v1": finding.fingerprint},
    }
    if finding.ignored:
        result["suppressions"] = [{"kind": "inSource", "status": "accepted"}]
    return result


def _sarif_location(finding: Finding) -> dict[str, Any]:
    uri = quote(os.fsencode(finding.file), safe="/~!$&'()*+,;=@")
    # A path from the root of the repository has no base: code scanning takes it as it is.
    place: dict[str, Any] = {
        "artifactLocation": {"uri": f"file://{uri}" if uri.startswith("/") else uri.removeprefix("./")},
        "region": {"startLine": finding.position.line, "startColumn": finding.position.column},
    }
    location: dict[str, Any] = {"physicalLocation": place}
    if finding.name:
        name = f"{finding.kind}/{finding.name}" + (f":{finding.path}" if finding.path else "")
        location["logicalLocations"] = [{"fullyQualifiedName": printable(name)}]
    return location
