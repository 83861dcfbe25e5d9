"""Renders the configuration of a gateway."""

from pathlib import Path

import typer

from searchaccess.api.constants import ROLE_PREFIX
from searchaccess.api.references import Certificates
from searchaccess.cli.manifests import failure, read
from searchaccess.cli.options.common import configure_logging
from searchaccess.cli.options.connecting import certificates_in
from searchaccess.core.clusters.cluster import Cluster, cluster_from_object
from searchaccess.core.clusters.connection import Connection, addresses_of
from searchaccess.core.clusters.sources import Incomplete, holds_certificates
from searchaccess.core.gateway.derived import NotForGateways, settings_of
from searchaccess.core.gateway.render import render, render_bootstrap


def write_gateway(files: list[Path], ca: Path | None, jwks_ca: Path | None, to: Path | None, instance: str) -> None:
    """Print, or write, the files of the gateway of the SearchCluster in files.

    Args:
        files: with one SearchCluster.
        ca: certificate authorities of Elasticsearch; None: those in the files.
        jwks_ca: the same for the address of the keys.
        to: folder to write into; None: they are printed.
        instance: name of the installation.

    Raises:
        typer.Exit: it has none; the reason was printed.
    """
    configure_logging(as_json=False, verbose=False)
    clusters = [cluster_from_object(raw) for raw in read(files, "") if raw["kind"] == "SearchCluster"]
    if len(clusters) != 1:
        raise failure(f"the files have {len(clusters)} SearchClusters, not one")
    made = _files(clusters[0], instance, certificates_in(ca, "--ca"), certificates_in(jwks_ca, "--jwks-ca"))
    for name, text in made.items():
        if to is None:
            typer.echo(f"---\n# {name}\n{text}", nl=False)
            continue
        path = to / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise failure(f"{path} cannot be written: {error.strerror}") from None


def _files(cluster: Cluster, instance: str, ca: str, jwks_ca: str) -> dict[str, str]:
    """Return the files by their path."""
    spec, declared = cluster.spec, cluster.gateway
    if spec is None:
        raise failure(f"SearchCluster {cluster.name}: {cluster.invalid or cluster.fault}")
    if declared is None:
        raise failure(f"SearchCluster {cluster.name} declares no gateway: set spec.identity.gateway")
    exposures = {str(exposure) for exposure in spec.allow_exposure}
    try:
        connection = Connection(
            addresses_of(spec),
            _authorities(spec.ca, ca, "spec.ca", "--ca"),
            verify="InsecureSkipVerify" not in exposures,
        )
        jwks = declared.jwks.ca if declared.jwks else None
        keys = _authorities(jwks, jwks_ca, "spec.identity.gateway.jwks.ca", "--jwks-ca")
        settings = settings_of(declared, connection, f"{ROLE_PREFIX}.{instance}.", jwks_ca=keys)
    except (Incomplete, NotForGateways) as error:
        raise failure(f"SearchCluster {cluster.name}: {error}") from None
    rendered = render(settings)
    return {
        "bootstrap/bootstrap.yaml": render_bootstrap(),
        "dynamic/listeners.yaml": rendered.listeners,
        "dynamic/clusters.yaml": rendered.clusters,
    }


def _authorities(declared: Certificates | None, given: str, field: str, option: str) -> str:
    """Return certificates: those given, or those in the file.

    Raises:
        Incomplete: they are in a Secret or ConfigMap, which is not read here, or are no certificates.
    """
    found = given or (declared.inline if declared else None) or ""
    if declared and not found:
        raise Incomplete(f"{field} is in another object: write its certificates into a file, and give {option} FILE")
    if found and not holds_certificates(found):
        raise Incomplete(f"{option}: contains no readable certificate: write it in PEM form")
    return found
