"""``searchaccess approve``."""

from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import VERB_EXITS, block, epilog
from searchaccess.cli.options.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.options.merging import taking
from searchaccess.cli.requests.targets import All, Following, Names, Selector, request, targets_of

EPILOG: Final = epilog(
    VERB_EXITS,
    block(
        "Examples",
        "searchaccess approve migration -n shop --reason CHG-1234",
        "searchaccess approve shop/migration --yes",
    ),
)


@takes_kubernetes
@taking(Following, "following")
def command(
    access: Names = None,
    *,
    selector: Selector = "",
    everything: All = False,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, for those who review the approval, such as CHG-1234.")
    ] = "",
    following: Following,
    kubernetes: Kubernetes,
) -> None:
    """Approve SearchAccesses as they are now, with your own name.

    It shows what is approved, creates a SearchAccessApproval of the generation that was shown, and waits until the
    rights are in force. Your name and groups are those that the API server knows.
    """
    request("approve", targets_of(access, selector, everything, kubernetes), following, kubernetes, reason=reason)
