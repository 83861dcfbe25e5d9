"""Each command line of ours in the documentation is one that the program accepts; none is run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.main import get_command

from searchaccess.cli.main import PROGRAM, app
from tests.support.shellblocks import blocks

ROOT = Path(__file__).parents[4]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""Base class of all usage errors, which typer does not export itself."""
_ENDS: Final = frozenset({";", "&", "&&", "|", "||", "(", ")", "&>", "<", ">", ">>", "2>", ">&"})
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*")
_CALL: Final = re.compile(rf"(?:^|[;|&(]|\bkubectl)\s*(?:[A-Za-z_]\w*=\S+\s+)*{PROGRAM} ")
_EXAMPLE: Final = re.compile(rf"^ +(?P<line>(?:kubectl )?{PROGRAM} .*)$", re.MULTILINE)
"""An example in the help of a command, which the reference has."""
_INLINE: Final = re.compile(rf"`(?P<line>(?:kubectl )?{PROGRAM} [^`]+)`")
ROOT_COMMAND: Any = get_command(app)


def calls_in(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of the program in a script.

    Args:
        script: of a shell, with pipes, redirections, comments and continued lines.
    """
    for line in script.replace("\\\n", " ").splitlines():
        if not _CALL.search(line):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        call: list[str] = []
        for word in [*lexer, ";"]:
            if word not in _ENDS:
                call.append(word)
                continue
            while call and (_ASSIGNMENT.fullmatch(call[0]) or call[0] in {"kubectl", "!", "if", "then", "do"}):
                call.pop(0)
            # The number of a stream that is redirected.
            if word.startswith((">", "<")) and call and call[-1] in {"1", "2"}:
                call.pop()
            if call[:1] == [PROGRAM]:
                yield call[1:]
            call = ["into"] if word.startswith((">", "<")) else []


def parse(args: list[str], *, values: bool = True) -> None:
    """Read arguments as the program does, without checking files, and without running anything.

    Args:
        args: without the name of the program.
        values: whether values are checked, and whether something is missing.

    Raises:
        Exception: a usage error, such as an unknown option.
    """
    command, context = ROOT_COMMAND, ROOT_COMMAND.context_class(ROOT_COMMAND, info_name=PROGRAM)
    while hasattr(command, "commands") and args and not args[0].startswith("-"):
        found = command.get_command(context, args[0])
        assert found is not None, f"no such command: {args[0]}"
        command, context = found, found.context_class(found, info_name=args[0], parent=context)
        args = args[1:]
    if "--help" in args:
        return
    # A sentence may name an option without its value.
    words = list(args) if values else [*args, "value"]
    options, left, _ = command.make_parser(context).parse_args(args=words)
    if not values:
        return
    assert left == [], f"too much: {left}"
    for parameter in command.get_params(context):
        # Files of an example need not exist.
        parameter.callback = None
        given, _ = parameter.consume_value(context, options)
        try:
            parameter.process_value(context, given)
        except _USAGE_ERROR as error:
            if "does not exist" not in str(error):
                raise


def _scripts(page: Path) -> Iterator[str]:
    text = page.read_text()
    yield from (block.text for block in blocks(text))
    if page.name == "cli.md":
        yield from (match["line"] for match in _EXAMPLE.finditer(text.replace("\\\n", " ")))


CALLS = [
    pytest.param(call, id=f"{page.relative_to(ROOT)}: {shlex.join(call)}")
    for page in PAGES
    for script in _scripts(page)
    for call in calls_in(script)
]
INLINE = [
    pytest.param(call, id=f"{page.relative_to(ROOT)}: {shlex.join(call)}")
    for page in PAGES
    for match in _INLINE.finditer(page.read_text())
    for call in calls_in(" ".join(match["line"].split()))
    if call and not call[0].isupper()
]


@pytest.mark.parametrize("call", CALLS)
def test_a_command_line_in_a_block_is_accepted(call: list[str]) -> None:
    parse(call)


@pytest.mark.parametrize("call", INLINE)
def test_a_command_line_in_a_sentence_names_what_there_is(call: list[str]) -> None:
    parse(call, values=False)


def test_calls_are_found_wherever_they_are_in_a_line() -> None:
    script = (
        "A=b searchaccess login -f x | es -d @-\n"
        "kubectl searchaccess plan \\\n  -f 'a b' > plan 2>&1 || true  # searchaccess no\n"
        "echo searchaccess nothing; searchaccess run &"
    )
    assert list(calls_in(script)) == [["login", "-f", "x"], ["plan", "-f", "a b"], ["run"]]


@pytest.mark.parametrize(
    "call",
    [
        ["no-such-command"],
        ["lint", "--no-such-option"],
        ["lint", "-f"],
        ["lint", "-f", "manifests/", "too-much"],
        ["lint", "-f", "manifests/", "-o", "no-such-format"],
        ["who-can", "read"],
    ],
    ids=shlex.join,
)
def test_what_the_program_refuses_is_refused_here(call: list[str]) -> None:
    with pytest.raises((AssertionError, _USAGE_ERROR)):
        parse(call)
