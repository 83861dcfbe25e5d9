"""``searchaccess audit``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from searchaccess.cli.auditing.logs import LogOptions, takes_logs
from searchaccess.cli.auditing.servers import count_all
from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.manifests import Filenames
from searchaccess.cli.options.common import configure_logging
from searchaccess.cli.options.connecting import Reaching, takes_reaching

if TYPE_CHECKING:
    from searchaccess.core.answers.audit.report import Report
    from searchaccess.core.answers.audit.tally import Tally


class AuditFormat(StrEnum):
    """How the report is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    OCSF = "ocsf"
    HTML = "html"


EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  it was printed",
        " 1  a log, a file or the API server cannot be read",
        " 2  with --exit-code: there are findings",
        "64  usage error; nothing was done",
    ),
    block(
        "Examples",
        "# Who used what in the last day:",
        "searchaccess audit --since 24h /var/log/elasticsearch/*_audit.json",
        "# Who was refused on the orders, with manifests instead of the API server:",
        "searchaccess audit -f manifests/ --index 'orders-*' --denied audit.json.gz",
        "# Behind a gateway, without an audit license:",
        "kubectl logs -n search -l searchaccess.dev/gateway --since=24h > gateway.log",
        "searchaccess audit --gateway-log gateway.log -o html > report.html",
        "# From the index of a shipper, and from Cloud Logging:",
        "searchaccess audit --from-index 'logs-elasticsearch.audit-*' --cluster prod --since 24h",
        "searchaccess audit --from-cloud-logging acme-search --log-name stdout --since 24h",
        "# For a SIEM:",
        "searchaccess audit -o ocsf audit.json > events.jsonl",
    ),
)


@takes_reaching
@takes_logs
def command(
    *,
    filename: Annotated[list[Path] | None, Filenames] = None,
    index: Annotated[str, typer.Option(metavar="PATTERN", help="Only indices that match, such as 'orders-*'.")] = "",
    service: Annotated[
        str, typer.Option(metavar="NAME", help="Only this Cloud Run workload, principal, or SearchAccess (NS/NAME).")
    ] = "",
    denied: Annotated[bool, typer.Option("--denied", help="Only what was refused.")] = False,
    findings: Annotated[bool, typer.Option("--findings", help="Only what no declaration explains.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 2 if there are findings; otherwise with 0.")
    ] = False,
    output: Annotated[
        AuditFormat,
        typer.Option("--output", "-o", help="Format of the report; ocsf: events of OCSF 1.5.0, one a line."),
    ] = AuditFormat.TABLE,
    logs: LogOptions,
    reaching: Reaching,
) -> None:
    """Report who did what on which index, from which Cloud Run revision.

    Joins Elasticsearch's audit log, and the gateway's log, with the SearchAccesses. What no SearchAccess explains comes
    first. A revision is what the caller claims in X-Opaque-Id, unless --request-log proves it.
    """
    from searchaccess.cli.printing import warn
    from searchaccess.core.answers.audit.known import Known, known_access, logins_of
    from searchaccess.core.answers.audit.report import Wanted, report
    from searchaccess.core.answers.exits import Exit

    configure_logging(as_json=False, verbose=False)
    tally = logs.tally()
    _check(index)
    wanted = Wanted(index, service, denied=denied, findings=findings)
    accesses, clusters = count_all(reaching, logs, tally, filename or [], wanted)
    known = Known([known_access(raw) for raw in accesses], logins_of(clusters))
    made = report(tally, known, wanted)
    if not tally.events:
        warn("no event was read: check that auditing is on (docs/audit.md), and what the options leave out")
    _show(made, output, tally)
    raise typer.Exit(int(Exit.PENDING if exit_code and made.counts else Exit.IN_SYNC))


def _check(pattern: str) -> None:
    """Check a pattern of indices: one that cannot be read would match nothing, as if nobody had used them.

    Raises:
        typer.BadParameter: it cannot be read.
    """
    from searchaccess.core.patterns.parsed import PatternError, parse_index_pattern

    if not pattern:
        return
    try:
        parse_index_pattern(pattern)
    except PatternError as error:
        raise typer.BadParameter(str(error), param_hint="--index") from None


def _show(report: "Report", output: AuditFormat, tally: "Tally") -> None:
    from searchaccess import __version__
    from searchaccess.cli.printing import Format, emit, plain

    match output:
        case AuditFormat.OCSF:
            import json

            from searchaccess.core.answers.audit.ocsf import events

            for event in events(report, __version__):
                typer.echo(json.dumps(event))
        case AuditFormat.HTML:
            from searchaccess.cli.auditing.page import page

            typer.echo(plain(page(report, _title(tally))), nl=False)
        case _:
            from searchaccess.cli.auditing.shown import tables

            emit(Format(output), report.data(), lambda: tables(report))


def _title(tally: "Tally") -> str:
    from searchaccess.core.answers.audit.tally import ALWAYS

    since = "" if tally.since == ALWAYS else f" since {tally.since:%Y-%m-%d %H:%M %Z}"
    return f"Elasticsearch access{since}"
