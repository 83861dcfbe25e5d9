"""Options about logs, and how they are read."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from searchaccess.cli.manifests import read
from searchaccess.cli.options.merging import taking
from searchaccess.cli.options.reading import span

if TYPE_CHECKING:
    from searchaccess.core.answers.audit.tally import Tally
    from searchaccess.operator.answers.reading import Live

_INDEX: Final = r'[^\s,/?#<>|"\\:-][^\s/?#<>|"\\:]{0,999}'
_PROJECT: Final = r"[a-z][a-z0-9.:-]{1,99}"

Logs = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[LOG]...",
        help="Audit logs of Elasticsearch (JSON, one event a line), also rotated and compressed (.gz), or folders.",
    ),
]
GatewayLogs = Annotated[
    list[Path] | None,
    typer.Option("--gateway-log", metavar="FILE|FOLDER", help="Log of the gateway's pods. May be repeated."),
]
RequestLogs = Annotated[
    list[Path] | None,
    typer.Option(
        "--request-log",
        metavar="FILE|FOLDER",
        help="Cloud Run's request log, as Cloud Logging exports it (LogEntry, one a line): proves by the trace which"
        " revision sent a request. May be repeated.",
    ),
]
Since = Annotated[
    str, typer.Option(metavar="DURATION|TIME", help="Only events since then, such as 24h, 30d or 2026-11-01T00:00:00Z.")
]
Until = Annotated[str, typer.Option(metavar="TIME", help="Only events before then.")]


FromIndex = Annotated[
    str,
    typer.Option(
        "--from-index",
        metavar="PATTERN",
        help="Read the events from this index or data stream of the SearchCluster's Elasticsearch, such as"
        " logs-elasticsearch.audit-*. The login needs read on it.",
    ),
]
FromCloudLogging = Annotated[
    str,
    typer.Option(
        "--from-cloud-logging",
        metavar="PROJECT",
        help="Read the events from Cloud Logging in this Google Cloud project, with your own account"
        " (roles/logging.viewer).",
    ),
]
LogName = Annotated[
    str,
    typer.Option(
        "--log-name", metavar="NAME", help="Only this log of --from-cloud-logging, such as stdout; all by default."
    ),
]
LoggingEndpoint = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_LOGGING_ENDPOINT",
        metavar="HOST",
        help="Host of the Cloud Logging API, such as one of Private Service Connect; Google's by default.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Which logs, and which time; its fields are what the command line shows."""

    log: Logs = None
    gateway_log: GatewayLogs = None
    request_log: RequestLogs = None
    from_index: FromIndex = ""
    from_cloud_logging: FromCloudLogging = ""
    log_name: LogName = ""
    logging_endpoint: LoggingEndpoint = ""
    since: Since = ""
    until: Until = ""

    def tally(self) -> "Tally":
        """Check the options, and return what counts the events of that time.

        Raises:
            typer.BadParameter: an option has no valid value.
        """
        from searchaccess.core.answers.audit.tally import Tally

        if not (self.log or self.gateway_log or self.from_index or self.from_cloud_logging):
            text = "give an audit log, --from-index, --from-cloud-logging, or --gateway-log"
            raise typer.BadParameter(text, param_hint="LOG")
        if self.from_index and not re.fullmatch(_INDEX, self.from_index):
            raise typer.BadParameter("write the names of indices, such as audit-*", param_hint="--from-index")
        if self.from_cloud_logging and not re.fullmatch(_PROJECT, self.from_cloud_logging):
            raise typer.BadParameter("write the id of a project, such as acme-shop", param_hint="--from-cloud-logging")
        if self.log_name and not self.from_cloud_logging:
            raise typer.BadParameter("requires --from-cloud-logging", param_hint="--log-name")
        return Tally(_since(self.since), _time(self.until, "--until") if self.until else None)

    def count(self, tally: "Tally") -> None:
        """Read the logs in files.

        Raises:
            typer.Exit: one cannot be read; the error was printed.
        """
        from searchaccess.adapters.auditlogs.files import find, read_audit, read_gateway, read_requests
        from searchaccess.core.answers.exits import Exit
        from searchaccess.ports.errors import InvalidLog

        try:
            with shown_progress() as shown:
                if self.request_log:
                    read_requests(find(self.request_log), tally, shown("request log"))
                if self.log:
                    read_audit(find(self.log), tally, shown("audit log"))
                if self.gateway_log:
                    read_gateway(find(self.gateway_log), tally, shown("gateway log"))
        except InvalidLog as error:
            typer.echo(f"searchaccess: {error.message}", err=True)
            raise typer.Exit(int(Exit.FAILED)) from None


def takes_logs(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``LogOptions`` to a command, which gets them as its argument ``logs``."""
    return taking(LogOptions, "logs")(command)


async def declared(
    live: "Live | None", files: list[Path], namespace: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read all SearchAccesses and SearchClusters.

    Args:
        live: the API server.
        files: manifests to read in its place; empty: none.
        namespace: of manifests without one; empty: ``default``.

    Raises:
        NoSuchCluster: there is no API server.
        ExternalError: they may not be listed.
    """
    if files:
        manifests = read(files, namespace)
        return (
            [raw for raw in manifests if raw["kind"] == "SearchAccess"],
            [raw for raw in manifests if raw["kind"] == "SearchCluster"],
        )
    from searchaccess.ports.errors import NoSuchCluster
    from searchaccess.ports.kubernetes import Plural

    if live is None or live.kubernetes is None:
        raise NoSuchCluster("with --elasticsearch, nothing is read from Kubernetes: give the SearchAccesses with -f")
    # All namespaces: another one's SearchAccess may explain a principal, too.
    return await live.list_raw(Plural.ACCESSES), await live.list_raw(Plural.CLUSTERS)


@contextmanager
def shown_progress() -> Iterator[Callable[[str], Callable[[int, int | None], None]]]:
    """Show how much was read, on a terminal; yield what starts a bar with a name.

    A bar takes how much was read, and how much there is (None: that is not known).
    """
    import sys

    if not sys.stderr.isatty():
        yield lambda _name: lambda _done, _total: None
        return
    from rich.progress import Progress

    from searchaccess.cli.printing import console

    with Progress(console=console(err=True), transient=True) as bars:

        def started(name: str) -> Callable[[int, int | None], None]:
            task = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield started


def _since(text: str) -> datetime:
    from searchaccess.core.answers.audit.tally import ALWAYS

    if not text:
        return ALWAYS
    if text[:1].isdigit() and "-" not in text:
        try:
            return datetime.now(UTC) - timedelta(seconds=span(text, "--since"))
        except OverflowError:
            return ALWAYS
    return _time(text, "--since")


def _time(text: str, option: str) -> datetime:
    from searchaccess.core.answers.audit.events import instant

    read_at = instant(text)
    if read_at is None:
        what = "write a duration, such as 24h or 30d, or a time with its zone, such as 2026-11-01T00:00:00Z"
        raise typer.BadParameter(what, param_hint=option)
    return read_at
