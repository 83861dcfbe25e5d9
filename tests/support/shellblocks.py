"""The shell blocks of a page of the documentation, what each is said to print, and which are not run."""

import re
from dataclasses import dataclass
from textwrap import dedent
from typing import Final

_BLOCK: Final = re.compile(
    r"(?:^ *<!-- not run: (?P<why>[^\n]+) -->\n)?^ *```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """Commands, and what they print.

    Attributes:
        text: the commands.
        output: what is shown as their output; ``…`` stands for anything.
        not_run: why no test runs it; empty if one does.
    """

    text: str
    output: str
    not_run: str


def blocks(page: str) -> list[Block]:
    """Read the shell blocks of a page.

    Args:
        page: its text. Commands are in blocks of ``sh``, and what they print in a block of ``text`` after it, or both
            are in a block of ``console``, where commands begin with ``$``. A comment ``<!-- not run: why -->`` before
            a block marks one that no test runs.
    """
    found: list[Block] = []
    for match in _BLOCK.finditer(page):
        if match["language"] == "sh":
            found.append(Block(dedent(match["text"]).strip(), "", match["why"] or ""))
        elif match["language"] == "console":
            found.append(Block(*_session(dedent(match["text"])), match["why"] or ""))
        elif match["language"] == "text" and found and not found[-1].output:
            found[-1] = Block(found[-1].text, match["text"].strip(), found[-1].not_run)
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
    """Give a regular expression for each line that a block is said to print: columns may be wider than shown."""
    return [_pattern(line) for line in block.output.splitlines() if line.strip("… ")]


def _pattern(line: str) -> str:
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.split("…")]
    return ".*".join(parts)
