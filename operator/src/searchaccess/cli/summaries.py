"""Formats the summary of a run for people."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import yaml
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table

from searchaccess.api.conditions.docs import NEXT_STEPS
from searchaccess.cli.printing import Format
from searchaccess.core.answers.audits import Audit
from searchaccess.core.answers.changes import Change
from searchaccess.core.answers.summary import Exit, Line, Summary
from searchaccess.core.messages import some_of

_WIDEST: Final = 100_000
_GAP: Final = 2
"""Cells between two columns."""
_NARROWEST: Final = 20
"""Shortest useful message, in cells."""
_CLUSTER: Final = "CLUSTER"
_NARROW: Final = 60
"""Cells of a message in a table. The full message is in the status, in ``-o json``, and for failures below it."""
_TROUBLES: Final = 10
"""Number of different failures that are shown in full."""
_MARKS: Final = {Exit.IN_SYNC: "ok", Exit.PENDING: "pending", Exit.FAILED: "FAILED"}


Output: TypeAlias = Format
"""How to show it."""


def _plan(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "Nothing would change."
    for change in changes:
        owners = f" for {', '.join(change.owners)}" if change.owners else ""
        yield f"would {change.action} {change.object}{owners} (cluster {change.cluster})"
        for item in change.differences:
            sign = "~" if item.want and item.have else "+" if item.want else "-"
            both = " -> ".join(text for text in (item.have, item.want) if text)
            yield f"  {sign} {item.path}: {both}"


def _troubles(lines: Sequence[Line]) -> Iterator[str]:
    """Show failures in full, the same failure of many objects once, and the next step."""
    troubles: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.code is Exit.FAILED:
            name = f"SearchCluster {line.name}" if line.kind == "SearchCluster" else line.name
            troubles.setdefault((line.reason, line.message), []).append(name)
    for (reason, message), names in list(troubles.items())[:_TROUBLES]:
        yield f"{reason or 'no status yet'} ({some_of(names, 1)}): {message}".removesuffix(": ")
        if next_step := NEXT_STEPS.get(reason):
            yield f"  next: {next_step}"
    if len(troubles) > _TROUBLES:
        yield f"{len(troubles) - _TROUBLES} more failures: -o json shows all of them."


def _audits(audits: Sequence[Audit]) -> Iterator[str]:
    for audit in audits:
        yield f"SearchAccessPolicy {audit.policy} (Audit) would refuse {audit.access} (cluster {audit.cluster})"
        yield from (f"  {reason}" for reason in audit.reasons)


def table_of(summary: Summary, width: int | None = None) -> str:
    """Return a table with failures last, the failures in full, what would change, and a sentence.

    Args:
        summary: of a run.
        width: of the terminal, in cells; None: the output is not a terminal, so nothing has to fit.
    """
    text = io.StringIO()
    # Texts below the table are not wrapped, so that lines of elasticsearch.yml, JSON and so on can be copied.
    console = Console(file=text, width=_WIDEST, color_system=None, markup=False, highlight=False)
    if summary.lines:
        table = Table(box=None, pad_edge=False)
        columns = _fitting(_columns(summary), width)
        for head, _ in columns:
            table.add_column(head, no_wrap=True)
        for row in zip(*(cells for _, cells in columns), strict=True):
            table.add_row(*row)
        console.print(table)
        console.print()
    if troubles := list(_troubles(summary.lines)):
        console.print("\n".join(troubles), soft_wrap=True)
        console.print()
    if summary.changes is not None:
        console.print("\n".join(_plan(summary.changes)), soft_wrap=True)
        console.print()
    if summary.audits:
        console.print("\n".join(_audits(summary.audits)), soft_wrap=True)
        console.print()
    console.print(summary.count() + ".", soft_wrap=True)
    if summary.faults:
        console.print(f"INTERNAL ERRORS: {summary.faults}. See the log for their location, and please report them.")
    if summary.unfinished:
        console.print(f"NOT FINISHED: {summary.unfinished}.", soft_wrap=True)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


Column = tuple[str, list[str]]


def _columns(summary: Summary) -> list[Column]:
    lines = summary.lines
    changed = "CHANGED" if summary.changes is None else "WOULD CHANGE"
    marks = ["would" if _would(summary, line) else _MARKS[line.code] for line in lines]
    messages = ["" if line.code is Exit.IN_SYNC else _cut(" ".join(line.message.split()), _NARROW) for line in lines]
    return [
        ("", marks),
        ("KIND", [line.kind for line in lines]),
        ("NAME", [line.name for line in lines]),
        (_CLUSTER, [line.cluster for line in lines]),
        ("REASON", [line.reason for line in lines]),
        (changed, ["yes" if line.changed else "" for line in lines]),
        ("MESSAGE", messages),
    ]


def _would(summary: Summary, line: Line) -> bool:
    return line.code is Exit.IN_SYNC and summary.would_change(line)


def _fitting(columns: list[Column], width: int | None) -> list[Column]:
    """Return what fits: messages are cut, then dropped, and then SearchClusters; names and reasons stay whole."""
    if width is None:
        return columns
    *others, (head, messages) = columns
    room = width - _size(others) - _GAP
    if room >= _NARROWEST:
        return [*others, (head, [_cut(message, room) for message in messages])]
    return others if _size(others) <= width else [column for column in others if column[0] != _CLUSTER]


def _size(columns: list[Column]) -> int:
    return sum(max(map(cell_len, (head, *cells))) for head, cells in columns) + _GAP * max(0, len(columns) - 1)


def _cut(text: str, most: int) -> str:
    return text if cell_len(text) <= most else f"{set_cell_size(text, most - 1).rstrip()}…"


def show(summary: Summary, output: Output, width: int | None = None) -> str:
    """Return a summary in a format, with a newline at the end; a table fits the width of the terminal."""
    match output:
        case Output.TABLE:
            return table_of(summary, width)
        case Output.JSON:
            return json.dumps(summary.to_json(), indent=2) + "\n"
        case Output.YAML:
            return yaml.safe_dump(summary.to_json(), sort_keys=False, allow_unicode=True)
