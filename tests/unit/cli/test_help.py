"""What help, version and completion load and show: all commands, and none of their modules."""

import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_group

from searchaccess.cli.commands.table import TABLE, Entry, Section
from searchaccess.cli.main import app
from searchaccess.cli.program import Commands, _plain
from tests.unit.cli.program import environment, refused

HEAVY = ("aiohttp", "elasticsearch", "google", "grpc", "kopf", "kubernetes", "pydantic", "rich", "structlog", "yaml")
AT_MOST = 175
"""Modules of all kinds that the help of the program, its version and a completion of names load; they load 152."""
AT_MOST_OF_COMMANDS = 210
"""The same for the help and the options of one command; they load 180."""
COUNTING = """
import os, sys
from searchaccess.cli.main import main
for into, (arguments, more) in CASES.items():
    if os.fork() == 0:
        os.environ.update(more)
        sys.argv = ["searchaccess", *arguments]
        try:
            main()
        except SystemExit as ended:
            print(ended.code or 0, *(name for name, module in sys.modules.items() if module), file=open(into, "w"))
        finally:
            os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def completing(words: str) -> dict[str, str]:
    args = {"_SEARCHACCESS_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": words}
    return args | {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}


def runnable(name: str, command: Any) -> Iterator[str]:
    """Yield a command, or the commands of a group, as they are called."""
    if isinstance(command, TyperGroup):
        for sub, each in command.commands.items():
            yield from runnable(f"{name} {sub}", each)
    else:
        yield name


CALLS = [call for name, command in get_group(app).commands.items() for call in runnable(name, command)]
OF_ALL = ["--help", "--version", "completion of names"]
OF_ONE = ["version --client", "completion bash", *(f"{call} --help" for call in CALLS)]
COMPLETIONS = {f"completion of the options of {call}": f"searchaccess {call} --" for call in CALLS}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Run the program in processes of their own, which one process forks; return which modules each imported."""
    folder = tmp_path_factory.mktemp("modules")
    wanted: dict[str, tuple[list[str], dict[str, str]]] = {
        **{case: (case.split(), {}) for case in ("--help", "--version", *OF_ONE)},
        "completion of names": ([], completing("searchaccess r")),
        **{case: ([], completing(words)) for case, words in COMPLETIONS.items()},
    }
    files = {case: folder / str(number) for number, case in enumerate(wanted)}
    cases = {str(files[case]): given for case, given in wanted.items()}
    command = [sys.executable, "-c", f"CASES = {cases!r}\n{COUNTING}"]
    subprocess.run(command, env=environment(folder), check=True, capture_output=True, timeout=600)
    found = {case: file.read_text().split() for case, file in files.items()}
    assert {case: ended for case, (ended, *_) in found.items() if ended != "0"} == {}
    return {case: set(modules) for case, (_, *modules) in found.items()}


def heavy_of(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} & set(HEAVY)


@pytest.mark.parametrize("case", OF_ALL)
def test_help_version_and_names_load_no_command(loaded: dict[str, set[str]], case: str) -> None:
    modules = loaded[case]
    assert not heavy_of(modules)
    assert not [name for name in modules if name.startswith("searchaccess.cli.commands.") and "table" not in name]
    assert len(modules) < AT_MOST


@pytest.mark.parametrize("case", [*OF_ONE, *COMPLETIONS])
def test_help_and_options_of_a_command_load_no_client_and_no_pydantic(loaded: dict[str, set[str]], case: str) -> None:
    modules = loaded[case]
    name = COMPLETIONS.get(case, f"searchaccess {case}").split()[1]
    assert f"searchaccess.cli.commands.{TABLE[name].module}" in modules
    assert not heavy_of(modules)
    assert len(modules) < AT_MOST_OF_COMMANDS


@pytest.mark.parametrize("call", CALLS)
def test_what_is_read_without_pydantic_is_what_typer_reads(call: str) -> None:
    command: Any = get_group(app)
    for word in call.split():
        command = command.commands[word]
    ctx = typer.Context(command)
    plain = 0
    for parameter in command.get_params(ctx):
        _, thoroughly = parameter.process_value.args
        kind = parameter.type_descriptor.annotation
        values = [one.value for one in kind] if isinstance(kind, type) and issubclass(kind, StrEnum) else []
        for value in (None, "", "x", parameter.default, *values, *map(str.upper, values)):
            if _plain(parameter, value)[0]:
                plain += 1
                read, expected = parameter.process_value(ctx, value), thoroughly(ctx, value)
                assert (type(read), read) == (type(expected), expected), (parameter.name, value)
    assert plain


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


@pytest.mark.parametrize("call", CALLS)
def test_the_help_has_examples(call: str) -> None:
    text = refused(*call.split(), "--help", code=0)
    assert f"searchaccess {call}" in text.partition("Examples:")[2]


@pytest.mark.parametrize("call", CALLS)
def test_the_help_has_the_exit_codes(call: str) -> None:
    codes = refused(*call.split(), "--help", code=0).partition("Exit codes:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in codes.splitlines()][:1] == ["0"]
    assert "64  usage error" in codes


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
            [*found, "--help"], env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=600
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
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=600)
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
        timeout=600,
    )
    assert done.stdout.strip().startswith(typed[-1])
    assert done.stdout.strip() != typed[-1]


def test_each_shell_has_a_script() -> None:
    """Tests execute that of bash; those of zsh and fish were executed by hand, with zsh 5.9 and fish 3.6."""
    for shell in ("bash", "zsh", "fish"):
        assert "_SEARCHACCESS_COMPLETE=complete_" + shell in refused("completion", shell, code=0)
    assert "'powershell' is not one of" in refused("completion", "powershell")
