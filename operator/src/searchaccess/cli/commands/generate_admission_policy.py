"""``searchaccess generate-admission-policy``."""

from pathlib import Path
from typing import Annotated, Final

from searchaccess.cli.helptexts import block, epilog, exit_codes
from searchaccess.cli.manifests import Filenames
from searchaccess.cli.options.connecting import Server, takes_server

EPILOG: Final = epilog(
    exit_codes("all were printed", "a policy cannot be read: it has no part in what was printed"),
    block(
        "Examples",
        "searchaccess generate-admission-policy -f policies/",
        "searchaccess generate-admission-policy | kubectl apply -f -",
    ),
)


@takes_server
def command(*, filename: Annotated[list[Path] | None, Filenames] = None, server: Server) -> None:
    """Print a ValidatingAdmissionPolicy with its binding for each SearchAccessPolicy, as YAML.

    The API server then refuses what CEL can decide, without a webhook. It never refuses what the operator accepts. What
    only the operator checks is in comments and on standard error. The policies are those in files (-f), or those of
    the API server.
    """
    from searchaccess.cli.rendering.admissionpolicies import print_admission_policies

    print_admission_policies(filename or [], server)
