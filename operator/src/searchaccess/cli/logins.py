"""Commands that print what the platform team writes into Elasticsearch, where the operator's login may not."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from searchaccess.cli.common import Instance, configure_logging
from searchaccess.cli.manifests import Files, Namespace, failure, read
from searchaccess.core.answers.logins import mapping_for, role_for
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.access import access_from_object
from searchaccess.core.rights.ownership import Operator

_OnlyCluster = Annotated[str, typer.Option("--cluster", metavar="NAME", help="Only this SearchCluster.")]


def mapping(*, filename: Files, cluster: _OnlyCluster = "", instance: Instance = "default") -> None:
    """Print the one role mapping of each SearchCluster in manifests, as the request that writes it.

    A person writes it where the operator's login may not (tiers Roles and RolesAndKeys).
    """
    clusters = [cluster_from_object(raw) for raw in _read(filename, "SearchCluster")]
    found = [mapping_for(one, Operator(instance, "")) for one in clusters if cluster in {"", one.name}]
    if not found or None in found:
        raise failure("no SearchCluster that can be read is in these files" + (f": {cluster}" if cluster else ""))
    for name, body in dict(filter(None, found)).items():
        typer.echo(f"PUT _security/role_mapping/{name}\n{json.dumps(body, indent=2)}")


def login(
    *, filename: Files, namespace: Namespace = "", cluster: _OnlyCluster = "", instance: Instance = "default"
) -> None:
    """Print the smallest role of the tier Roles with which the operator can grant what manifests declare.

    What cannot be delegated is left out, and said; then the exit code is 1.
    """
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
