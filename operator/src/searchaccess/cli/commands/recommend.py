"""``searchaccess recommend``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from searchaccess.cli.auditing.logs import LogOptions, takes_logs
from searchaccess.cli.auditing.servers import count_all
from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.manifests import Filenames, failure
from searchaccess.cli.options.common import configure_logging
from searchaccess.cli.options.connecting import Reaching, takes_reaching

if TYPE_CHECKING:
    from rich.console import RenderableType

    from searchaccess.core.answers.recommend.advice import Advice, Window

_SHORT: Final = 14.0
"""Days; what is used once a month does not show in less."""


class AdviceFormat(StrEnum):
    """How the advice is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  it was printed",
        " 1  a log, a file or the API server cannot be read, or there is no such SearchAccess",
        " 2  with --exit-code: something is not needed",
        "64  usage error; nothing was done",
    ),
    block(
        "Examples",
        "# What nobody used in the last month:",
        "searchaccess recommend --since 30d /var/log/elasticsearch/*_audit.json.gz",
        "# The same from the index of a shipper:",
        "searchaccess recommend --from-index 'logs-elasticsearch.audit-*' --cluster prod --since 30d",
        "# For one SearchAccess, from files:",
        "searchaccess recommend -f manifests/ --access shop/orders-reader audit.json",
    ),
)


@takes_reaching
@takes_logs
def command(
    *,
    filename: Annotated[list[Path] | None, Filenames] = None,
    access: Annotated[
        list[str] | None, typer.Option(metavar="NAMESPACE/NAME", help="Only this SearchAccess. May be repeated.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 2 if something is not needed; otherwise with 0.")
    ] = False,
    output: Annotated[AdviceFormat, typer.Option("--output", "-o", help="Format of the advice.")] = AdviceFormat.TABLE,
    logs: LogOptions,
    reaching: Reaching,
) -> None:
    """Recommend narrower SearchAccesses: what of each was not used in the time that the logs cover.

    Shows the change of each spec as a diff, with the evidence. It never takes away what was used: where it is not
    certain which grant a request needed, all of them stay. Logs do not show which fields and documents were read.
    """
    from searchaccess.cli.printing import Format, emit, plain
    from searchaccess.core.answers.exits import Exit
    from searchaccess.core.answers.recommend.advice import advise, window_of
    from searchaccess.core.messages import some_of

    configure_logging(as_json=False, verbose=False)
    tally = logs.tally()
    accesses, _ = count_all(reaching, logs, tally, filename or [])
    advice = advise(accesses, tally)
    if missing := sorted(set(access or ()) - {item.path for item in advice}):
        there = some_of(sorted(item.path for item in advice)) or "none"
        raise failure(f"there is no SearchAccess {plain(missing[0])}; there are: {there}")
    found = [item for item in advice if not access or item.path in access]
    window = window_of(tally)
    data = {
        "from": window.first.isoformat() if window.first else None,
        "to": window.last.isoformat() if window.last else None,
        "searchAccesses": [item.data() for item in found],
    }
    emit(Format(output), data, lambda: _shown(found, window))
    unneeded = any(item.removals or item.after is None for item in found)
    raise typer.Exit(int(Exit.PENDING if exit_code and unneeded else Exit.IN_SYNC))


def _shown(found: "list[Advice]", window: "Window") -> "list[RenderableType]":
    from searchaccess.cli.printing import verbatim
    from searchaccess.core.messages import number_of

    parts: list[RenderableType] = []
    for item in found:
        used = "no requests"
        if item.last:
            used = f"{number_of(item.requests, 'request')}, the last {item.last:%Y-%m-%d %H:%M}"
        parts.append(f"{item.path}: {used}")
        parts += [f"  {removal.path} {removal.what}: {removal.why}" for removal in item.removals]
        parts += [f"  {note}" for note in item.notes]
        if item.requests and item.decided and not item.removals and item.after is not None:
            parts.append("  all of it was used")
        if item.diff:
            parts.append(verbatim(item.diff.rstrip()))
        parts.append("")
    if window.first and window.last:
        span = f"{window.days:.1f} days" if window.days >= 1 else f"{24 * window.days:.1f} hours"
        parts.append(f"The logs cover {span}, until {window.last:%Y-%m-%d %H:%M}.")
        if window.days < _SHORT:
            parts.append(
                "What is used less often does not show in them: read a longer time before you remove something."
            )
    else:
        parts.append("The logs have no events of this time.")
    return parts
