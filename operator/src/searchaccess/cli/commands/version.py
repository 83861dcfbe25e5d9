"""``searchaccess version``."""

from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog, exit_codes
from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Server, takes_server
from searchaccess.cli.printing import Format, Output

EPILOG: Final = epilog(
    exit_codes("it was shown; what may not be read is unknown", "Kubernetes could not be asked"),
    block(
        "Examples",
        "searchaccess version --client",
        "searchaccess version --context staging",
        "searchaccess version -o json | jq -r '.clusters[].elasticsearch'",
    ),
)


@takes_server
def command(
    *,
    client: Annotated[
        bool, typer.Option("--client", help="Only this command: nothing is read from Kubernetes.")
    ] = False,
    output: Output = Format.TABLE,
    server: Server,
) -> None:
    """Show the versions that work together: this command, the operator, the kinds, Kubernetes and Elasticsearch.

    The operator's version is that of the image in its Deployment. What may not be read is reported on standard
    error, and is unknown in the answer.
    """
    from searchaccess.cli.ownversion import show_client

    if client:
        show_client(output)
        return
    from searchaccess.cli.versions import show_versions

    answer(lambda: show_versions(server, output))
