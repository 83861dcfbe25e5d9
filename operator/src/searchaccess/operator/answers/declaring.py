"""Reads what files declare as the loop does, without Kubernetes, Google or Elasticsearch."""

from collections.abc import Iterable, Mapping
from typing import Any

from searchaccess.adapters.clock import SystemClock
from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.answers.plan.stated import Declared, Stated, with_defaults
from searchaccess.core.model.intake.metadata import metadata_of, part
from searchaccess.core.work import completed
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.preview import open_gate, preview
from searchaccess.operator.observing import as_created, placed
from searchaccess.ports.clock import Clock
from searchaccess.ports.meter import Meter

DEFAULT_NAMESPACE = "default"


def declared_by(
    manifests: Iterable[dict[str, Any]],
    labels: Mapping[str, Mapping[str, str]] | None = None,
    clock: Clock | None = None,
) -> Declared:
    """Return what manifests declare, with what their SearchClusters and policies say of each SearchAccess.

    Approvals do not count: only the API server vouches for who wrote them.

    Args:
        manifests: objects of our kinds, each with a name.
        labels: labels of namespaces; those of others are not known.
        clock: by which rights and exceptions end; the system's by default.
    """
    objects = as_created(placed(manifests, DEFAULT_NAMESPACE))
    meter = Meter()
    inventory = Inventory(meter, clock=clock or SystemClock())
    if labels:
        inventory.see_namespaces(labels)
    by_kind = {kind: [raw for raw in objects if raw["kind"] == kind] for kind in {raw["kind"] for raw in objects}}
    for raw in by_kind.get("SearchCluster", ()):
        inventory.see_cluster(raw)
    policies = by_kind.get("SearchAccessPolicy", ())
    for raw in policies:
        inventory.policies.see(raw)
    inventory.policies.keep({metadata_of(raw).uid for raw in policies}, frozenset())
    return Declared(
        accesses={_ref(raw): stated_in(inventory, raw, meter) for raw in by_kind.get("SearchAccess", ())},
        policies={policy.name: policy for policy in inventory.policies.known()},
        clusters=cluster_specs(by_kind.get("SearchCluster", ())),
        approvals={_ref(raw): part(raw, "spec") for raw in by_kind.get("SearchAccessApproval", ())},
        invalid_clusters={name: record.cluster.invalid for name, record in inventory.clusters.items()},
    )


def stated_in(inventory: Inventory, raw: Mapping[str, Any], meter: Meter) -> Stated:
    """Return a SearchAccess as the loop would judge it by an inventory."""
    access = completed(preview(inventory, raw, meter))
    return Stated(access, open_gate(inventory, access.cluster), with_defaults(SearchAccessSpec, part(raw, "spec")))


def cluster_specs(clusters: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the specs of SearchClusters by name, with defaults."""
    return {metadata_of(raw).name: with_defaults(SearchClusterSpec, part(raw, "spec")) for raw in clusters}


def _ref(raw: Mapping[str, Any]) -> str:
    meta = metadata_of(raw)
    return f"{meta.namespace}/{meta.name}"
