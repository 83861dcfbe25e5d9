"""``searchaccess findings``."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from searchaccess.cli.auditing.logs import GatewayLogs, LogOptions, Since, Until
from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.manifests import Filenames
from searchaccess.cli.options.common import answer, configure_logging
from searchaccess.cli.options.connecting import Kubernetes, nothing_in, takes_kubernetes

if TYPE_CHECKING:
    from searchaccess.core.answers.exits import Exit
    from searchaccess.core.answers.findings.lifecycle import Result


class FindingsFormat(StrEnum):
    """How findings are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"
    OPENREPORTS = "openreports"
    POLICYREPORT = "policyreport"
    OCSF = "ocsf"


class FailOn(StrEnum):
    """From which severity on an open finding counts."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEVER = "never"


EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  no open finding is as severe as --fail-on says",
        " 1  something could not be read: objects, a log, the baseline, or the suppressions",
        " 3  there are such findings",
        " 4  there are none, but something may not be read",
        "64  usage error; nothing was done",
    ),
    block(
        "Examples",
        "searchaccess findings -A",
        "# What changed since the last run, with decisions that were reviewed:",
        "searchaccess findings -A --baseline last.json --suppressions suppressions.yaml -o json > now.json",
        "# Also what nobody used, and callers whom nobody declared:",
        "searchaccess findings -A --since 30d --events /var/log/elasticsearch/",
        "# As objects in Kubernetes, for dashboards of policies:",
        "searchaccess findings -A -o openreports | kubectl apply --server-side -f -",
        "# For code scanning, from files:",
        "kubectl get searchaccesses,searchclusters -A -o yaml > all.yaml",
        "searchaccess findings -A -f all.yaml -o sarif --fail-on never > findings.sarif",
    ),
)


@takes_kubernetes
def command(
    *,
    filename: Annotated[list[Path] | None, Filenames] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER", help="Elasticsearch's audit log, also rotated and compressed. May be repeated."
        ),
    ] = None,
    gateway_log: GatewayLogs = None,
    since: Since = "",
    until: Until = "",
    suppressions: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Decisions that findings stay: a list (YAML) with id, reason, by, until, and content if wanted.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Result of an earlier run (-o json): says what is new, fixed or reopened.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="From which severity on an open finding ends the command with 3.")
    ] = FailOn.HIGH,
    output: Annotated[
        FindingsFormat,
        typer.Option("--output", "-o", help="Format; ocsf: events of OCSF 1.5.0, one a line."),
    ] = FindingsFormat.TABLE,
    kubernetes: Kubernetes,
) -> None:
    """Track what needs attention until it is fixed: drift, rights that others give, refused and ended access.

    Reads the statuses of SearchAccesses and SearchClusters and, with --events, audit logs. A finding has the same id in
    each run. It is open, suppressed until a time, or fixed. With -f, objects of the files are read, as kubectl get -o
    yaml prints them; add -A or -n if they are all that there are.
    """
    from searchaccess.cli.auditing.servers import nothing_declared
    from searchaccess.cli.findings.reading import followed, objects_of
    from searchaccess.cli.printing import warn
    from searchaccess.core.answers.findings.kinds import Severity

    kubernetes.check()
    configure_logging(as_json=False, verbose=False)
    logs = None
    if events or gateway_log:
        logs = LogOptions(log=events, gateway_log=gateway_log, since=since, until=until)
        logs.tally()
    elif since or until:
        raise typer.BadParameter("requires --events or --gateway-log", param_hint="--since")
    objects = answer(lambda: objects_of(kubernetes, filename or [], everywhere=logs is not None))
    for gap in objects.gaps:
        warn(f"not read: {gap}")
    if objects.namespace and not objects.accesses and not filename:
        warn(nothing_in(objects.namespace))
    elif logs and not objects.accesses:
        warn(nothing_declared("", in_files=bool(filename)))
    result = followed(objects, logs, baseline, suppressions)
    code = result.code(None if fail_on is FailOn.NEVER else Severity(fail_on.value))
    _show(result, output, code)
    raise typer.Exit(int(code))


def _show(result: "Result", output: FindingsFormat, code: "Exit") -> None:
    from searchaccess import __version__
    from searchaccess.cli import printing

    match output:
        case FindingsFormat.OCSF:
            from searchaccess.core.answers.findings.formats.ocsf import events

            for event in events(result, __version__):
                typer.echo(json.dumps(event))
        case FindingsFormat.SARIF:
            from searchaccess.cli.findings.sarif import to_sarif

            typer.echo(json.dumps(to_sarif(result), indent=2))
        case FindingsFormat.OPENREPORTS | FindingsFormat.POLICYREPORT:
            from searchaccess.core.answers.findings.formats.reports import OPENREPORTS, POLICYREPORTS, reports

            kinds = OPENREPORTS if output is FindingsFormat.OPENREPORTS else POLICYREPORTS
            printing.emit(printing.Format.YAML, reports(result, kinds), list)
        case FindingsFormat.JSON | FindingsFormat.YAML:
            printing.emit(printing.Format(output.value), result.data(code), list)
        case FindingsFormat.TABLE:
            from searchaccess.cli.findings.shown import lines_of
            from searchaccess.cli.plans.text import print_lines

            print_lines(lines_of(result))
