"""How the demo looks: numbered steps with their times, tables, and what kubectl printed."""

import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

INDENT = 4
PLAIN_WIDTH = 120
LEAST_WIDTH = 100


def new_console() -> Console:
    """A terminal with its colors and width; elsewhere plain text, wide enough for tables."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # A mark that cannot be written is no reason to fail.
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        width = max(LEAST_WIDTH, int(os.environ.get("COLUMNS") or PLAIN_WIDTH))
        console = Console(highlight=False, emoji=False, width=width, no_color=True)
    return console


@dataclass(frozen=True)
class Verbatim:
    """Lines that are shown as they are, however long."""

    lines: Sequence[str]


class Page:
    """What one step shows, in order."""

    def __init__(self, progress: Progress | None, width: int | None) -> None:
        self.parts: list[RenderableType | Verbatim] = []
        self._progress = progress
        self._width = width

    def doing(self, text: str) -> None:
        """Say on a terminal what is being waited for."""
        if self._progress:
            self._progress.update(self._progress.task_ids[0], description=text)

    def say(self, text: str, style: str = "") -> None:
        self.parts.append(Text(text, style))

    def gap(self) -> None:
        self.parts.append(Verbatim([""]))

    def show(self, part: RenderableType) -> None:
        self.parts.append(part)

    def kubectl(self, arguments: str, output: str) -> None:
        """Show a command of kubectl and what it printed; on a terminal folded between columns, if it is too wide."""
        self.parts.append(command(f"kubectl {arguments}"))
        lines = output.rstrip().splitlines()
        self.parts.append(Verbatim(fold_columns(lines, self._width) if self._width else lines))


class Screen:
    """The steps on a console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Page]:
        """One step. It appears when it is over, with its time; a terminal shows meanwhile that it is under way."""
        self._steps += 1
        started = time.monotonic()
        terminal = self.console.is_terminal
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        progress = Progress(*columns, console=self.console, transient=True) if terminal else None
        page = Page(progress, self.console.width - INDENT if terminal else None)
        try:
            with progress or nullcontext():
                if progress:
                    progress.add_task(title, total=None)
                yield page
        finally:
            self._print(f"{self._steps:>2}  {title} ", time.monotonic() - started, page)

    def _print(self, title: str, seconds: float, page: Page) -> None:
        taken = f" {seconds:5.1f} s"
        line = Text(title, "bold cyan", no_wrap=True)
        line.append("─" * (self.console.width - len(title) - len(taken)), "dim")
        line.append(taken, "bold")
        self.console.print()
        self.console.print(line)
        for part in page.parts:
            if isinstance(part, Verbatim):
                for text in part.lines:
                    self.console.print(Text(" " * INDENT + text if text else ""), soft_wrap=True)
            else:
                self.console.print(Padding(part, (0, 0, 0, INDENT), expand=False))


def command(text: str) -> Text:
    return Text.assemble(("$ ", "dim"), (text, "bold"))


def new_table(*titles: str) -> Table:
    table = Table(box=None, show_header=bool(titles), pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def fold_columns(lines: Sequence[str], width: int) -> list[str]:
    """Lay out a wide table of kubectl in several blocks, as many columns in each as fit; each block has the names."""
    if not lines or max(map(len, lines)) <= width:
        return list(lines)
    starts = [match.start() for match in re.finditer(r"\S+", lines[0])]
    ends: list[int | None] = [*starts[1:], None]
    columns = [[line[start:end].rstrip() for line in lines] for start, end in zip(starts, ends, strict=True)]
    widths = [max(map(len, column)) + 2 for column in columns]
    key = next((place for place, column in enumerate(columns) if column[0] == "NAME"), 0)
    blocks: list[list[int]] = [[]]
    for place in range(len(columns)):
        if sum(widths[other] for other in [*blocks[-1], place]) > width + 2:
            blocks.append([key])
        blocks[-1].append(place)
    return [
        "".join(columns[place][row].ljust(widths[place]) for place in block).rstrip()
        for block in blocks
        for row in range(len(lines))
    ]
