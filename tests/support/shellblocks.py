"""The shell blocks of a page of the documentation, what each is said to print, and which are not run."""

import re
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Final

_BLOCK: Final = re.compile(
    r"(?P<marks>(?:^ *<!-- [\w ]+: [^\n]+ -->\n)*)^ *```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
_MARK: Final = re.compile(r"<!-- (?P<name>[\w ]+): (?P<value>[^\n]+) -->")
_MARKS: Final = frozenset({"not run", "exit code", "as", "file"})
_VARYING: Final = (
    (re.compile(r"\d{4}\\-\d\d\\-\d\d(?:T|\\s\+)\d\d:\d\d(?::\d\d)?Z?"), r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?"),
    (re.compile(r"(?<=\\s\+)\d+[smhd](?=\\s\+|$)"), r"(<invalid>|\d+[smhd](\d+[smh])?)"),
    (re.compile(r"[0-9a-f]{8}(?:\\-[0-9a-f]{4}){3}\\-[0-9a-f]{12}"), r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
)
"""What differs from run to run: times, ages in a column, and uids."""


@dataclass(frozen=True)
class Block:
    """Commands, and what they print.

    Attributes:
        text: the commands.
        output: what is shown as their output; ``…`` stands for anything.
        not_run: why no test runs it; empty if one does.
        exit_code: with which the commands end.
        user: of Kubernetes, who runs them; empty: the administrator.
    """

    text: str
    output: str
    not_run: str
    exit_code: int = 0
    user: str = ""


@dataclass(frozen=True)
class File:
    """A block of a page that readers save.

    Attributes:
        name: of the file.
        text: its content.
    """

    name: str
    text: str


def blocks(page: str) -> list[Block]:
    """Read the shell blocks of a page; as `parts`, without files."""
    return [part for part in parts(page) if isinstance(part, Block)]


def parts(page: str) -> list[Block | File]:
    """Read what a reader of a page does, in its order.

    Args:
        page: its text. Commands are in blocks of ``sh``, and what they print in a block of ``text`` after it, or both
            are in a block of ``console``, where commands begin with ``$``. Comments in the lines before a block say
            more: ``<!-- not run: why -->``, ``<!-- exit code: 2 -->``, ``<!-- as: jane@example.com -->``, and before a
            block in another language ``<!-- file: name.yaml -->``.

    Raises:
        ValueError: a comment in the line before a block is none of these.
    """
    found: list[Block | File] = []
    for match in _BLOCK.finditer(page):
        marks = {mark["name"]: mark["value"] for mark in _MARK.finditer(match["marks"])}
        if unknown := marks.keys() - _MARKS:
            raise ValueError(f"no such mark of a block: {', '.join(sorted(unknown))}")
        not_run, exit_code, user = marks.get("not run", ""), int(marks.get("exit code", "0")), marks.get("as", "")
        if "file" in marks:
            found.append(File(marks["file"], dedent(match["text"])))
        elif match["language"] == "sh":
            found.append(Block(dedent(match["text"]).strip(), "", not_run, exit_code, user))
        elif match["language"] == "console":
            commands, output = _session(dedent(match["text"]))
            found.append(Block(commands, output, not_run, exit_code, user))
        elif match["language"] == "text" and found and isinstance(last := found[-1], Block) and not last.output:
            found[-1] = replace(last, output=dedent(match["text"]).strip())
    return found


def _session(text: str) -> tuple[str, str]:
    commands, output = [], []
    continued = False
    for line in text.splitlines():
        if continued or line.startswith("$ "):
            commands.append(line if continued else line.removeprefix("$ "))
            continued = line.endswith("\\")
        else:
            output.append(line)
    return "\n".join(commands), "\n".join(output)


def expected(block: Block) -> list[str]:
    """Return a regular expression for each line that a block is said to print.

    Columns may be wider than shown. Times, ages and uids may be others.
    """
    return [_pattern(line) for line in block.output.splitlines() if line.strip("… ")]


def missing(block: Block, output: str) -> str:
    """Return the first line that a block is said to print and did not, as a pattern; empty if all are there, in order.

    Args:
        block: the block.
        output: what it printed.
    """
    at = 0
    for line in expected(block):
        found = re.compile(line, re.MULTILINE).search(output, at)
        if not found:
            return line
        at = found.end()
    return ""


def _pattern(line: str) -> str:
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("…")]
    pattern = ".*".join(parts)
    for shown, any_of_them in _VARYING:
        pattern = any_of_them.join(shown.split(pattern))
    return pattern
