"""Files as people write them, and plans between two versions of them."""

from datetime import datetime
from typing import Any

from searchaccess.api.constants import API_VERSION
from searchaccess.core.answers.plan.files import plan_between
from searchaccess.core.answers.plan.model import ObjectChange, Plan
from searchaccess.operator.answers.declaring import declared_by
from tests.unit.builders import a_search_access

NOW = "2027-01-01T10:00:00Z"


class Stopped:
    """A clock."""

    def now(self) -> str:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(NOW)


def an_access(
    name: str = "orders", *, namespace: str = "shop", labels: dict[str, str] | None = None, **more: Any
) -> Any:
    raw = a_search_access(name, namespace=namespace, **more)
    metadata = {"name": name, "namespace": namespace}
    if annotations := raw["metadata"].get("annotations"):
        metadata["annotations"] = annotations
    return {**raw, "metadata": metadata | ({"labels": labels} if labels else {})}


def an_object(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> Any:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def a_policy(name: str = "limits", **spec: Any) -> Any:
    return an_object("SearchAccessPolicy", name, spec or {"allow": [{"indices": ["orders-*"], "can": ["read"]}]})


def a_cluster(name: str = "prod", **spec: Any) -> Any:
    return an_object("SearchCluster", name, {
        "urls": ["https://es.example.com:9200"],
        "login": {"secretRef": {"namespace": "system", "name": "login"}},
        "identity": {"jwtRealm": {"name": "google", "audience": "https://es.example.com"}},
        **spec,
    })  # fmt: skip


def planned(before: list[Any], after: list[Any]) -> Plan:
    clock = Stopped()
    return plan_between(declared_by(before, clock=clock), declared_by(after, clock=clock), "main")


def manifest(plan: Plan, name: str) -> ObjectChange:
    (found,) = [each for each in plan.objects if each.name == name]
    return found
