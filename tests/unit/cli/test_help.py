"""What help, version and completion load and show: all commands, and none of their modules."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_group

from searchaccess.cli.commands.table import TABLE, Entry, Section
from searchaccess.cli.main import app
from searchaccess.cli.program import Commands
from tests.unit.cli.program import environment, refused

HEAVY = ("aiohttp", "elasticsearch", "google", "grpc", "kopf", "kubernetes", "rich", "structlog", "yaml")
AT_MOST = 175
"""Modules of all kinds that the help of the program, its version and a completion of names load; they load 153."""
AT_MOST_OF_COMMANDS = 330
"""The same for the options of one command, for which typer loads pydantic; they load 294."""
COUNTING = """
import atexit, os, sys
def count():
    with open(os.environ["COUNT_IN"], "w") as file:
        print(*(name for name, module in sys.modules.items() if module), file=file)
atexit.register(count)
from searchaccess.cli.main import main
main()
"""


def loaded(home: Path, *arguments: str, **more: str) -> set[str]:
    """Run the program in a process of its own; return the modules that it imported."""
    into = home / "modules"
    code = f"import sys\nsys.argv = ['searchaccess', *{list(arguments)!r}]\n{COUNTING}"
    command = [sys.executable, "-c", code]
    given = environment(home, COUNT_IN=str(into), **more)
    subprocess.run(command, env=given, check=True, capture_output=True, timeout=60)
    return set(into.read_text().split())


def completing(words: str) -> dict[str, str]:
    args = {"_SEARCHACCESS_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": words}
    return args | {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.parametrize(
    ("arguments", "more"), [(("--help",), {}), (("--version",), {}), ((), completing("searchaccess r"))]
)
def test_help_version_and_names_load_no_command(
    tmp_path: Path, arguments: tuple[str, ...], more: dict[str, str]
) -> None:
    modules = loaded(tmp_path, *arguments, **more)
    assert not {name.partition(".")[0] for name in modules} & {*HEAVY, "pydantic"}
    assert not [name for name in modules if name.startswith("searchaccess.cli.commands.") and "table" not in name]
    assert len(modules) < AT_MOST


@pytest.mark.parametrize("name", TABLE)
def test_options_of_a_command_load_no_client(tmp_path: Path, name: str) -> None:
    modules = loaded(tmp_path, **completing(f"searchaccess {name} --"))
    assert f"searchaccess.cli.commands.{TABLE[name].module}" in modules
    assert not {each.partition(".")[0] for each in modules} & set(HEAVY)
    assert len(modules) < AT_MOST_OF_COMMANDS


def test_the_help_has_each_command_once_in_its_section() -> None:
    text = refused("--help", code=0)
    for section in {entry.section for entry in TABLE.values()}:
        block = text.partition(f"\n{section}:\n")[2].partition("\n\n")[0]
        shown = [line.split()[0] for line in block.splitlines() if line.startswith("  ") and line[2] != " "]
        assert shown == [name for name, entry in TABLE.items() if entry.section is section]
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("entry", TABLE.values(), ids=lambda entry: entry.name)
def test_the_table_says_what_a_command_says_of_itself(entry: Entry) -> None:
    assert entry.help.endswith(".")
    assert len(entry.help) <= 60
    command = get_group(app).commands[entry.name]
    assert (command.name, command.short_help) == (entry.name, entry.help)
    assert command.help


def runnable(name: str, command: Any) -> Iterator[str]:
    """Give a command, or the commands of a group, as they are called."""
    if isinstance(command, TyperGroup):
        for sub, each in command.commands.items():
            yield from runnable(f"{name} {sub}", each)
    else:
        yield name


CALLS = [call for name, command in get_group(app).commands.items() for call in runnable(name, command)]


@pytest.mark.parametrize("call", CALLS)
def test_the_help_has_examples(call: str) -> None:
    text = refused(*call.split(), "--help", code=0)
    assert f"searchaccess {call}" in text.partition("Examples:")[2]


def test_a_command_is_imported_once_and_when_it_is_looked_up() -> None:
    asked: list[str] = []

    def asked_for(entry: Entry) -> str:
        asked.append(entry.name)
        return entry.name

    table = {name: Entry(name, name, "Help.", Section.INSPECT) for name in ("one", "two")}
    commands = Commands(table, asked_for)
    assert (list(commands), len(commands), asked) == (["one", "two"], 2, [])
    assert [commands.get("two"), commands["two"], commands.get("three")] == ["two", "two", None]
    assert asked == ["two"]


def test_all_three_names_are_the_same_program(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    said = {}
    for command in (["searchaccess"], ["kubectl-searchaccess"], [sys.executable, "-m", "searchaccess"]):
        found = [str(scripts / command[0]), *command[1:]]
        run = subprocess.run(
            [*found, "--help"], env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=60
        )
        said[command[0]] = run.stdout
    assert said["searchaccess"] == said[sys.executable]
    assert said["kubectl-searchaccess"].startswith("Usage: kubectl searchaccess [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["reconc"], ["reconcile\tReconcile once, or for a while, and report.", ":4"]),
        (["--vers"], ["--version", ":4"]),
        (["reconcile", "--nam"], ["--namespace", ":4"]),
        (["reconcile", "-o", "j"], ["json", ":4"]),
        (["reconcile", "-f", ""], [":0"]),
    ],
    ids=" ".join,
)
def test_kubectl_completes_the_plugin(tmp_path: Path, words: list[str], says: list[str]) -> None:
    command = [str(Path(sys.executable).with_name("kubectl_complete-searchaccess")), *words]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    assert [
        line if "\t" in wanted else line.partition("\t")[0] for line, wanted in zip(lines, says, strict=True)
    ] == says
    assert not done.stderr


@pytest.mark.parametrize("words", ["searchaccess reconc", "searchaccess reconcile --na"])
def test_bash_completes_with_the_script(tmp_path: Path, words: str) -> None:
    script = refused("completion", "bash", code=0)
    typed = words.split()
    calls = f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _searchaccess_completion searchaccess; echo $COMPREPLY"
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["/bin/bash", "-c", f"{script}\n{calls}"],
        env=environment(tmp_path, PATH=path),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip().startswith(typed[-1])
    assert done.stdout.strip() != typed[-1]


def test_each_shell_has_a_script() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_SEARCHACCESS_COMPLETE=complete_" + shell in refused("completion", shell, code=0)
    assert "'powershell' is not one of" in refused("completion", "powershell")
