"""Objects with statuses, as the API server has them, and what is found in them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from searchaccess.api.status import SearchClusterStatus
from searchaccess.core.answers.findings.examined import Examined, examined
from searchaccess.core.answers.findings.model import Finding
from searchaccess.core.answers.findings.statuses import of_access, of_cluster
from tests.unit.answers.test_statuses import condition, ready
from tests.unit.builders import NOW, a_search_access, a_search_cluster

AT = datetime(2026, 1, 2, tzinfo=UTC)
WRITTEN = "2026-01-02T00:00:00Z"
ROLE = "role/searchaccess.default.orders@acme-shop.iam.gserviceaccount.com"


def drifted(*paths: str, action: str = "Reported", seen: str = NOW, have: str = '["all"]') -> dict[str, Any]:
    """Return the drift part of a status."""
    items = [
        {"object": ROLE, "path": path, "want": '["read"]', "have": have, "firstSeen": seen, "action": action}
        for path in paths
    ]
    return {"open": sum(item["action"] == "Reported" for item in items), "items": items}


def broader(
    *names: str, reason: str = "BroaderThanDeclared", role: str = "superuser", adds: str = "all"
) -> dict[str, Any]:
    """Return the parts of a status about others who give a principal more."""
    sources = [
        {
            "reason": reason,
            "kind": "RoleMapping",
            "name": name,
            "role": role,
            "message": f"role mapping {name} gives role {role}: {adds}",
        }
        for name in names
    ]
    message = "; ".join(source["message"] for source in sources)
    status = "Unknown" if reason == "CannotBeSeen" else "False"
    return {"condition": condition("Exclusive", status, reason, message), "exclusive": {"sources": sources}}


def a_status(*conditions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a status that is Ready, if nothing else is said."""
    given = ready(**parts)
    kinds = {each["type"] for each in conditions}
    return given | {"conditions": [*(c for c in given["conditions"] if c["type"] not in kinds), *conditions]}


def others_give(*names: str, **more: Any) -> dict[str, Any]:
    """Return the status of a SearchAccess to whose principal others give more."""
    parts = broader(*names, **more)
    return a_status(parts["condition"], exclusive=parts["exclusive"])


def cluster(*conditions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a SearchCluster with a status."""
    return a_search_cluster("prod") | {"status": a_status(*conditions, **parts)}


def access(name: str = "orders", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a SearchAccess with a status."""
    return a_search_access(name, status=a_status() if status is None else status, **spec)


def looked(
    *accesses: dict[str, Any], clusters: Sequence[dict[str, Any]] | None = None, namespace: str = "", whole: bool = True
) -> tuple[list[Finding], Examined]:
    """Return what a run finds in objects."""
    given = [cluster()] if clusters is None else list(clusters)
    above = SearchClusterStatus.read(given[0].get("status")) if given else None
    seen = [of_access(raw, above) for raw in accesses]
    seen += [of_cluster(raw) for raw in given] if not namespace else []
    return examined(seen, namespace=namespace, whole=whole, clusters=True)


def kinds_in(*accesses: dict[str, Any], **more: Any) -> list[str]:
    """Return the kinds of what a run finds, sorted."""
    return sorted(str(each.kind) for each in looked(*accesses, **more)[0])
