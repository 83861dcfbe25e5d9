"""Findings as events of the Open Cybersecurity Schema Framework, version 1.5.0.

Each becomes an event of the class Compliance Finding (https://schema.ocsf.io/1.5.0/classes/compliance_finding): the
object is compared with what is declared, and its life cycle is in ``status_id`` and ``activity_id``.
"""

from collections.abc import Iterator
from typing import Any, Final

from searchaccess.api.times.moments import moment
from searchaccess.core.answers.audit.ocsf import VERSION
from searchaccess.core.answers.findings.kinds import Severity
from searchaccess.core.answers.findings.lifecycle import Followed, Result
from searchaccess.core.answers.findings.model import Change, State

_CATEGORY: Final = 2
_CLASS: Final = 2003
_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_NEW, _IN_PROGRESS, _SUPPRESSED, _RESOLVED = 1, 2, 3, 4
_PASS, _FAIL = 1, 3
_SEVERITIES: Final = {
    Severity.CRITICAL: (5, "Critical"),
    Severity.HIGH: (4, "High"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.LOW: (2, "Low"),
}
_STATUSES: Final = {_NEW: "New", _IN_PROGRESS: "In Progress", _SUPPRESSED: "Suppressed", _RESOLVED: "Resolved"}
_ACTIVITIES: Final = {_CREATE: "Create", _UPDATE: "Update", _CLOSE: "Close"}


def events(result: Result, version: str) -> Iterator[dict[str, Any]]:
    """Yield an event for each finding that is open, suppressed, or fixed since the earlier run.

    Args:
        result: what a run found.
        version: of this program.
    """
    for each in result.findings:
        if each.state is not State.FIXED or each.change is Change.FIXED:
            yield _event(each, result.at, version)


def _event(each: Followed, at: str, version: str) -> dict[str, Any]:
    finding, about, fixed = each.finding, each.finding.about, each.state is State.FIXED
    activity, status = _stage(each)
    severity, severe = _SEVERITIES[finding.severity]
    place = {"namespace": about.namespace} if about.namespace else {}
    suppression = each.suppressed.suppression if each.suppressed else None
    decided = {"comment": f"{suppression.reason} ({suppression.by}, until {suppression.until})"} if suppression else {}
    return {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": _CATEGORY,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + activity,
        "time": _milliseconds(at),
        "severity_id": severity,
        "severity": severe,
        "status_id": status,
        "status": _STATUSES[status],
        "message": finding.title,
        "compliance": {
            "control": str(finding.kind),
            "desc": finding.kind.doc.meaning,
            "status_id": _PASS if fixed else _FAIL,
            "status": "Pass" if fixed else "Fail",
        },
        "finding_info": {
            "uid": finding.id,
            "title": finding.title,
            "desc": finding.kind.doc.meaning,
            "types": [str(finding.kind)],
            "first_seen_time": _milliseconds(finding.first_seen),
            "last_seen_time": _milliseconds(each.fixed_at or at),
        },
        "remediation": {"desc": finding.next_step},
        "resources": [{"name": about.name or "unknown", "type": about.kind, **place}],
        "metadata": {
            "version": VERSION,
            "product": {"name": "SearchAccess", "vendor_name": "SearchAccess", "version": version},
        },
        "unmapped": {
            "what": list(finding.what),
            "evidence": list(finding.evidence),
            "content": finding.content,
            "change": str(each.change) if each.change else None,
        },
        **decided,
    }


def _stage(each: Followed) -> tuple[int, int]:
    """Return the activity and the status."""
    if each.state is State.FIXED:
        return _CLOSE, _RESOLVED
    if each.state is State.SUPPRESSED:
        return _UPDATE, _SUPPRESSED
    return (_CREATE, _NEW) if each.change in {None, Change.NEW} else (_UPDATE, _IN_PROGRESS)


def _milliseconds(at: str) -> int:
    return int((moment(at) or 0) * 1000)
