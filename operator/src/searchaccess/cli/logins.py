"""Commands that print what the platform team writes into Elasticsearch if the operator's login may not."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from searchaccess.api.clusters.tiers import Tier
from searchaccess.cli.common import Instance, configure_logging
from searchaccess.cli.manifests import Filenames, Files, Namespace, failure, read
from searchaccess.core.answers.logins import mapping_for, observer_role, role_for
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.access import access_from_object
from searchaccess.core.rights.ownership import Operator

_OnlyCluster = Annotated[str, typer.Option("--cluster", metavar="NAME", help="Only this SearchCluster.")]


def mapping(*, filename: Files, cluster: _OnlyCluster = "", instance: Instance = "default") -> None:
    """Print the role mapping of each SearchCluster in manifests, as the request that writes it.

    Send the request yourself if the operator's login may not write role mappings (tiers Roles and RolesAndKeys).
    """
    clusters = [cluster_from_object(raw) for raw in _read(filename, "SearchCluster")]
    found = [
        mapping_for(one, Operator(instance, "")) for one in clusters if cluster in {"", one.name} and not one.gateway
    ]
    behind = [one.name for one in clusters if cluster in {"", one.name} and one.gateway]
    if behind and not found:
        raise failure(f"{', '.join(behind)} needs no role mapping: its callers are verified by a gateway")
    if not found or None in found:
        raise failure("these files have no valid SearchCluster" + (f" named {cluster}" if cluster else ""))
    for name, body in dict(filter(None, found)).items():
        typer.echo(f"PUT _security/role_mapping/{name}\n{json.dumps(body, indent=2)}")


class PrintedTier(StrEnum):
    """Tiers of logins whose role can be printed."""

    OBSERVE = Tier.OBSERVE
    ROLES = Tier.ROLES


def login(
    *,
    tier: Annotated[
        PrintedTier,
        typer.Option(
            case_sensitive=False,
            metavar="|".join(PrintedTier),
            help="Observe: for a login that only reads, for dry runs.",
        ),
    ] = PrintedTier.ROLES,
    filename: Annotated[list[Path] | None, Filenames] = None,
    namespace: Namespace = "",
    cluster: _OnlyCluster = "",
    instance: Instance = "default",
) -> None:
    """Print the role for a login to Elasticsearch, as JSON.

    For the tier Roles, it is the smallest role with which the operator can grant what manifests (-f) declare. Rights
    that cannot be delegated are left out and reported on standard error, and the exit code is 1.
    """
    if tier is PrintedTier.OBSERVE:
        if filename:
            raise typer.BadParameter("excludes -f: this role is always the same", param_hint="--tier Observe")
        typer.echo(json.dumps(observer_role(), indent=2))
        return
    if not filename:
        raise typer.BadParameter("requires manifests with -f", param_hint="--tier Roles")
    accesses = [access_from_object(raw) for raw in _read(filename, "SearchAccess", namespace)]
    role, left = role_for((one for one in accesses if cluster in {"", one.cluster}), Operator(instance, ""))
    typer.echo(json.dumps(role, indent=2))
    for line in left:
        typer.echo(f"searchaccess: left out {line}", err=True)
    if left:
        raise typer.Exit(1)


def _read(files: list[Path], kind: str, namespace: str = "") -> list[dict[str, Any]]:
    configure_logging(as_json=False, verbose=False)
    return [raw for raw in read(files, namespace) if raw.get("kind") == kind]
