"""The command ``searchaccess``."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess import __version__
from searchaccess.api.times.durations import DURATION_PATTERN, seconds
from searchaccess.cli import helptexts, kinds, webhook
from searchaccess.cli.admissionpolicies import generate_admission_policy
from searchaccess.cli.common import Common, run_to_end, takes_common
from searchaccess.cli.gateways import gateway
from searchaccess.cli.logins import login, mapping
from searchaccess.cli.manifests import Filenames, read
from searchaccess.cli.program import Program
from searchaccess.cli.reading import address
from searchaccess.cli.summaries import Output, show
from searchaccess.engine.lister import RESYNC_PERIOD
from searchaccess.operator.app import run_operator
from searchaccess.operator.observer_login import BadLogin, ObserverLogin, read_logins
from searchaccess.operator.once import reconcile_for, reconcile_once

_RESYNC_PERIOD: Final = f"{RESYNC_PERIOD / 60:.0f}m"
_LEAST_RESYNC: Final = 1.0
_TIMEOUT: Final = "10m"

app = typer.Typer(
    name="searchaccess",
    cls=Program,
    help="Grants Cloud Run workloads the declared access to Elasticsearch indices, and keeps it in force.",
    no_args_is_help=True,
    # Plain text: lines of examples stay as they are, and logs of pipelines have no frames.
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
)


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keep declared access to Elasticsearch in force."""


@app.command(epilog=helptexts.RUN, short_help="Run the operator.")
@takes_common
def run(
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
    ] = _RESYNC_PERIOD,
    list_every: Annotated[float | None, typer.Option(hidden=True, min=1.0)] = None,
    admission: webhook.Listen = "",
    admission_certificate: webhook.Folder = None,
    admission_webhook: webhook.Name = "",
    admission_certificate_lifetime: webhook.Lifetime = webhook.LIFETIME,
    common: Common,
) -> None:
    """Run the operator until a signal (SIGTERM, Ctrl-C) stops it."""
    given = f"{round(list_every)}s" if list_every else ""
    period = helptexts.renamed("--list-every", given, "--resync-period", resync_period, _RESYNC_PERIOD)
    every = _seconds(period, "--resync-period")
    if every < _LEAST_RESYNC:
        raise typer.BadParameter("is at least 1s", param_hint="--resync-period")
    lifetime = _seconds(admission_certificate_lifetime, "--admission-certificate-lifetime")
    admitting = webhook.options(
        address(admission, "--admission"), admission_certificate, admission_webhook, lifetime, common.lease_namespace
    )
    options = common.begin(listen=address(listen, "--listen"), resync_period=every, admission=admitting)
    run_to_end(lambda stop: run_operator(options, stop))


@app.command(epilog=helptexts.RECONCILE, short_help="Reconcile once, or for a while, and report.")
@takes_common
def reconcile(
    *,
    once: Annotated[bool, typer.Option("--once", help="Reconcile everything once and exit.")] = False,
    duration: Annotated[
        str,
        typer.Option(
            "--for", metavar="DURATION", help="Instead, reconcile continuously for this long, such as 50m, and exit."
        ),
    ] = "",
    cluster: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Reconcile only this SearchCluster. May be repeated.")
    ] = None,
    timeout: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="Longest time for --once, such as 90s; what is not reconciled by then is reported."
        ),
    ] = _TIMEOUT,
    patience: Annotated[str, typer.Option(hidden=True)] = "",
    observe: Annotated[
        bool, typer.Option("--observe", help="Dry run: change nothing, and report what would change. Requires --once.")
    ] = False,
    filename: Annotated[list[Path] | None, Filenames] = None,
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAME",
            help="Report only this namespace; also the namespace of SearchAccesses in the files that name none."
            " Requires --observe.",
        ),
    ] = "",
    elasticsearch_login: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEARCHACCESS_ELASTICSEARCH_LOGIN",
            metavar="[CLUSTER=]WHERE",
            help="Login to Elasticsearch instead of the operator's, for all SearchClusters or for one. WHERE is"
            " env:PREFIX (variables PREFIX_USERNAME and PREFIX_PASSWORD, PREFIX_API_KEY, or PREFIX_TOKEN), file:FOLDER"
            " (files username and password, apiKey, or token), or secret:NAMESPACE/NAME. May be repeated. Requires"
            " --observe.",
        ),
    ] = None,
    trust_files: Annotated[
        bool,
        typer.Option(
            "--trust-files",
            help="Send logins also to addresses that only the files declare: use it for reviewed files. Without it,"
            " logins are sent only to addresses that the API server has. Requires -f.",
        ),
    ] = False,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format of the summary.")] = Output.TABLE,
    common: Common,
) -> None:
    """Reconcile once, or continuously for a while, and print a summary.

    With --observe nothing is written, not even a status. With -f it is evaluated as if the files were applied. With -n
    the summary and the exit code cover one namespace, such as that of a pull request. Both require --observe.
    """
    if once is bool(duration):
        raise typer.BadParameter("use --once, or --for with a duration", param_hint="--once")
    if cluster and (common.lease_namespace or duration):
        text = "requires --once and excludes --lease-namespace: other replicas would not know which clusters are theirs"
        raise typer.BadParameter(text, param_hint="--cluster")
    if observe and not once:
        raise typer.BadParameter("requires --once", param_hint="--observe")
    if filename and not observe:
        raise typer.BadParameter("requires --observe: to apply the files, use kubectl", param_hint="--filename")
    if trust_files and not filename:
        raise typer.BadParameter("requires --filename", param_hint="--trust-files")
    if namespace and not observe:
        raise typer.BadParameter("requires --observe: a run reconciles all namespaces", param_hint="--namespace")
    if elasticsearch_login and not observe:
        raise typer.BadParameter(
            "requires --observe: it is for runs that only read", param_hint="--elasticsearch-login"
        )
    limit = _seconds(helptexts.renamed("--patience", patience, "--timeout", timeout, _TIMEOUT), "--timeout")
    options = common.begin(observe=observe, namespace=namespace)
    logins = _logins(elasticsearch_login or [])
    manifests = tuple(read(filename or [], namespace))
    options = replace(options, manifests=manifests, logins=logins, trusts_files=trust_files)
    if once:
        only = cluster or ()
        summary = run_to_end(lambda stop: reconcile_once(options, stop, only=only, within=limit))
    else:
        length = _seconds(duration, "--for")
        summary = run_to_end(lambda stop: reconcile_for(options, stop, length))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    typer.echo(show(summary, output, width), nl=False)
    raise typer.Exit(int(summary.code))


app.command(epilog=helptexts.MAPPING, short_help="Print the role mapping of a SearchCluster.")(mapping)
app.command(epilog=helptexts.LOGIN, short_help="Print the role for a login to Elasticsearch.")(login)
app.command(epilog=helptexts.ADMISSION, short_help="Print ValidatingAdmissionPolicies.")(generate_admission_policy)
app.add_typer(gateway)
app.command(short_help="Print or apply the CustomResourceDefinitions.")(kinds.crds)


def _logins(given: list[str]) -> tuple[ObserverLogin, ...]:
    try:
        return read_logins(given)
    except BadLogin as error:
        raise typer.BadParameter(str(error), param_hint="--elasticsearch-login") from None


def _seconds(text: str, option: str) -> float:
    """Read a duration such as ``50m`` or ``1h30m``."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise typer.BadParameter("write a duration, such as 50m or 1h30m", param_hint=option)
    return seconds(text)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
