"""Shows what a run found, for people."""

import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.table import Table

from searchaccess.core.rehearsal import Change
from searchaccess.core.summary import Exit, Summary

_WIDTH: Final = 160
_NARROW: Final = 60
"""Characters of a message in a table; all of it is in the status, and in ``-o json``."""
_MARKS: Final = {Exit.IN_SYNC: "ok", Exit.PENDING: "pending", Exit.FAILED: "FAILED"}


class Output(StrEnum):
    """How to show it."""

    TABLE = "table"
    JSON = "json"


def _plan(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "Nothing would be changed."
    for change in changes:
        owners = f" for {', '.join(change.owners)}" if change.owners else ""
        yield f"would {change.action} {change.object}{owners} (cluster {change.cluster})"
        for item in change.differences:
            sign = "~" if item.want and item.have else "+" if item.want else "-"
            both = " -> ".join(text for text in (item.have, item.want) if text)
            yield f"  {sign} {item.path}: {both}"


def table_of(summary: Summary) -> str:
    """Give a table, what went wrong last, what would be changed, and a sentence."""
    table = Table(box=None, pad_edge=False)
    for head in ("", "KIND", "NAME", "CLUSTER", "REASON", "CHANGED", "MESSAGE"):
        table.add_column(head, overflow="ellipsis", no_wrap=True)
    for line in summary.lines:
        short = line.message if len(line.message) <= _NARROW else line.message[: _NARROW - 1] + "…"
        message = "" if line.code is Exit.IN_SYNC else short
        changed = "yes" if line.changed else ""
        table.add_row(_MARKS[line.code], line.kind, line.name, line.cluster, line.reason, changed, message)
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, color_system=None, markup=False, highlight=False)
    if summary.lines:
        console.print(table)
        console.print()
    if summary.changes is not None:
        console.print("\n".join(_plan(summary.changes)))
        console.print()
    console.print(summary.count() + ".")
    if summary.unfinished:
        console.print(f"NOT FINISHED: {summary.unfinished}.")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
