"""The program around the commands: its exit code for usage errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from typer.core import TyperGroup

from searchaccess.core.answers.summary import Exit

_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""Base class of all usage errors, which typer does not export itself."""


@contextmanager
def _distinct() -> Iterator[None]:
    """Give usage errors their own exit code (docs/adr/0042): typer's is 2."""
    try:
        yield
    except _USAGE_ERROR as error:
        error.exit_code = int(Exit.USAGE)  # type: ignore[attr-defined]  # read when it is shown
        raise


class Program(TyperGroup):
    """All commands."""

    def make_context(self, *given: Any, **named: Any) -> Any:
        """Read the options before the command."""
        with _distinct():
            return super().make_context(*given, **named)

    def invoke(self, ctx: Any) -> Any:
        """Read the options of the command, and run it."""
        with _distinct():
            return super().invoke(ctx)
