"""Lines as Elasticsearch 8.19 and the gateway write them."""

import json
from pathlib import Path
from typing import Any

from searchaccess.adapters.auditlogs.files import find, read_audit, read_gateway
from searchaccess.core.answers.audit.known import Known, KnownAccess
from searchaccess.core.answers.audit.report import Report, Wanted, report
from searchaccess.core.answers.audit.tally import ALWAYS, Tally

WEB = "web@acme-shop.iam.gserviceaccount.com"
REVISION = "web/web-00001-abc"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SEARCH = "indices:data/read/search"


def line(**fields: Any) -> dict[str, Any]:
    """One allowed search of the service ``web`` on ``orders-1``; two underscores stand for a dot."""
    given = {name.replace("__", "."): value for name, value in fields.items()}
    return {
        "type": "audit",
        "timestamp": "2026-11-29T23:05:57,525+0000",
        "event.type": "transport",
        "event.action": "access_granted",
        "authentication.type": "REALM",
        "user.name": WEB,
        "user.realm": "google",
        "user.roles": ["searchaccess.default.web"],
        "origin.address": "127.0.0.1:34346",
        "request.id": "cwFDhIleTWSZSt5O8aLPfw",
        "action": SEARCH,
        "request.name": "SearchRequest",
        "indices": ["orders-1"],
        "opaque_id": REVISION,
        "trace.id": TRACE,
    } | given


def request(**fields: Any) -> dict[str, Any]:
    """One request in the gateway's log."""
    return {
        "time": "2026-11-29T23:05:57.525Z",
        "principal": WEB,
        "method": "GET",
        "path": "/orders-1/_search",
        "status": 200,
        "opaqueId": REVISION,
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    } | fields


def known(**changed: Any) -> Known:
    """The SearchAccess of the service ``web`` on ``orders-*``."""
    fields: dict[str, Any] = {
        "namespace": "shop",
        "name": "web",
        "principals": frozenset({WEB}),
        "patterns": ("orders-*",),
        "workload": "web",
        "revisions": frozenset({"web-00001-abc"}),
    }
    return Known([KnownAccess(**fields | changed)])


def written(folder: Path, *lines: object, name: str = "audit.json") -> Path:
    file = folder / name
    file.write_text("".join(f"{item if isinstance(item, str) else json.dumps(item)}\n" for item in lines))
    return file


def counted(folder: Path, *lines: object, tally: Tally | None = None) -> Tally:
    """Count lines of Elasticsearch's log."""
    counts = tally or Tally(ALWAYS)
    read_audit([written(folder, *lines)], counts, lambda _done, _total: None)
    return counts


def reported(folder: Path, *lines: object, wanted: Wanted | None = None, declared: Known | None = None) -> Report:
    """Report on lines of Elasticsearch's log."""
    return report(counted(folder, *lines), declared or known(), wanted or Wanted())


def through_gateway(folder: Path, *lines: object) -> Report:
    """Report on lines of the gateway's log."""
    counts = Tally(ALWAYS)
    read_gateway(find([written(folder, *lines, name="gateway.log")]), counts, lambda _done, _total: None)
    return report(counts, known(), Wanted())
