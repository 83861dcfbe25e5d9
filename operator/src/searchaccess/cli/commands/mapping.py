"""``searchaccess mapping``."""

import json
from typing import Final

import typer

from searchaccess.cli.helptexts import PRINTING_EXITS, block, epilog
from searchaccess.cli.manifests import Files, OnlyCluster, failure, read_kind
from searchaccess.cli.options.common import Instance, check_instance

EPILOG: Final = epilog(
    PRINTING_EXITS,
    block(
        "Examples",
        "searchaccess mapping -f cluster.yaml",
        "helm template ./chart | searchaccess mapping -f - --cluster prod",
    ),
)


def command(*, filename: Files, cluster: OnlyCluster = "", instance: Instance = "default") -> None:
    """Print the role mapping of each SearchCluster in manifests, as the request that writes it.

    Send the request yourself if the operator's login may not write role mappings (tiers Roles and RolesAndKeys).
    """
    from searchaccess.core.answers.logins import mapping_for
    from searchaccess.core.clusters.cluster import cluster_from_object
    from searchaccess.core.rights.ownership import Operator

    check_instance(instance)
    clusters = [cluster_from_object(raw) for raw in read_kind(filename, "SearchCluster")]
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
