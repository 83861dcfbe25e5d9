"""``searchaccess gateway``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import PRINTING_EXITS, block, epilog
from searchaccess.cli.manifests import Files
from searchaccess.cli.options.common import Instance, check_instance

app = typer.Typer(
    name="gateway", help="Work with the gateway of a SearchCluster.", no_args_is_help=True, rich_markup_mode=None
)

_EXAMPLES: Final = epilog(
    PRINTING_EXITS,
    block(
        "Examples",
        "searchaccess gateway render -f prod.yaml",
        "searchaccess gateway render -f prod.yaml --ca elasticsearch-ca.pem --to gateway/",
    ),
)

CaFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Certificate authorities of Elasticsearch (PEM)."),
]
JwksCaFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Certificate authorities of the keys' address."),
]


@app.command("render", epilog=_EXAMPLES, short_help="Print the configuration of a gateway.")
def render_gateway(
    *,
    filename: Files,
    ca: CaFile = None,
    jwks_ca: JwksCaFile = None,
    to: Annotated[
        Path | None,
        typer.Option(file_okay=False, metavar="FOLDER", help="Write files into this folder instead of printing them."),
    ] = None,
    instance: Instance = "default",
) -> None:
    """Print the files of a gateway, for review, or for a gateway outside Kubernetes.

    They are what the operator writes for the SearchCluster in the file, without limits of single callers. They have no
    secret: the login is not among them.
    """
    from searchaccess.cli.rendering.gateways import write_gateway

    check_instance(instance)
    write_gateway(filename, ca, jwks_ca, to, instance)
