"""What the webhook knows, and what it answers."""

from collections.abc import Mapping
from typing import Any

from searchaccess.api.constants import API_VERSION
from searchaccess.core.webhook.review import Review
from searchaccess.core.webhook.ruling import Ruling
from searchaccess.core.work import completed
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.admission.judge import Judge
from searchaccess.ports.clock import Clock
from searchaccess.ports.meter import Meter
from tests.unit.builders import a_grant, a_search_access, a_search_cluster

ONLY_SHOP: dict[str, Any] = {"allow": [{"indices": ["shop-*"], "can": ["read"]}]}


def a_policy(name: str = "limits", version: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "generation": version, "resourceVersion": str(version)}
    return {"apiVersion": API_VERSION, "kind": "SearchAccessPolicy", "metadata": metadata, "spec": spec}


def knowing(
    *policies: dict[str, Any], cluster: Mapping[str, Any] | None = None, clock: Clock | None = None
) -> Inventory:
    """Return an inventory that has listed a SearchCluster and policies."""
    made = Inventory(clock=clock)
    raw = a_search_cluster(**(cluster or {}))
    raw["metadata"] |= {"resourceVersion": "1", "uid": "uid-prod"}
    made.see_cluster(raw)
    for policy in policies:
        made.policies.see(policy)
    made.policies.keep({policy["metadata"]["uid"] for policy in policies}, frozenset())
    return made


def reads(*indices: str, **more: Any) -> dict[str, Any]:
    """Return a SearchAccess that reads indices."""
    labels = more.pop("labels", None)
    raw = a_search_access(grants=[a_grant(*indices)], **more)
    if labels:
        raw["metadata"]["labels"] = labels
    return raw


def ruled(inventory: Inventory, new: dict[str, Any], old: dict[str, Any] | None = None) -> Ruling:
    return completed(Judge(inventory, Meter()).rule(Review("5b1e", new, old or {})))


def a_review(new: Any, old: Any = None, **more: Any) -> dict[str, Any]:
    """Return an AdmissionReview as the API server sends it."""
    request = {"uid": "5b1e", "operation": "UPDATE" if old else "CREATE", "object": new, "oldObject": old, **more}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
