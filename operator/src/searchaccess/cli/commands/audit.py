"""``searchaccess audit``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from searchaccess.cli.common import configure_logging, run_to_end
from searchaccess.cli.connecting import Kubernetes, takes_kubernetes
from searchaccess.cli.helptexts import EXIT_CODES, block
from searchaccess.cli.manifests import Filenames, read
from searchaccess.cli.reading import duration

if TYPE_CHECKING:
    from searchaccess.core.answers.audit.known import Known
    from searchaccess.core.answers.audit.report import Report
    from searchaccess.core.answers.audit.tally import Tally


class AuditFormat(StrEnum):
    """How the report is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    OCSF = "ocsf"
    HTML = "html"


EPILOG: Final = "\n\n".join(
    (
        EXIT_CODES,
        block(
            "Examples",
            "# Who used what in the last day:",
            "searchaccess audit --since 24h /var/log/elasticsearch/*_audit.json",
            "# Who was refused on the orders, with manifests instead of the API server:",
            "searchaccess audit -f manifests/ --index 'orders-*' --denied audit.json.gz",
            "# Behind a gateway, without an audit license:",
            "kubectl logs -n search -l searchaccess.dev/gateway --since=24h > gateway.log",
            "searchaccess audit --gateway-log gateway.log -o html > report.html",
            "# For a SIEM:",
            "searchaccess audit -o ocsf audit.json > events.jsonl",
        ),
    )
)
_Logs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[LOG]...",
        help="Audit logs of Elasticsearch (JSON, one event a line), also rotated and compressed (.gz), or folders.",
    ),
]
_GatewayLogs = Annotated[
    list[Path] | None,
    typer.Option("--gateway-log", metavar="FILE|FOLDER", help="Log of the gateway's pods. May be repeated."),
]
_RequestLogs = Annotated[
    list[Path] | None,
    typer.Option(
        "--request-log",
        metavar="FILE|FOLDER",
        help="Cloud Run's request log, as Cloud Logging exports it (LogEntry, one a line): proves by the trace which"
        " revision sent a request. May be repeated.",
    ),
]


@takes_kubernetes
def command(
    *,
    log: _Logs = None,
    gateway_log: _GatewayLogs = None,
    request_log: _RequestLogs = None,
    filename: Annotated[list[Path] | None, Filenames] = None,
    since: Annotated[
        str, typer.Option(metavar="DURATION|TIME", help="Only events since then, such as 24h or 2026-11-01T00:00:00Z.")
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Only events before then.")] = "",
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
    kubernetes: Kubernetes,
) -> None:
    """Report who did what on which index, from which Cloud Run revision.

    Joins Elasticsearch's audit log, and the gateway's log, with the SearchAccesses. What no SearchAccess explains comes
    first. A revision is what the caller claims in X-Opaque-Id, unless --request-log proves it.
    """
    from searchaccess.adapters.auditlogs.files import find, read_audit, read_gateway, read_requests
    from searchaccess.core.answers.audit.report import Wanted, report
    from searchaccess.core.answers.audit.tally import Tally
    from searchaccess.core.answers.exits import Exit
    from searchaccess.ports.errors import InvalidLog

    if not log and not gateway_log:
        raise typer.BadParameter("give an audit log, or --gateway-log", param_hint="LOG")
    configure_logging(as_json=False, verbose=False)
    tally = Tally(_since(since), _time(until, "--until") if until else None)
    known = run_to_end(lambda _: _known(kubernetes, filename or []))
    try:
        with _progress() as shown:
            read_requests(find(request_log or []), tally, shown("request log"))
            read_audit(find(log or []), tally, shown("audit log"))
            read_gateway(find(gateway_log or []), tally, shown("gateway log"))
    except InvalidLog as error:
        typer.echo(f"searchaccess: {error.message}", err=True)
        raise typer.Exit(int(Exit.FAILED)) from None
    made = report(tally, known, Wanted(index, service, denied=denied, findings=findings))
    _show(made, output, tally)
    raise typer.Exit(int(Exit.PENDING if exit_code and made.counts else Exit.IN_SYNC))


@contextmanager
def _progress() -> Iterator[Callable[[str], Callable[[int, int], None]]]:
    """Show bytes that were read, on a terminal; yield what starts a bar with a name."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _name: lambda _done, _total: None
        return
    from rich.progress import Progress

    from searchaccess.cli.printing import console

    with Progress(console=console(err=True), transient=True) as bars:

        def started(name: str) -> Callable[[int, int], None]:
            task = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield started


def _show(report: "Report", output: AuditFormat, tally: "Tally") -> None:
    from searchaccess import __version__
    from searchaccess.cli.printing import Format, emit

    match output:
        case AuditFormat.OCSF:
            import json

            from searchaccess.core.answers.audit.ocsf import events

            for event in events(report, __version__):
                typer.echo(json.dumps(event, ensure_ascii=False))
        case AuditFormat.HTML:
            from searchaccess.cli.auditing.page import page

            typer.echo(page(report, _title(tally)), nl=False)
        case _:
            from searchaccess.cli.auditing.shown import tables

            emit(Format(output), report.data(), lambda: tables(report))


def _title(tally: "Tally") -> str:
    from searchaccess.core.answers.audit.tally import ALWAYS

    since = "" if tally.since == ALWAYS else f" since {tally.since:%Y-%m-%d %H:%M %Z}"
    return f"Elasticsearch access{since}"


async def _known(kubernetes: Kubernetes, files: list[Path]) -> "Known":
    from searchaccess.core.answers.audit.known import Known, known_access, logins_of

    if files:
        manifests = read(files, kubernetes.namespace)
        accesses = [raw for raw in manifests if raw["kind"] == "SearchAccess"]
        clusters = [raw for raw in manifests if raw["kind"] == "SearchCluster"]
    else:
        from searchaccess.ports.kubernetes import Plural

        async with kubernetes.open() as live:
            # All namespaces: another one's SearchAccess may explain a principal, too.
            accesses = await live.list_raw(Plural.ACCESSES)
            clusters = await live.list_raw(Plural.CLUSTERS)
    return Known([known_access(raw) for raw in accesses], logins_of(clusters))


def _since(text: str) -> datetime:
    from searchaccess.core.answers.audit.tally import ALWAYS

    if not text:
        return ALWAYS
    if text[:1].isdigit() and "-" not in text:
        return datetime.now(UTC) - timedelta(seconds=duration(text, "--since"))
    return _time(text, "--since")


def _time(text: str, option: str) -> datetime:
    from searchaccess.core.answers.audit.events import instant

    read_at = instant(text)
    if read_at is None:
        raise typer.BadParameter("write a duration, such as 24h, or a time with its zone, such as"
                                 " 2026-11-01T00:00:00Z", param_hint=option)  # fmt: skip
    return read_at
