"""Findings as objects for Kubernetes: those of OpenReports, and the former ones of the policy working group.

https://github.com/openreports/reports-api has the fields; ``wgpolicyk8s.io/v1alpha2`` has the same ones under other
names of kinds.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from searchaccess.api.constants import API_VERSION
from searchaccess.api.times.moments import moment
from searchaccess.core.answers.findings.audits import CALLER
from searchaccess.core.answers.findings.kinds import Severity
from searchaccess.core.answers.findings.lifecycle import Followed, Result
from searchaccess.core.answers.findings.model import Change, State

LABELS: Final = {"app.kubernetes.io/managed-by": "searchaccess-findings"}
"""By which former reports are found and deleted."""
MOST: Final = 64
"""Results in one object: etcd takes 1.5 MB, and names in logs may have characters of six bytes each in JSON."""
_SOURCE: Final = "searchaccess"
_NOT_SCORED: Final = frozenset({Severity.LOW})
_LONGEST: Final = 1000
_SHOWN: Final = 5


class Kinds(NamedTuple):
    """Names of the kinds.

    Args:
        version: ``apiVersion``.
        namespaced: of the findings of one namespace.
        whole: of all others.
    """

    version: str
    namespaced: str
    whole: str


OPENREPORTS: Final = Kinds("openreports.io/v1alpha1", "Report", "ClusterReport")
POLICYREPORTS: Final = Kinds("wgpolicyk8s.io/v1alpha2", "PolicyReport", "ClusterPolicyReport")


def reports(result: Result, kinds: Kinds) -> dict[str, Any]:
    """Return a ``List`` with a report for each namespace that was read, and one for what has none; some may be empty.

    Args:
        result: what a run found.
        kinds: of which API.
    """
    by_namespace = {namespace: list[Followed]() for namespace in result.namespaces}
    for each in result.findings:
        if each.state is not State.FIXED or each.change is Change.FIXED:
            by_namespace.setdefault(each.finding.about.namespace, []).append(each)
    items = [
        item for namespace, found in sorted(by_namespace.items()) for item in _parts(namespace, found, result.at, kinds)
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _parts(namespace: str, found: Sequence[Followed], at: str, kinds: Kinds) -> Iterator[dict[str, Any]]:
    for number, begin in enumerate(range(0, max(1, len(found)), MOST)):
        results = [_result(each, at) for each in found[begin : begin + MOST]]
        place = {"namespace": namespace} if namespace else {}
        yield {
            "apiVersion": kinds.version,
            "kind": kinds.namespaced if namespace else kinds.whole,
            "metadata": {"name": "searchaccess" + (f"-{number + 1}" if number else ""), **place, "labels": LABELS},
            "summary": {
                name: sum(each["result"] == name for each in results)
                for name in ("pass", "fail", "warn", "error", "skip")
            },
            "results": results,
        }


def _result(each: Followed, at: str) -> dict[str, Any]:
    finding, about = each.finding, each.finding.about
    resource = {"apiVersion": API_VERSION, "kind": about.kind, "name": about.name}
    if about.namespace:
        resource["namespace"] = about.namespace
    suppression = each.suppressed.suppression if each.suppressed else None
    decided = {"suppressedUntil": suppression.until, "suppressedBy": suppression.by} if suppression else {}
    return {
        "source": _SOURCE,
        "policy": str(finding.kind),
        "rule": finding.id,
        "category": "Access",
        "severity": str(finding.severity),
        "result": _outcome(each),
        "scored": finding.severity not in _NOT_SCORED,
        # The time of the run would change each report each time.
        "timestamp": {"seconds": int(moment(each.fixed_at or finding.first_seen or at) or 0), "nanos": 0},
        "message": f"{finding.title[:_LONGEST]} {finding.next_step}",
        "properties": {
            "id": finding.id,
            "state": str(each.state),
            "change": str(each.change or ""),
            "firstSeen": finding.first_seen,
            "what": ", ".join(finding.what[:_SHOWN])[:_LONGEST],
            **decided,
        },
        # Whom no object names is no object either.
        **({} if about.kind == CALLER else {"resources": [resource]}),
    }


def _outcome(each: Followed) -> str:
    match each.state:
        case State.FIXED:
            return "pass"
        case State.SUPPRESSED:
            return "skip"
    return "warn" if each.finding.severity in _NOT_SCORED else "fail"
