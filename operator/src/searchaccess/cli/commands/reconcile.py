"""``searchaccess reconcile``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import EXIT_CODES, block, epilog, renamed
from searchaccess.cli.manifests import Filenames, read
from searchaccess.cli.options.common import Common, read_elasticsearch_logins, run_to_end, takes_common
from searchaccess.cli.options.reading import duration
from searchaccess.cli.printing import Format, width

_TIMEOUT: Final = "10m"
EPILOG: Final = epilog(
    EXIT_CODES,
    block(
        "Examples",
        "# Correct everything once, as a job does:",
        "searchaccess reconcile --once",
        "# What would change, with rights that only read:",
        "searchaccess reconcile --once --observe --elasticsearch-login env:OBSERVER",
        "# What a pull request would change for one team:",
        "searchaccess reconcile --once --observe -n shop -f manifests/",
        "helm template ./chart | searchaccess reconcile --once --observe -f -",
        "# For scripts:",
        "searchaccess reconcile --once --observe -o json | jq .changes",
    ),
)


@takes_common
def command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Reconcile everything once and exit.")] = False,
    length: Annotated[
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
    output: Annotated[Format, typer.Option("--output", "-o", help="Format of the summary.")] = Format.TABLE,
    common: Common,
) -> None:
    """Reconcile once, or continuously for a while, and print a summary.

    With --observe nothing is written, not even a status. With -f it is evaluated as if the files were applied. With -n
    the summary and the exit code cover one namespace, such as that of a pull request. Both require --observe.
    """
    from searchaccess.cli.summaries import show
    from searchaccess.operator.once import reconcile_for, reconcile_once

    if once is bool(length):
        raise typer.BadParameter("use --once, or --for with a duration", param_hint="--once")
    if cluster and (common.lease_namespace or length):
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
    limit = duration(renamed("--patience", patience, "--timeout", timeout, _TIMEOUT), "--timeout")
    options = common.begin(observe=observe, namespace=namespace)
    logins = read_elasticsearch_logins(elasticsearch_login or [])
    manifests = tuple(read(filename or [], namespace))
    options = replace(options, manifests=manifests, logins=logins, trusts_files=trust_files)
    if once:
        only = cluster or ()
        summary = run_to_end(lambda stop: reconcile_once(options, stop, only=only, within=limit))
    else:
        seconds = duration(length, "--for")
        summary = run_to_end(lambda stop: reconcile_for(options, stop, seconds))
    typer.echo(show(summary, output, width()), nl=False)
    raise typer.Exit(int(summary.code))
