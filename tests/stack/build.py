"""Running build tools: what is missing is named, what fails shows its output, what takes long shows that it lives."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_TAIL_LINES = 30


class BuildError(RuntimeError):
    """A server could not be built; the message says what to install or what the tool said."""


def require_tool(tool: str, purpose: str) -> str:
    """The path of a build tool, or an error that says what to install and why."""
    if path := shutil.which(tool):
        return path
    raise BuildError(f"{tool} was not found in PATH: {purpose}.")


def require_version(
    command: Sequence[str], pattern: str, minimum: tuple[int, ...], purpose: str, *, cwd: Path | None = None
) -> None:
    """Raise unless the version that a tool prints, found by the pattern's groups, is at least the minimum."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    output = done.stdout + done.stderr
    match = re.search(pattern, output)
    wanted = ".".join(map(str, minimum))
    if match is None:
        raise BuildError(
            f"`{' '.join(command)}` shows no version (need {wanted} or newer: {purpose}): {output.strip()}"
        )
    found = tuple(int(part) for part in match.groups())
    if found < minimum:
        raise BuildError(f"{command[0]} is {'.'.join(map(str, found))}, need {wanted} or newer: {purpose}.")


def run_tool(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run one build step; its output is shown only when it fails."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode == 0:
            return
        output.seek(0)
        tail = "".join(output.readlines()[-_TAIL_LINES:])
    raise BuildError(f"`{' '.join(command[:4])} …` ended with {done.returncode}. Its last lines:\n{tail}")


class BuildDisplay:
    """Steps with elapsed times: a spinner on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        if self._console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            with Progress(*columns, console=self._console, transient=True) as progress:
                progress.add_task(title, total=None)
                yield
        else:
            self._line(f"{title} …")
            yield
        self._line(f"{title}: done in {time.monotonic() - started:.0f} s")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)
