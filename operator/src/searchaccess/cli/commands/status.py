"""``searchaccess status``."""

from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import ClusterName, Kubernetes, takes_kubernetes
from searchaccess.cli.options.reading import span
from searchaccess.cli.printing import Format, Output

EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  it was shown, whatever the state is",
        " 1  there is no such SearchAccess or SearchCluster, or it may not be read",
        "64  usage error",
    ),
    block(
        "Examples",
        "searchaccess status",
        "searchaccess status orders-reader -n shop",
        "searchaccess status shop/orders-reader -o yaml",
        "# What needs attention:",
        "searchaccess status -A --not-ready",
        "searchaccess status -A --drifted --cluster prod",
        "searchaccess status -A --expiring 7d",
        "# What nobody used for a month:",
        "searchaccess status -A --unused 30d",
    ),
)


@takes_kubernetes
def command(
    access: Annotated[
        str, typer.Argument(metavar="ACCESS", help="NAME or NAMESPACE/NAME; an overview without it.")
    ] = "",
    *,
    cluster: ClusterName = "",
    drifted: Annotated[bool, typer.Option("--drifted", help="Only with open differences.")] = False,
    not_ready: Annotated[
        bool, typer.Option("--not-ready", help="Only what is not Ready, or was edited since its status was written.")
    ] = False,
    expiring: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="Only what ends within this time, such as 7d or 36h: by validUntil, by the end of an approval, or by"
            " a key that is not rotated.",
        ),
    ] = "",
    unused: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="Only what was certainly not used for so long, such as 30d: where the SearchCluster names its audit"
            " events (spec.audit), and uses are known for all of this time.",
        ),
    ] = "",
    output: Output = Format.TABLE,
    kubernetes: Kubernetes,
) -> None:
    """Show who has which access, and whether it is in force: an overview, or a tree of one SearchAccess.

    It reads from Kubernetes only, with rights to read the four kinds. A question mark after READY: the operator has not
    seen the last edit yet.
    """
    import time

    from searchaccess.cli.statuses import show_statuses
    from searchaccess.core.answers.statuses.overview import Wanted

    if access and (cluster or drifted or not_ready or expiring or unused):
        text = "excludes --cluster, --drifted, --not-ready, --expiring and --unused"
        raise typer.BadParameter(text, param_hint="ACCESS")
    if "/" in access and (kubernetes.namespace or kubernetes.all_namespaces):
        raise typer.BadParameter("excludes --namespace and --all-namespaces", param_hint="NAMESPACE/NAME")
    within = span(expiring, "--expiring") if expiring else None
    without = span(unused, "--unused") if unused else None
    now = time.time()
    wanted = Wanted(
        cluster,
        drifted,
        not_ready,
        None if within is None else now + within,
        None if without is None else now - without,
    )
    answer(lambda: show_statuses(kubernetes, access, wanted, output))
