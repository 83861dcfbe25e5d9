"""``searchaccess login``."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.api.clusters.tiers import Tier
from searchaccess.cli.helptexts import PRINTING_EXITS, block, epilog
from searchaccess.cli.manifests import Filenames, Namespace, OnlyCluster, read_all
from searchaccess.cli.options.common import Instance, check_instance

EPILOG: Final = epilog(
    PRINTING_EXITS,
    block(
        "Examples",
        "searchaccess login --tier Observe",
        "searchaccess login --tier Full -f manifests/ --cluster prod",
        "searchaccess login -f manifests/ --cluster prod",
        "kubectl get searchaccess -A -o yaml | searchaccess login -f -",
    ),
)


def command(
    *,
    tier: Annotated[
        Tier,
        typer.Option(
            case_sensitive=False,
            metavar="|".join(Tier),
            help="Observe: only reads, for dry runs. Roles: writes delegated roles. RolesAndKeys: also issues API keys."
            " Full: everything, also passwords, and SearchClusters behind a gateway.",
        ),
    ] = Tier.ROLES,
    filename: Annotated[list[Path] | None, Filenames] = None,
    namespace: Namespace = "",
    cluster: OnlyCluster = "",
    instance: Instance = "default",
) -> None:
    """Print the role for a login to Elasticsearch, as JSON.

    For the tiers Roles and RolesAndKeys, it is the smallest role with which the operator can grant what manifests (-f)
    declare. What needs a larger tier is left out and reported on standard error, and the exit code is 1. A
    SearchCluster behind a gateway needs the tier Full, as the operator writes native users.

    With manifests (-f), the role has view_index_metadata on the indices that these name. With it, the operator sees
    where aliases lead, which patterns match nothing, and whether each where can run. If they have a SearchCluster with
    spec.audit, the role may also read its audit events.
    """
    from searchaccess.core.answers.logins import full_role, keys_role, observer_role, role_for, with_audit
    from searchaccess.core.clusters.cluster import cluster_from_object
    from searchaccess.core.model.parsing import access_from_object
    from searchaccess.core.rights.ownership import Operator

    check_instance(instance)
    if not filename and tier in {Tier.ROLES, Tier.ROLES_AND_KEYS}:
        raise typer.BadParameter("requires manifests with -f", param_hint=f"--tier {tier}")
    raws = read_all(filename or [], namespace) if filename else []
    found = [access_from_object(raw) for raw in raws if raw["kind"] == "SearchAccess"]
    accesses = [one for one in found if cluster in {"", one.cluster}]
    left: list[str] = []
    match tier:
        case Tier.OBSERVE:
            role = observer_role(accesses)
        case Tier.FULL:
            role = full_role(accesses)
        case Tier.ROLES:
            role, left = role_for(accesses, Operator(instance, ""))
        case Tier.ROLES_AND_KEYS:
            role, left = keys_role(accesses, Operator(instance, ""))
    found_clusters = (cluster_from_object(raw) for raw in raws if raw["kind"] == "SearchCluster")
    clusters = [one for one in found_clusters if cluster in {"", one.name}]
    typer.echo(json.dumps(with_audit(role, clusters), indent=2))
    behind = [one.name for one in clusters if one.gateway]
    if tier in {Tier.OBSERVE, Tier.FULL}:
        behind = []
    for line in left:
        typer.echo(f"searchaccess: left out {line}", err=True)
    for name in behind:
        typer.echo(f"searchaccess: SearchCluster {name} is behind a gateway and needs the tier Full", err=True)
    if left or behind:
        raise typer.Exit(1)
