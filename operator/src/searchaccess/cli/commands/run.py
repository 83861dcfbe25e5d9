"""``searchaccess run``."""

from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog, exit_codes, renamed
from searchaccess.cli.options import webhook
from searchaccess.cli.options.common import Common, run_to_end, takes_common
from searchaccess.cli.options.reading import address, duration
from searchaccess.engine.pacing.periods import RESYNC

RESYNC_PERIOD: Final = f"{RESYNC / 60:.0f}m"
_LEAST_RESYNC: Final = 1.0
EPILOG: Final = epilog(
    exit_codes("a signal stopped it", "it could not start, or had to end"),
    block(
        "Examples",
        "searchaccess run --kubeconfig ~/.kube/config --context staging",
        "searchaccess run --listen 0.0.0.0:8080 --lease-namespace searchaccess-system",
    ),
)


@takes_common
def command(
    *,
    listen: Annotated[
        str,
        typer.Option(
            envvar="SEARCHACCESS_LISTEN",
            metavar="ADDRESS:PORT",
            help="Address that serves /livez, /readyz and /metrics, such as 0.0.0.0:8080; not served by default.",
        ),
    ] = "",
    resync_period: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="Interval of full lists, such as 5m, which detect deletions without an event."
        ),
    ] = RESYNC_PERIOD,
    list_every: Annotated[float | None, typer.Option(hidden=True, min=1.0)] = None,
    admission: webhook.Listen = "",
    admission_certificate: webhook.Folder = None,
    admission_webhook: webhook.Name = "",
    admission_certificate_lifetime: webhook.Lifetime = webhook.LIFETIME,
    common: Common,
) -> None:
    """Run the operator until a signal (SIGTERM, Ctrl-C) stops it."""
    from searchaccess.operator.app import run_operator

    given = f"{round(list_every)}s" if list_every else ""
    period = renamed("--list-every", given, "--resync-period", resync_period, RESYNC_PERIOD)
    every = duration(period, "--resync-period")
    if every < _LEAST_RESYNC:
        raise typer.BadParameter("is at least 1s", param_hint="--resync-period")
    lifetime = duration(admission_certificate_lifetime, "--admission-certificate-lifetime")
    admitting = webhook.options(
        address(admission, "--admission"), admission_certificate, admission_webhook, lifetime, common.lease_namespace
    )
    options = common.begin(listen=address(listen, "--listen"), resync_period=every, admission=admitting)
    run_to_end(lambda stop: run_operator(options, stop))
