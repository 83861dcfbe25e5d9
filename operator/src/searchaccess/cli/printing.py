"""Prints answers: tables and trees for people, JSON and YAML for scripts."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_UNBOUNDED: Final = 100_000
"""Columns where nothing has to fit: a file, or another program."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move the cursor, change colors, or reverse the direction of a text, and halves of characters, which
cannot be printed. Names and messages may come from anybody; in a terminal, they could pretend to be another line."""


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="Format of the answer.")]


def plain(text: object) -> str:
    """Return a text without control characters; line breaks and tabs stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def width() -> int | None:
    """Return the width of the terminal, in columns; None: the output is not a terminal, so nothing has to fit."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def console(*, err: bool = False) -> "Console":
    """Return a console with colors only on a terminal (and not with NO_COLOR), which takes texts as they are."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    terminal = stream.isatty()
    return Console(
        file=stream,
        width=shutil.get_terminal_size().columns if terminal else _UNBOUNDED,
        color_system="auto" if terminal else None,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=not terminal,
    )


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    styles: Sequence[str | None] = (),
    whole: Collection[str] = (),
) -> "Table":
    """Return a table without lines; on a terminal, cells that do not fit wrap.

    Args:
        heads: of the columns.
        rows: each has a cell a column.
        styles: of each row, such as ``red``; empty: none.
        whole: heads of columns whose cells do not wrap, as long as the others have room.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        made.add_column(head, overflow="fold", no_wrap=head in whole)
    for number, row in enumerate(rows):
        made.add_row(*(Text(plain(cell)) for cell in row), style=styles[number] if styles else None)
    return made


def fits(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
    """Return whether a table has room on the terminal without line breaks in its cells, which names may not have."""
    columns = width()
    widest = [max(len(head), *(len(plain(row[at])) for row in rows)) for at, head in enumerate(heads)] if rows else []
    return columns is None or sum(widest) + 2 * max(0, len(widest) - 1) <= columns


def blocks(items: Iterable[tuple[str, str]]) -> list[str]:
    """Return what would be rows of a table as titles with indented lines below, for terminals that are too narrow.

    Args:
        items: titles, and what is below each; the same title again is left out.
    """
    lines, before = list[str](), ""
    for given, below in items:
        title = " ".join(given.splitlines())
        lines += [title] if title != before else []
        lines += [f"  {line}" for line in below.splitlines()]
        before = title
    return lines


def fitting(text: str, columns: int) -> Iterator[str]:
    """Yield the lines of a text, those that are too long in several, each indented as the first and a little more.

    Words stay whole, also those that do not fit: nobody could copy a name with a line break in it.
    """
    for line in text.splitlines() or [""]:
        indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
        yield from whole_words(line, columns, indent) or [""]


def whole_words(text: str, columns: int, indent: str) -> list[str]:
    """Return a line in lines of some width that break only at spaces.

    Args:
        text: the line.
        columns: the width.
        indent: what the further lines begin with.
    """
    return wrap(text, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def verbatim(text: str) -> "Text":
    """Return a text whose lines never get line breaks of our own, such as a configuration that is copied."""
    from rich.text import Text

    return Text(plain(text), no_wrap=True, overflow="ignore")


def emit(output: Format, data: Any, shown: "Callable[[], Sequence[RenderableType]]") -> None:
    """Print an answer.

    Args:
        output: the format.
        data: plain data for JSON and YAML: dicts, lists, texts, numbers, booleans and None. Its shape is documented.
        shown: returns what people see: texts, tables and trees, one below the other.
    """
    match output:
        case Format.JSON:
            typer.echo(json.dumps(data, indent=2))
        case Format.YAML:
            typer.echo(_yaml(data), nl=False)
        case Format.TABLE:
            _print(shown())


def _yaml(data: Any) -> str:
    import yaml

    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=_UNBOUNDED)
    if _CONTROL.search(text):
        return yaml.safe_dump(data, sort_keys=False, width=_UNBOUNDED)
    return text


def _print(parts: "Sequence[RenderableType]") -> None:
    import io

    from rich.console import Console

    screen = console()
    if screen.is_terminal:
        for part in parts:
            if isinstance(part, str):
                for line in fitting(plain(part), screen.width):
                    screen.print(line, soft_wrap=True)
            else:
                screen.print(part, soft_wrap=getattr(part, "no_wrap", None))
        return
    # Cells of a table are padded: without it, each line of a file would end with spaces.
    text = io.StringIO()
    file = Console(file=text, width=_UNBOUNDED, color_system=None, markup=False, highlight=False, emoji=False)
    for part in parts:
        file.print(plain(part) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))
    for line in text.getvalue().splitlines():
        typer.echo(line.rstrip())


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show on standard error that something is going on, if that is a terminal; yield what changes the text."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console(err=True).status(plain(text)) as status:
        yield lambda changed: status.update(plain(changed))


def warn(text: str) -> None:
    """Print one line about something that is left out of the answer, or that the reader should know."""
    typer.echo(f"searchaccess: {' '.join(plain(text).split())}", err=True)
