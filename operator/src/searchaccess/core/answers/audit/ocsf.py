"""The report as events of the Open Cybersecurity Schema Framework, version 1.5.0.

Each row becomes one or two events of the class Datastore Activity (https://schema.ocsf.io/1.5.0/classes/datastore_activity):
one for what was allowed, one for what was refused, with the number of requests.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from searchaccess.core.answers.audit.naming import APPEND, DELETE, METADATA, READ, WRITE
from searchaccess.core.answers.audit.report import MEANINGS, Oddity, Report, Row

VERSION: Final = "1.5.0"
_CLASS: Final = 6005
_CATEGORY: Final = 6
_OTHER: Final = 99
_ACTIVITIES: Final = {READ: (1, "Read"), WRITE: (5, "Write"), APPEND: (6, "Create"), DELETE: (7, "Delete")}
_LIST: Final = (8, "List")
_SUCCESS, _FAILURE = 1, 2
_INFORMATIONAL, _LOW, _HIGH = 1, 2, 4
_TABLE_LIKE: Final = 99
_SEVERE: Final = frozenset({Oddity.UNEXPLAINED, Oddity.BEYOND})


def events(report: Report, version: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a report.

    Args:
        report: the rows.
        version: of this program.
    """
    for row in report.rows:
        if row.allowed:
            yield _event(row, row.allowed, version, allowed=True)
        if row.denied:
            yield _event(row, row.denied, version, allowed=False)


def _event(row: Row, number: int, version: str, *, allowed: bool) -> dict[str, Any]:
    activity, name = _LIST if row.kind == METADATA else _ACTIVITIES.get(row.kind, (_OTHER, row.kind))
    severe = any(item in _SEVERE for item in row.oddities)
    user = {"name": row.principal or "unknown"} | ({"credential_uid": row.key} if row.key else {})
    return {
        "activity_id": activity,
        "activity_name": name,
        "actor": {"user": user},
        "category_uid": _CATEGORY,
        "class_uid": _CLASS,
        "type_uid": _CLASS * 100 + activity,
        "count": number,
        "time": _milliseconds(row.last),
        "start_time": _milliseconds(row.first),
        "end_time": _milliseconds(row.last),
        "severity_id": _HIGH if severe else _LOW if row.oddities or not allowed else _INFORMATIONAL,
        "status_id": _SUCCESS if allowed else _FAILURE,
        "status_detail": "; ".join(MEANINGS[item] for item in row.oddities) or ("allowed" if allowed else "refused"),
        "src_endpoint": {"name": row.revision or row.principal or "unknown", "svc_name": row.service or "unknown"},
        "databucket": {"name": row.index or "none named", "type_id": _TABLE_LIKE, "type": "Elasticsearch index"},
        "metadata": {
            "version": VERSION,
            "product": {"name": "SearchAccess", "vendor_name": "SearchAccess", "version": version},
            "log_provider": row.through,
        },
        "unmapped": {
            "searchAccesses": list(row.accesses),
            "findings": [str(item) for item in row.oddities],
            "revisionProven": row.proven,
        },
    }


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
