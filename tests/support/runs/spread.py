"""Runs tests without servers on all processors: `python -m tests.support.runs.spread FOLDER… [-- ARGUMENT OF PYTEST…]`.

One process loads pytest, its plugins and the product, and forks for each group of files, as many at a time as there
are processors. So everything is loaded once, each file is collected once, and no report of a test is passed on
(docs/adr/0082).
"""

import argparse
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import pytest

SHARE: Final = 3
"""The next group has this part of what is left for a processor: large ones first, so that all end at about one time."""
SMALLEST: Final = 60
"""No group is a smaller part of all than this, because each starts a pytest."""
COUNTED: Final = ("failed", "error", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings")
WORST: Final = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR,
                pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.OK)  # fmt: skip
"""Exit codes of groups, the one that counts first; without any of them no test was selected."""
_SUMMARY: Final = re.compile(r"^=+ short test summary info =+\n(.*?)^=+ ", re.DOTALL | re.MULTILINE)


@dataclass
class Group:
    """Files that one process tests.

    Attributes:
        files: at least one.
        folder: where the process writes what it prints, and what it found.
    """

    files: Sequence[Path]
    folder: Path
    began: float = field(default_factory=time.monotonic)

    def run(self, arguments: Sequence[str]) -> NoReturn:
        """Test the files in this process, which is a forked one, and end it."""
        code = int(pytest.ExitCode.INTERNAL_ERROR)
        try:
            output = os.open(self.folder / "output", os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            found = Found(self.folder / "found")
            base = f"--basetemp={self.folder / 'tmp'}"
            code = int(pytest.main([base, *arguments, *map(str, self.files)], [found]))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @property
    def output(self) -> str:
        """What pytest printed."""
        file = self.folder / "output"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def found(self) -> dict[str, Any]:
        """What `Found` wrote; empty if the process ended before."""
        file = self.folder / "found"
        return dict(json.loads(file.read_text())) if file.exists() else {}


class Found:
    """A plugin that writes how many tests passed, failed and so on, and how long each took."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Write it."""
        stats, session = terminalreporter.stats, terminalreporter._session
        least = config.getoption("durations_min") or 0
        reports = [report for kept in stats.values() for report in kept if isinstance(report, pytest.TestReport)]
        durations = sorted(
            ((one.duration, one.when, one.nodeid) for one in reports if one.duration >= least), reverse=True
        )
        found = {
            "counts": {name: len(stats.get(name, ())) for name in COUNTED},
            "slowest": durations[: config.getoption("durations") or 0],
            "enough": bool(session and (session.shouldfail or session.shouldstop)),
        }
        self._file.write_text(json.dumps(found))


def grouped(files: Sequence[Path], processors: int) -> Iterator[Sequence[Path]]:
    """Cut files into groups by their size, which says roughly how long they take, in their order."""
    sizes = [file.stat().st_size for file in files]
    left, least = sum(sizes), sum(sizes) / SMALLEST
    start = size = 0
    for end, more in enumerate(sizes, 1):
        size += more
        if size >= max(least, left / (SHARE * processors)) or end == len(files):
            yield files[start:end]
            left, start, size = left - size, end, 0


class Spread:
    """Runs groups side by side and prints each as it ends.

    Args:
        arguments: of each pytest.
        processors: how many groups run at a time.
        folder: for what they write.
    """

    def __init__(self, arguments: Sequence[str], processors: int, folder: Path) -> None:
        self._arguments = arguments
        self._processors = processors
        self._folder = folder
        self._running: dict[int, Group] = {}
        self._counts: Counter[str] = Counter()
        self._codes: set[int] = set()
        self._summaries: list[str] = []
        self._slowest: list[tuple[float, str, str]] = []
        self._enough = False
        self._interrupted = False

    def run(self, files: Sequence[Path]) -> int:
        """Test files; give the exit code, which is as pytest's."""
        began = time.monotonic()
        waiting = list(grouped(files, self._processors))
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, self._interrupt)
        for number, group in enumerate(waiting):
            self._wait(self._processors - 1)
            if self._enough or self._interrupted:
                break
            self._start(number, group)
        self._wait(0)
        if self._interrupted:
            self._codes.add(pytest.ExitCode.INTERRUPTED)
        self._conclude(time.monotonic() - began)
        return int(next((code for code in WORST if code in self._codes), pytest.ExitCode.NO_TESTS_COLLECTED))

    def _start(self, number: int, files: Sequence[Path]) -> None:
        group = Group(files, self._folder / f"{number:02}")
        group.folder.mkdir()
        sys.stdout.flush()
        sys.stderr.flush()
        if pid := os.fork():
            self._running[pid] = group
        else:
            group.run(self._arguments)

    def _wait(self, many: int) -> None:
        """Wait until no more than so many run."""
        while len(self._running) > many:
            pid, status = os.wait()
            if group := self._running.pop(pid, None):
                self._end(group, os.waitstatus_to_exitcode(status))

    def _end(self, group: Group, code: int) -> None:
        files = f"{group.files[0]} to {group.files[-1].name}" if len(group.files) > 1 else str(group.files[0])
        counts = {name: count for name, count in group.found.get("counts", {}).items() if count}
        said = _counted(counts) if group.found else f"the process ended with {code} before pytest did"
        if not group.found:
            counts, code = {"error": 1}, code if code in WORST[:-1] else pytest.ExitCode.INTERNAL_ERROR
            self._summaries.append(f"ERROR {files}: {said}\n")
        if code not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            print(group.output)
        print(f"{said} in {time.monotonic() - group.began:.1f} s: {files}", flush=True)
        self._counts.update(counts)
        self._codes.add(code)
        self._summaries += _SUMMARY.findall(group.output)
        self._slowest += group.found.get("slowest", ())
        self._enough |= group.found.get("enough", False)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Start no more; the second time, end all at once.

        Ctrl-C reaches all processes, and each ends what its test started. SIGTERM reaches this one alone.
        """
        del frame
        for pid in self._running if self._interrupted or number == signal.SIGTERM else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if self._interrupted else signal.SIGINT)
        self._interrupted = True

    def _conclude(self, seconds: float) -> None:
        if self._slowest:
            print("slowest:")
        for duration, when, test in sorted(self._slowest, reverse=True)[:20]:
            print(f"{duration:.2f}s {when:8} {test}")
        if self._summaries:
            print("short test summary info:")
            print("".join(self._summaries), end="")
        print(f"{_counted(self._counts)} in {seconds:.1f} s", flush=True)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in COUNTED if counts.get(name)) or "no tests"


def _load(package: str | None, file: Path) -> None:
    """Load what all groups need: a package with all that is in it, and pytest with the plugins of a file."""
    if package:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    with redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", str(file)])  # Whatever is wrong with it shows when it is tested.
    gc.collect()
    gc.freeze()  # No process goes through what all of them share.


def main(words: Sequence[str]) -> int:
    """Run the command; give its exit code."""
    words, arguments = _divided(words)
    parser = argparse.ArgumentParser(prog="spread")
    parser.add_argument("folders", nargs="+", type=Path, help="tests in them, however deep, are run")
    parser.add_argument("--load", metavar="PACKAGE", help="what is imported once, with all that is in it")
    parser.add_argument("--processors", type=int, default=len(os.sched_getaffinity(0)), help="how many run at a time")
    options = parser.parse_args(words)
    files = [file for folder in options.folders for file in sorted(folder.rglob("test_*.py"))]
    if not files:
        parser.error("there are no tests")
    _load(options.load, files[0])
    own = Path(tempfile.mkdtemp(prefix="spread-"))
    code = Spread(arguments, options.processors, own).run(files)
    if code in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        shutil.rmtree(own)
    else:
        print(f"What the tests wrote is kept in {own}")
    return code


def _divided(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Give what is before and what is behind ``--``."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
