"""``python -m tests.support.howto.auditlogs FOLDER``: write a month of logs for the page about audits.

The same requests each time, at fixed times before now: those of the examples' callers, of a person whom no SearchAccess
names, and of somebody without a valid token. Nothing happens in the first 50 minutes of a day, so a report on the last
24 hours does not depend on when it is made.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

DAYS: Final = 30
_EVERY: Final = timedelta(hours=2)
_PROJECT: Final = "acme-shop"
_WEB, _INDEXER, _PAYMENTS = (
    f"{name}@{_PROJECT}.iam.gserviceaccount.com" for name in ("shop-web", "orders-indexer", "payments")
)
_REVISIONS: Final = {
    _WEB: "shop-web/shop-web-00007-abc",
    _INDEXER: "orders-indexer/orders-indexer-00003-xyz",
    _PAYMENTS: "",
}
_SEARCH, _BULK, _INDEX, _CREATE, _DELETE, _HEALTH = (
    "indices:data/read/search",
    "indices:data/write/bulk",
    "indices:data/write/index:op_type/index",
    "indices:data/write/index:op_type/create",
    "indices:data/write/delete",
    "cluster:monitor/health",
)
_REQUESTS: Final = {
    _SEARCH: "SearchRequest",
    _BULK: "BulkRequest",
    _INDEX: "BulkItemRequest",
    _CREATE: "BulkItemRequest",
    _DELETE: "DeleteRequest",
    _HEALTH: "ClusterHealthRequest",
}


def write(folder: Path, now: datetime) -> None:
    """Write the logs.

    Args:
        folder: gets ``logs/`` with Elasticsearch's audit log, one file a day, all but the last compressed;
            ``gateway.log``; and ``requests.json``, Cloud Run's request log.
        now: the end of the last day.
    """
    logs = folder / "logs"
    logs.mkdir()
    in_order = sorted(_month(now), key=lambda event: event[0])
    for day, events in groupby(in_order, key=lambda event: (now - event[0]).days):
        lines = "".join(f"{json.dumps(fields)}\n" for _, fields in events).encode()
        if day:
            rotated = now - timedelta(days=day)
            (logs / f"prod_audit-{rotated:%Y-%m-%d}-1.json.gz").write_bytes(gzip.compress(lines, mtime=0))
        else:
            (logs / "prod_audit.json").write_bytes(lines)
    last = list(_slots(now, 1))
    (folder / "gateway.log").write_text("".join(f"{json.dumps(one)}\n" for at in last for one in _through_gateway(at)))
    (folder / "requests.json").write_text(
        "".join(f"{json.dumps(_request(at, number))}\n" for at in last for number in range(100))
    )


def _slots(now: datetime, days: int) -> Iterator[datetime]:
    """Return the times at which something happens, the first one first."""
    slots = int(timedelta(days=days) / _EVERY)
    return (now - _EVERY * slot + _EVERY / 2 for slot in range(slots, 0, -1))


def _month(now: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    for at in _slots(now, DAYS):
        is_last_day = now - at < timedelta(days=1)
        for number in range(100 if is_last_day else 2):
            yield _event(at + timedelta(seconds=number), _WEB, _SEARCH, "orders-2026", trace=_trace(at, number))
        yield _event(at, _INDEXER, _HEALTH)
        yield _event(at, _INDEXER, _BULK, "orders-2026", "indexer-log")
        yield _event(at, _INDEXER, _INDEX, "orders-2026")
        yield _event(at, _INDEXER, _CREATE, "indexer-log")
    yesterday = list(_slots(now, 1))
    for number in range(2):
        yield _event(yesterday[2] + timedelta(minutes=number), _INDEXER, _DELETE, "orders-2026", kind="access_denied")
    for number in range(4):
        yield _event(yesterday[5] + timedelta(minutes=number), "ada", _SEARCH, "customers")
    yield _refused(yesterday[7])


def _event(
    at: datetime, user: str, action: str, *indices: str, kind: str = "access_granted", trace: str = ""
) -> tuple[datetime, dict[str, Any]]:
    """Return an event with the fields, in the order, of a node of Elasticsearch 8.19 and 9.1."""
    is_workload = user in _REVISIONS
    fields = {
        "type": "audit",
        "timestamp": _written(at),
        "event.type": "transport",
        "event.action": kind,
        "authentication.type": "TOKEN" if is_workload else "REALM",
        "user.name": user,
        "user.realm": "google" if is_workload else "native",
        "user.roles": [f"searchaccess.prod.{user}"] if is_workload else ["analytics"],
        "origin.type": "rest",
        "origin.address": "10.8.0.7:41832",
        "request.id": _digest(f"{at} {user} {action}", 22),
        "action": action,
        "request.name": _REQUESTS[action],
        "indices": list(indices),
        "opaque_id": _REVISIONS.get(user, ""),
        "trace.id": trace,
    }
    return at, {name: value for name, value in fields.items() if value}


def _refused(at: datetime) -> tuple[datetime, dict[str, Any]]:
    return at, {
        "type": "audit",
        "timestamp": _written(at),
        "event.type": "rest",
        "event.action": "authentication_failed",
        "origin.type": "rest",
        "origin.address": "10.8.0.9:50112",
        "url.path": "/orders-2026/_search",
        "request.method": "GET",
        "request.id": _digest(f"{at}", 22),
    }


def _through_gateway(at: datetime) -> list[dict[str, Any]]:
    """Return two requests as the gateway logs them: docs/gateway-log.md."""
    common = {
        "time": f"{at.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z",
        "principal": _WEB,
        "subject": "108000000000000000001",
        "flags": "-",
        "tokenFailure": None,
        "opaqueId": _REVISIONS[_WEB],
        "traceparent": f"00-{_trace(at, 0)}-b7ad6b7169203331-01",
        "requestId": _digest(f"{at}", 36),
        "bytesIn": 0,
        "bytesOut": 512,
        "durationMs": 7,
        "client": "10.8.0.7:41832",
        "agent": "elasticsearch-py/8.19.0",
        "version": "1",
    }
    search = {"method": "POST", "path": "/orders-2026/_search", "status": 200, "details": "via_upstream"}
    delete = {
        "method": "DELETE",
        "path": "/orders-2026/_doc/7",
        "status": 403,
        "details": "via_upstream",
    }
    return [common | search, common | delete]


def _request(at: datetime, number: int) -> dict[str, Any]:
    """Return a request to the Cloud Run service as Cloud Logging exports it.

    https://cloud.google.com/run/docs/logging, https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
    """
    service, revision = _REVISIONS[_WEB].split("/")
    labels = {"project_id": _PROJECT, "location": "europe-west1", "service_name": service, "revision_name": revision}
    began = (at + timedelta(seconds=number)).isoformat(timespec="milliseconds")
    return {
        "insertId": _digest(f"{at} {number}", 16),
        "httpRequest": {"requestMethod": "GET", "requestUrl": "https://shop.example.com/orders", "status": 200},
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "timestamp": began,
        "logName": f"projects/{_PROJECT}/logs/run.googleapis.com%2Frequests",
        "trace": f"projects/{_PROJECT}/traces/{_trace(at, number)}",
    }


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S},{at.microsecond // 1000:03}+0000"


def _trace(at: datetime, number: int) -> str:
    return _digest(f"trace {at} {number}", 32)


def _digest(text: str, length: int) -> str:
    return sha256(text.encode()).hexdigest()[:length]


def main() -> None:
    """Write them, until now."""
    write(Path(sys.argv[1]), datetime.now(UTC))


if __name__ == "__main__":
    main()
