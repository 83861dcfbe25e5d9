"""Objects for tests: say what matters, the rest has sensible values."""

from collections.abc import Mapping, Sequence
from typing import Any

from searchaccess.api.constants import API_VERSION, FINALIZER, MANAGED_BY
from searchaccess.core.clusters.cluster import Cluster, ClusterFacts, cluster_from_object
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.decision import OPEN, Gate, decide
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Operator, Role

OPERATOR = Operator(instance="default", controller="6f1c")
PRINCIPAL = "orders@acme-shop.iam.gserviceaccount.com"
ROLE = OPERATOR.role_name(PRINCIPAL)
UUID = "Xo1cWq0QRn2"
NOW = "2026-01-01T10:00:00Z"
LATER = "2026-01-01T11:00:00Z"
MUCH_LATER = "2026-01-02T10:00:00Z"


def a_grant(*indices: str, can: Sequence[str] = ("read",), **more: Any) -> dict[str, Any]:
    """Return one grant, as people write it."""
    return {"indices": list(indices) or ["orders-*"], "can": list(can)} | more


def a_search_access(
    name: str = "orders",
    *,
    namespace: str = "shop",
    uid: str = "",
    generation: int = 1,
    service_account: str = PRINCIPAL,
    grants: Sequence[Mapping[str, Any]] | None = None,
    annotations: Mapping[str, str] | None = None,
    deleted_at: str = "",
    finalizers: Sequence[str] = (FINALIZER,),
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a SearchAccess as Kubernetes gives it; further keywords go into its spec."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": uid or f"uid-{name}",
        "generation": generation,
        "resourceVersion": "100",
        "finalizers": list(finalizers),
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    if deleted_at:
        metadata["deletionTimestamp"] = deleted_at
    raw: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "SearchAccess",
        "metadata": metadata,
        "spec": {
            "cluster": "prod",
            "subject": {"serviceAccount": service_account},
            "grants": [dict(grant) for grant in ([a_grant()] if grants is None else grants)],
        }
        | spec,
    }
    if status is not None:
        raw["status"] = dict(status)
    return raw


def an_access(name: str = "orders", **more: Any) -> Access:
    """Return a SearchAccess as the core sees it; keywords as for ``a_search_access``."""
    return access_from_object(a_search_access(name, **more))


def a_member(access: Access | None = None, gate: Gate = OPEN, rejection: str = "") -> Member:
    """Return a SearchAccess with what is done about it."""
    access = access or an_access()
    return Member(access, decide(access, gate, rejection))


def members_of(*accesses: Access) -> list[Member]:
    """Return SearchAccesses with what is done about each when the gate is open."""
    return [a_member(access) for access in accesses]


def an_entry(*names: str, privileges: Sequence[str] = ("read",), **more: Any) -> dict[str, Any]:
    """Return one entry of a role, as somebody would write it."""
    return {"names": list(names) or ["x-foreign"], "privileges": list(privileges)} | more


def a_body(*entries: Mapping[str, Any], cluster: Sequence[str] = (), **more: Any) -> RoleBody:
    """Return a role's content."""
    return role_from_json({"indices": list(entries), "cluster": list(cluster)} | more)


def a_role(body: RoleBody | None = None, *, name: str = ROLE, metadata: Mapping[str, Any] | None = None) -> Role:
    """Return a role; without metadata it is a foreign one."""
    return Role(name, body or a_body(an_entry()), dict(metadata or {}))


def our_metadata(**more: Any) -> dict[str, Any]:
    """Return metadata that says that an object is ours."""
    return {"managed_by": MANAGED_BY, "instance": OPERATOR.instance, "controller": OPERATOR.controller} | more


def a_search_cluster(
    name: str = "prod",
    *,
    generation: int = 1,
    annotations: Mapping[str, str] | None = None,
    finalizers: Sequence[str] = (FINALIZER,),
    deleted_at: str = "",
    **spec: Any,
) -> dict[str, Any]:
    """Return a SearchCluster as Kubernetes gives it; further keywords go into its spec."""
    metadata: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "generation": generation,
        "creationTimestamp": NOW,
        "finalizers": list(finalizers),
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    if deleted_at:
        metadata["deletionTimestamp"] = deleted_at
    return {
        "apiVersion": API_VERSION,
        "kind": "SearchCluster",
        "metadata": metadata,
        "spec": {
            "urls": ["https://elasticsearch.example.com:9200"],
            "login": {"secretRef": {"namespace": "search", "name": "operator"}},
            "identity": {"jwtRealm": {"name": "google", "audience": "https://search.example.com"}},
        }
        | spec,
    }


def a_cluster(name: str = "prod", **more: Any) -> Cluster:
    """Return a SearchCluster as the core sees it."""
    return cluster_from_object(a_search_cluster(name, **more))


def facts(**more: Any) -> ClusterFacts:
    """Return what a check of a healthy cluster finds."""
    known: dict[str, Any] = {"version": "8.19.0", "uuid": UUID, "license": "enterprise", "mismatches": ()}
    return ClusterFacts(**(known | more))
