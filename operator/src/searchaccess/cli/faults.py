"""What is said when a command ends by an error that it did not expect: never a traceback (docs/adr/0025)."""

import errno
import os
import sys
import traceback
from contextlib import suppress
from pathlib import PurePath
from typing import Final

import typer

from searchaccess.core.answers.exits import Exit

_FRAMES: Final = 6
"""How many of the innermost frames are named."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""Errors of a file without a name, which is standard output."""


def end_by(error: Exception) -> int:
    """Say in one line why a command ended, and return its exit code.

    The text of the error is never shown: it may quote what was being read, such as a secret.

    Args:
        error: what the command did not expect.
    """
    if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
        _give_up_output()
        message = f"the answer cannot be written: {os.strerror(error.errno or 0)}"
    else:
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        places = ", ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
        message = f"internal error: {type(error).__name__} ({places}); please report this line"
    with suppress(OSError):
        typer.echo(f"searchaccess: {message}", err=True)
    return int(Exit.FAILED)


def _give_up_output() -> None:
    """Drop what is left of standard output: its end would fail again, with a traceback."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
