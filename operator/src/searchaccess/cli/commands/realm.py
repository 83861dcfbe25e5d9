"""``searchaccess realm``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.manifests import Filenames
from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Reaching, takes_reaching
from searchaccess.cli.printing import Format, Output

EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  it was printed; with --check, Elasticsearch has it",
        " 1  there is no such SearchCluster, or it cannot be read",
        " 2  with --check: something differs",
        "64  usage error",
    ),
    block(
        "Examples",
        "searchaccess realm --cluster prod",
        "searchaccess realm -f cluster.yaml --for eck",
        "searchaccess realm --cluster prod --check --elasticsearch-login env:OBSERVER",
    ),
)


@takes_reaching
def command(
    *,
    filename: Annotated[list[Path] | None, Filenames] = None,
    place: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="file|eck|cloud",
            help="file: elasticsearch.yml. eck: the Elasticsearch resource. cloud: user settings of Elastic Cloud.",
        ),
    ] = "file",
    check: Annotated[
        bool, typer.Option("--check", help="Compare the live Elasticsearch with it, and print only what is wrong.")
    ] = False,
    output: Output = Format.TABLE,
    reaching: Reaching,
) -> None:
    """Print the settings of the JWT realm, and the role mapping, that a SearchCluster needs.

    The SearchClusters are those of the API server, or those in files (-f). The operator cannot write the settings, as
    they are in files of the nodes. With --check, they are compared with the live ones: the login needs monitor and
    read_security.
    """
    from searchaccess.cli.rendering.realms import print_realms

    answer(lambda: print_realms(reaching, filename or [], place, output, check=check))
