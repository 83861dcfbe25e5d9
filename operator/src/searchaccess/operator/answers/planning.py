"""Plans: what manifests would change now, by a dry run of the loop, or by the roles of one cluster."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.core.answers.plan.live import Found, plan_of_run, plan_with_roles
from searchaccess.core.answers.plan.model import Plan
from searchaccess.core.answers.plan.stated import Declared, Stated, with_defaults
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.intake.metadata import metadata_of, part
from searchaccess.core.policy.guardrails.policy import policy_from_object
from searchaccess.core.rights.ownership import Role
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.preview import open_gate
from searchaccess.operator.answers.declaring import cluster_specs, declared_by, stated_in
from searchaccess.operator.answers.reading import Live
from searchaccess.operator.app import Options, Wired
from searchaccess.operator.observing import ObservedKubernetes, placed
from searchaccess.operator.once import reconcile_and_look
from searchaccess.ports.meter import Meter


async def plan_live(options: Options, stop: asyncio.Event, *, only: Collection[str] = (), within: float) -> Plan:
    """Return what files would change in Elasticsearch now, by a dry run of the loop.

    Args:
        options: how to run; with ``observe`` and the manifests.
        stop: set to end it early.
        only: the SearchClusters to look at; empty: all.
        within: seconds after which it ends.

    Raises:
        ExternalError: it cannot run.
    """

    def look(process: Wired) -> tuple[Declared, Declared]:
        manifests = placed(options.manifests, process.login.namespace)
        kubernetes = process.context.kubernetes
        there = kubernetes.replaced if isinstance(kubernetes, ObservedKubernetes) else []
        return _stored(process.context.inventory, there), _proposed(process.context.inventory, manifests)

    summary, (before, after) = await reconcile_and_look(options, stop, look, only=only, within=within)
    return plan_of_run(summary, before, after)


def _proposed(inventory: Inventory, manifests: Sequence[dict[str, Any]]) -> Declared:
    """Return what files declare, with what the loop knows of it."""
    by_ref = {record.access.ref: record.access for record in inventory.accesses.values()}
    accesses = dict[str, Stated]()
    for raw in _of_kind("SearchAccess", manifests):
        access = by_ref.get(_ref(raw))
        if access is not None:
            accesses[access.ref] = Stated(
                access, open_gate(inventory, access.cluster), with_defaults(SearchAccessSpec, part(raw, "spec"))
            )
    return _with_rest(accesses, manifests, frozenset(inventory.clusters))


def _stored(inventory: Inventory, objects: Sequence[dict[str, Any]]) -> Declared:
    """Return what the API server declares of that which files replace."""
    meter = Meter()
    accesses = {_ref(raw): stated_in(inventory, raw, meter) for raw in _of_kind("SearchAccess", objects)}
    return _with_rest(accesses, objects, frozenset(inventory.clusters))


def _with_rest(accesses: dict[str, Stated], objects: Sequence[dict[str, Any]], known: frozenset[str]) -> Declared:
    clusters = list(_of_kind("SearchCluster", objects))
    return Declared(
        accesses,
        {metadata_of(raw).name: policy_from_object(raw) for raw in _of_kind("SearchAccessPolicy", objects)},
        cluster_specs(clusters),
        {_ref(raw): part(raw, "spec") for raw in _of_kind("SearchAccessApproval", objects)},
        {metadata_of(raw).name: cluster_from_object(raw).invalid for raw in clusters},
        known,
    )


def role_from(name: str, raw: dict[str, Any]) -> Role:
    """Return a role as the role API gives it."""
    return Role(name, role_from_json(raw), dict(part(raw, "metadata")))


def _of_kind(kind: str, objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [raw for raw in objects if raw["kind"] == kind]


def _ref(raw: dict[str, Any]) -> str:
    meta = metadata_of(raw)
    return f"{meta.namespace}/{meta.name}"


async def plan_with_elasticsearch(live: Live, manifests: Sequence[dict[str, Any]], cluster: str, instance: str) -> Plan:
    """Return what files would change in the roles of one cluster, without Kubernetes.

    Args:
        live: the cluster.
        manifests: what the files have; SearchClusters and policies among them count.
        cluster: the SearchCluster that the SearchAccesses name.
        instance: name of the installation whose roles are compared.

    Raises:
        ExternalError: its roles cannot be read.
    """
    declared = declared_by(manifests)
    client = await live.elasticsearch(cluster)
    found = Found()
    roles = await client.roles(None)
    found.add(cluster, instance, (role_from(name, raw) for name, raw in roles.items()))
    return plan_with_roles(declared, found, {cluster})
