"""The command ``searchaccess``."""

import json
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess import __version__
from searchaccess.api.durations import DURATION_PATTERN, seconds
from searchaccess.cli import kinds, logins
from searchaccess.cli.common import Common, run_to_end, takes_common
from searchaccess.cli.summaries import Output, table_of
from searchaccess.engine.host import LIST_EVERY
from searchaccess.operator.app import run_operator
from searchaccess.operator.once import reconcile_for, reconcile_once

_LAST_PORT: Final = 65535

app = typer.Typer(
    name="searchaccess",
    help="Keeps declared access of Cloud Run workloads to Elasticsearch indices in force.",
    no_args_is_help=True,
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


@app.command()
@takes_common
def run(
    *,
    listen: Annotated[
        str,
        typer.Option(
            envvar="SEARCHACCESS_LISTEN",
            help="Address for /livez, /readyz and /metrics, such as 0.0.0.0:8080; nothing is served by default.",
        ),
    ] = "",
    list_every: Annotated[
        float,
        typer.Option(min=1.0, help="Seconds between full lists, which notice deletions that left no event."),
    ] = LIST_EVERY,
    common: Common,
) -> None:
    """Run the operator until a signal (SIGTERM, Ctrl-C) stops it."""
    options = common.begin(listen=_address(listen), list_every=list_every)
    run_to_end(lambda stop: run_operator(options, stop))


@app.command()
@takes_common
def reconcile(
    *,
    once: Annotated[bool, typer.Option("--once", help="Reconcile everything once and exit.")] = False,
    duration: Annotated[
        str, typer.Option("--for", help="Reconcile continuously for this long instead, such as 50m, and exit.")
    ] = "",
    cluster: Annotated[
        list[str] | None, typer.Option(help="Reconcile this SearchCluster alone; may be repeated.")
    ] = None,
    patience: Annotated[
        str, typer.Option(help="Longest time for --once; what is not reconciled by then is reported.")
    ] = "10m",
    observe: Annotated[
        bool, typer.Option("--observe", help="Dry run: change nothing, and report what would change. Requires --once.")
    ] = False,
    filename: Annotated[
        list[Path] | None,
        typer.Option(
            "--filename",
            "-f",
            exists=True,
            help="Evaluate as if this file, or all files in this folder, were applied. Requires --observe.",
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format of the summary.")] = Output.TABLE,
    common: Common,
) -> None:
    """Reconcile everything once, or continuously for a while, and print a summary: for jobs.

    Exits with 0 when all is as declared, 2 when something differs and is only observed, 1 when something failed. With
    --observe nothing is written, not even statuses, and 2 means that something would change.
    """
    if once is bool(duration):
        raise typer.BadParameter("use --once, or --for with a duration", param_hint="--once")
    if cluster and (common.lease_namespace or duration):
        text = "requires --once and excludes --lease-namespace: other replicas would not know what is theirs"
        raise typer.BadParameter(text, param_hint="--cluster")
    if observe and not once:
        raise typer.BadParameter("requires --once", param_hint="--observe")
    if filename and not observe:
        raise typer.BadParameter("requires --observe: to apply the files, use kubectl", param_hint="--filename")
    options = common.begin(observe=observe, manifests=tuple(filename or ()))
    if once:
        limit, only = _seconds(patience, "--patience"), cluster or ()
        summary = run_to_end(lambda stop: reconcile_once(options, stop, only=only, patience=limit))
    else:
        length = _seconds(duration, "--for")
        summary = run_to_end(lambda stop: reconcile_for(options, stop, length))
    typer.echo(json.dumps(summary.to_json(), indent=2) if output is Output.JSON else table_of(summary), nl=False)
    raise typer.Exit(int(summary.code))


app.command()(logins.mapping)
app.command()(logins.login)
app.command()(kinds.crds)


def _seconds(text: str, option: str) -> float:
    """Read a duration such as ``50m`` or ``1h30m``."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise typer.BadParameter("write a duration, such as 50m or 1h30m", param_hint=option)
    return seconds(text)


def _address(text: str) -> tuple[str, int] | None:
    """Read an address such as ``0.0.0.0:8080`` or ``[::]:8080``."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _LAST_PORT:
        raise typer.BadParameter("write an address and a port, such as 0.0.0.0:8080", param_hint="--listen")
    return host.strip("[]"), int(port)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
