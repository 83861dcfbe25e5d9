"""The program around the commands: loads the one that is called, and has an exit code for usage errors."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from searchaccess.cli.commands.table import TABLE, Entry, Section
from searchaccess.core.answers.exits import Exit

_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""Base class of all usage errors, which typer does not export itself."""
_COMMANDS: Final = "searchaccess.cli.commands"


@contextmanager
def _distinct() -> Iterator[None]:
    """Give usage errors their own exit code (docs/adr/0042): typer's is 2."""
    try:
        yield
    except _USAGE_ERROR as error:
        error.exit_code = int(Exit.USAGE)  # type: ignore[attr-defined]  # read when it is shown
        raise


def _plain(parameter: Any, value: Any) -> tuple[bool, Any]:
    """Return whether a value can be read without pydantic, and what is read: nothing, a text, or one of an enum."""
    kind = parameter.type_descriptor.annotation
    if value is None:
        return not parameter.required, () if parameter.multiple or parameter.nargs == -1 else None
    if kind is str:
        return isinstance(value, str), value
    if isinstance(kind, type) and issubclass(kind, StrEnum) and value in set(kind):
        return True, kind(value)
    return False, value


def _read_plainly(command: Any) -> None:
    """Let values of a command be read without pydantic where that is possible: loading it takes most of the time.

    Nothing is read while a shell waits for a completion, which needs no values.
    """
    all_of = command.get_params

    def get_params(ctx: Any) -> Any:
        parameters = all_of(ctx)
        for parameter in parameters:
            # typer adds the options for help and completion late, and asks for all several times.
            if "process_value" not in vars(parameter):
                parameter.process_value = partial(_value_of, parameter, parameter.process_value)
        return parameters

    command.get_params = get_params


def _value_of(parameter: Any, thoroughly: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    if ctx.resilient_parsing:
        return value
    is_plain, plain = _plain(parameter, value)
    if not is_plain:
        return thoroughly(ctx, value)
    return parameter.callback(ctx, parameter, plain) if parameter.callback else plain


def load(entry: Entry) -> Any:
    """Import a command; return it as typer runs it."""
    module = import_module(f"{_COMMANDS}.{entry.module}")
    if group := getattr(module, "app", None):
        loaded: Any = get_group(group)
        loaded.name, loaded.short_help = entry.name, entry.help
    else:
        # Plain text: lines of examples stay as they are, and logs of pipelines have no frames.
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(entry.name, epilog=module.EPILOG, short_help=entry.help)(module.command)
        loaded = get_command(alone)
    for each in (loaded, *getattr(loaded, "commands", {}).values()):
        _read_plainly(each)
    return loaded


class Commands(MutableMapping[str, Any]):
    """The commands by name. One is imported when it is looked up; names need no import.

    Args:
        table: what there is.
        loaded_by: imports one.
    """

    def __init__(self, table: Mapping[str, Entry], loaded_by: Callable[[Entry], Any] = load) -> None:
        self._table = table
        self._load = loaded_by
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(self._table[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class Program(TyperGroup):
    """All commands.

    Args:
        given: what typer knows of a group, without its commands.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        _read_plainly(self)
        self.commands = Commands(TABLE)
        self._outlined = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - of click
        """List the names as the help has them."""
        return list(TABLE)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; while names are completed, one that has no more than its help."""
        if self._outlined and cmd_name in TABLE:
            return TyperCommand(cmd_name, help=TABLE[cmd_name].help)
        return super().get_command(ctx, cmd_name)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete the name of a command, or an option of the program."""
        self._outlined = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._outlined = False

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - of click
        """Write the commands section by section."""
        width = max(map(len, TABLE))
        for section in Section:
            rows = [(entry.name.ljust(width), entry.help) for entry in TABLE.values() if entry.section is section]
            if rows:
                with formatter.section(section.value):
                    formatter.write_dl(rows)

    def make_context(self, *given: Any, **named: Any) -> Any:
        """Read the options before the command."""
        with _distinct():
            return super().make_context(*given, **named)

    def invoke(self, ctx: Any) -> Any:
        """Read the options of the command, and run it."""
        with _distinct():
            return super().invoke(ctx)
