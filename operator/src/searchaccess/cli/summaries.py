"""Formats the summary of a run for people."""

import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.table import Table

from searchaccess.api.conditions.docs import REASON_DOCS, Who
from searchaccess.core.answers.changes import Change
from searchaccess.core.answers.summary import Exit, Line, Summary

_WIDTH: Final = 160
_NARROW: Final = 60
"""Characters of a message in a table; all of it is in the status, in ``-o json``, and of what failed below it."""
_TROUBLES: Final = 10
"""Different failures that are shown in full."""
_NEXT_STEPS: Final = {str(reason): doc.next_step for reason, doc in REASON_DOCS.items() if doc.who is not Who.NOBODY}
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


def _troubles(lines: Sequence[Line]) -> Iterator[str]:
    """Show what failed in full, the same failure of many objects once, and what to do next."""
    troubles: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.code is Exit.FAILED:
            name = f"SearchCluster {line.name}" if line.kind == "SearchCluster" else line.name
            troubles.setdefault((line.reason, line.message), []).append(name)
    for (reason, message), names in list(troubles.items())[:_TROUBLES]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{reason or 'no status yet'} ({names[0]}{more}): {message}".removesuffix(": ")
        if next_step := _NEXT_STEPS.get(reason):
            yield f"  next: {next_step}"
    if len(troubles) > _TROUBLES:
        yield f"{len(troubles) - _TROUBLES} more failures: -o json has all of them."


def table_of(summary: Summary) -> str:
    """Return a table with what failed last, the failures in full, what would change, and a sentence."""
    table = Table(box=None, pad_edge=False)
    changed = "CHANGED" if summary.changes is None else "WOULD CHANGE"
    for head in ("", "KIND", "NAME", "CLUSTER", "REASON", changed, "MESSAGE"):
        table.add_column(head, overflow="ellipsis", no_wrap=True)
    for line in summary.lines:
        short = line.message if len(line.message) <= _NARROW else line.message[: _NARROW - 1] + "…"
        message = "" if line.code is Exit.IN_SYNC else short
        mark = "would" if line.code is Exit.IN_SYNC and summary.would_change(line) else _MARKS[line.code]
        table.add_row(mark, line.kind, line.name, line.cluster, line.reason, "yes" if line.changed else "", message)
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, color_system=None, markup=False, highlight=False)
    if summary.lines:
        console.print(table)
        console.print()
    if troubles := list(_troubles(summary.lines)):
        # Not wrapped here and below: lines of elasticsearch.yml, JSON and the like are to be copied.
        console.print("\n".join(troubles), soft_wrap=True)
        console.print()
    if summary.changes is not None:
        console.print("\n".join(_plan(summary.changes)), soft_wrap=True)
        console.print()
    console.print(summary.count() + ".")
    if summary.faults:
        console.print(f"INTERNAL ERRORS: {summary.faults}. The log has where they happened; please report them.")
    if summary.unfinished:
        console.print(f"NOT FINISHED: {summary.unfinished}.")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
