"""``searchaccess login``."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.api.clusters.tiers import Tier
from searchaccess.cli.common import Instance
from searchaccess.cli.helptexts import block
from searchaccess.cli.manifests import Filenames, Namespace, OnlyCluster, read_kind

EPILOG: Final = block(
    "Examples",
    "searchaccess login --tier Observe",
    "searchaccess login -f manifests/ --cluster prod",
    "kubectl get searchaccess -A -o yaml | searchaccess login -f -",
)


class PrintedTier(StrEnum):
    """Tiers of logins whose role can be printed."""

    OBSERVE = Tier.OBSERVE
    ROLES = Tier.ROLES


def command(
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
    cluster: OnlyCluster = "",
    instance: Instance = "default",
) -> None:
    """Print the role for a login to Elasticsearch, as JSON.

    For the tier Roles, it is the smallest role with which the operator can grant what manifests (-f) declare. Rights
    that cannot be delegated are left out and reported on standard error, and the exit code is 1.

    With manifests (-f), both roles have view_index_metadata on the indices that these name. With it, the operator sees
    where aliases lead, which patterns match nothing, and whether each where can run.
    """
    from searchaccess.core.answers.logins import observer_role, role_for
    from searchaccess.core.model.access import access_from_object
    from searchaccess.core.rights.ownership import Operator

    if not filename and tier is not PrintedTier.OBSERVE:
        raise typer.BadParameter("requires manifests with -f", param_hint="--tier Roles")
    found = (
        [access_from_object(raw) for raw in read_kind(filename or [], "SearchAccess", namespace)] if filename else []
    )
    accesses = [one for one in found if cluster in {"", one.cluster}]
    if tier is PrintedTier.OBSERVE:
        typer.echo(json.dumps(observer_role(accesses), indent=2))
        return
    role, left = role_for(accesses, Operator(instance, ""))
    typer.echo(json.dumps(role, indent=2))
    for line in left:
        typer.echo(f"searchaccess: left out {line}", err=True)
    if left:
        raise typer.Exit(1)
