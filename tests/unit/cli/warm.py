"""The program in a process of its own that has loaded it already: nine tenths of a short run are its imports.

A server that loaded it once forks for each run. Nothing of one run is left for the next one.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import searchaccess.cli.summaries
import searchaccess.core.answers.logins
import searchaccess.operator.once  # noqa: F401 - what commands import when they run
from searchaccess.cli.main import main
from searchaccess.engine.pacing import backoff

_FORKING: Final = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__])


def start(
    arguments: Sequence[str], environment: dict[str, str], files: Sequence[Path], spreading: float | None = None
) -> BaseProcess:
    """Start the program; its exit code is that of the process.

    Args:
        arguments: its command line.
        environment: its whole environment.
        files: its standard input, output and error.
        spreading: seconds that a right may take to spread; None: as many as it takes itself.
    """
    process = _FORKING.Process(target=_run, args=(tuple(arguments), environment, tuple(files), spreading))
    process.start()
    return process


def _run(arguments: Sequence[str], environment: dict[str, str], files: Sequence[Path], spreading: float | None) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(files):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND if number else os.O_RDONLY), number)
    # multiprocessing closed it.
    sys.stdin = os.fdopen(0)
    sys.argv = ["searchaccess", *arguments]
    if spreading is not None:
        backoff.SPREADING = spreading  # type: ignore[misc]
    main()
