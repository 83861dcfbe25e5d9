"""The reference of the command line, from the help of the commands."""

from collections.abc import Iterator
from typing import Any, Final

from typer.core import TyperGroup
from typer.main import get_group

from searchaccess.cli.commands.table import TABLE, Section
from searchaccess.cli.main import PROGRAM, app
from searchaccess.cli.pages.markdown import page, table

_WIDTH: Final = 100


def cli_page() -> str:
    """Return the reference of all commands."""
    commands = get_group(app).commands
    lines: list[str] = []
    for section in Section:
        entries = [entry for entry in TABLE.values() if entry.section is section]
        if not entries:
            continue
        lines += [f"## {section}"]
        lines += table(
            ["Command", "Content"], [[f"[`{one.name}`](#searchaccess-{one.name})", one.help] for one in entries]
        )
        for entry in entries:
            for name, command in _calls(entry.name, commands[entry.name]):
                lines += [f"### searchaccess {name}", f"```text\n{_help(name, command)}\n```"]
    return page(
        "Command line",
        "What `searchaccess COMMAND --help` prints. With the package, `kubectl searchaccess COMMAND` is the same. "
        "`searchaccess completion SHELL` prints the script that completes commands and options in bash, zsh or fish.",
        "Every command ends with exit code 0 if it did what was asked, 1 if it could not, and 64 if the command line "
        "is wrong and nothing was done. A command with further codes names them. A message says what to do next, and "
        "never has a secret.",
        *lines,
    )


def _calls(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield a command, and those in it if it is a group."""
    yield name, command
    if isinstance(command, TyperGroup):
        for sub, each in command.commands.items():
            yield from _calls(f"{name} {sub}", each)


def _help(name: str, command: Any) -> str:
    context = command.context_class(
        command, info_name=f"{PROGRAM} {name}", terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    return "\n".join(line.rstrip() for line in context.get_help().splitlines())
