"""Prints answers: tables and trees for people, JSON and YAML for scripts."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_UNBOUNDED: Final = 100_000
"""Columns where nothing has to fit: a file, or another program."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move the cursor, begin a line, change colors, or reverse the direction of a text, and halves of
characters, which cannot be printed. Names and messages may come from anybody; in a terminal, they could pretend to be
another line."""

_WORD: Final = re.compile(r" *[^ ]+")
"""A word, with the spaces before it."""


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
) -> "RenderableType":
    """Return a table without lines; on a terminal, cells that do not fit wrap.

    Args:
        heads: of the columns.
        rows: each has a cell a column.
        styles: of each row, such as ``red``; empty: none.
        whole: heads of columns whose cells do not wrap, as long as the others have room.
    """
    if width() is None:
        # Nothing wraps and nothing has a color. Of tens of thousands of rows, Rich would need hundreds of megabytes.
        return "\n".join(_aligned(heads, rows))
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        made.add_column(head, overflow="fold", no_wrap=head in whole)
    for number, row in enumerate(rows):
        made.add_row(*(Text(plain(cell)) for cell in row), style=styles[number] if styles else None)
    return made


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table in a file."""
    from rich.cells import cell_len

    widths = [cell_len(head) for head in heads]
    for row in rows:
        for at, cell in enumerate(row):
            widths[at] = max(widths[at], *map(cell_len, _lines(cell)))
    for row in (heads, *rows):
        for line in zip_longest(*map(_lines, row), fillvalue=""):
            padded = (text + " " * (wide - cell_len(text)) for text, wide in zip(line, widths, strict=True))
            yield "  ".join(padded).rstrip()


def _lines(cell: object) -> list[str]:
    return plain(cell).expandtabs().split("\n")


def fits(
    heads: Sequence[str], rows: Sequence[Sequence[object]], texts: Collection[str] = (), readable: int = 0
) -> bool:
    """Return whether a table has room on the terminal without line breaks in names.

    Args:
        heads: of the columns.
        rows: each has a cell a column.
        texts: heads of columns that may wrap between words; all others have names, so ``whole`` of ``table``.
        readable: columns of the terminal that each of these texts needs at least, if it is so long.
    """
    columns = width()
    if columns is None or not rows:
        return True
    from rich.cells import cell_len

    shown = [[head, *(plain(row[at]) for row in rows)] for at, head in enumerate(heads)]
    words = (word for column in shown if column[0] in texts for text in column for word in text.split())
    least = max(map(cell_len, words), default=0)
    widest = [max(map(cell_len, column)) for column in shown]
    needed = [
        min(wide, max(least, readable)) if head in texts else wide for head, wide in zip(heads, widest, strict=True)
    ]
    return sum(needed) + 2 * (len(needed) - 1) <= columns


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
        columns: the width, in cells of the terminal: some characters take two, and some none.
        indent: what the further lines begin with.
    """
    from rich.cells import cell_len

    lines, line = list[str](), ""
    # Spaces at the end belong to no word: it would be looked for from each of them.
    for part in _WORD.findall(text.expandtabs().rstrip(" ")):
        if line.strip(" ") and cell_len(line) + cell_len(part) > columns:
            lines.append(line)
            # A line never begins with the spaces at which it breaks.
            line = indent + part.lstrip(" ")
        else:
            line += part
    return [*lines, line] if line else lines


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
            typer.echo(as_json(data))
        case Format.YAML:
            typer.echo(_yaml(data), nl=False)
        case Format.TABLE:
            _print(shown())


def as_json(data: Any) -> str:
    """Return plain data as indented JSON of ASCII characters, for ``emit``."""
    import msgspec

    text = json.dumps(data)
    try:
        # The same text, in a third of the time: the standard library indents without its C code.
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError):
        # It refuses halves of characters, which are valid JSON.
        return json.dumps(data, indent=2)


def _yaml(data: Any) -> str:
    import yaml

    def written(*, unicode: bool) -> str:
        keep: dict[str, Any] = {"sort_keys": False, "allow_unicode": unicode, "width": _UNBOUNDED}
        try:
            # In C, where PyYAML has it: a fifth of the time.
            return str(yaml.dump(data, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), **keep))
        except UnicodeEncodeError:
            # Halves of characters.
            return str(yaml.safe_dump(data, **keep))

    text = written(unicode=True)
    return written(unicode=False) if _CONTROL.search(text) else text


def _print(parts: "Sequence[RenderableType]") -> None:
    screen = console()
    if screen.is_terminal:
        for part in parts:
            if isinstance(part, str):
                for line in fitting(plain(part), screen.width):
                    screen.print(line, soft_wrap=True)
            else:
                screen.print(part, soft_wrap=getattr(part, "no_wrap", None))
        return
    for part in parts:
        for line in _in_a_file(part).splitlines() or [""]:
            typer.echo(line.rstrip())


def _in_a_file(part: "RenderableType") -> str:
    if isinstance(part, str):
        return plain(part).expandtabs()
    import io

    from rich.console import Console

    # Parts of a tree are padded: without it, each line of a file would end with spaces.
    text = io.StringIO()
    file = Console(file=text, width=_UNBOUNDED, color_system=None, markup=False, highlight=False, emoji=False)
    file.print(part)
    return text.getvalue()


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show progress on standard error, if that is a terminal; yield a function that changes the text."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with console(err=True).status(plain(text)) as status:
        yield lambda changed: status.update(plain(changed))


def warn(text: str) -> None:
    """Print one line about something that is left out of the answer, or that the reader should know."""
    typer.echo(f"searchaccess: {' '.join(plain(text).split())}", err=True)
