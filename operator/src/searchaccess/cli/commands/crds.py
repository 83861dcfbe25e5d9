"""``searchaccess crds``."""

from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog, exit_codes
from searchaccess.cli.options.common import Kubeconfig, KubeContext

EPILOG: Final = epilog(
    exit_codes("they were printed, or applied", "the API server refused one, or could not be reached"),
    block(
        "Examples",
        "searchaccess crds | kubectl diff -f -",
        "searchaccess crds --apply --context staging",
    ),
)


def command(
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply them; definitions of a newer version stay unchanged.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: KubeContext = "",
) -> None:
    """Print the CustomResourceDefinitions of this version as YAML, or apply them.

    An installed definition never loses a field: if it has one that this version does not know, it stays unchanged.
    """
    from searchaccess.cli.rendering.kinds import apply_crds, print_crds

    if apply:
        apply_crds(kubeconfig, context)
    else:
        print_crds()
