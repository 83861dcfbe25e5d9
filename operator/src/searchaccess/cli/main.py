"""The command ``searchaccess``, also as ``kubectl searchaccess``."""

import codecs
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from searchaccess import __version__
from searchaccess.cli.program import Program

PROGRAM: Final = "searchaccess"
PLUGIN: Final = "kubectl-searchaccess"
"""The name by which kubectl finds it: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/"""
_COMPLETE: Final = "_SEARCHACCESS_COMPLETE"
"""Variable by which a shell asks for completions."""
_NO_FILES: Final = ":4"
_FILES: Final = ":0"
"""What a plugin prints last: https://github.com/spf13/cobra/blob/main/site/content/completions/_index.md"""


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keep declared access to Elasticsearch in force."""


def program(*, completes: bool = True) -> typer.Typer:
    """Return the program; no command is imported before it is called.

    Args:
        completes: whether it has typer's options that install completion.
    """
    made = typer.Typer(
        name=PROGRAM,
        cls=Program,
        help="Grants Cloud Run workloads the declared access to Elasticsearch indices, and keeps it in force.",
        epilog="searchaccess COMMAND --help shows the options of a command, with examples.",
        no_args_is_help=True,
        add_completion=completes,
        # Plain text: lines of examples stay as they are, and logs of pipelines have no frames.
        rich_markup_mode=None,
        # Its own may show what variables contain.
        pretty_exceptions_enable=False,
    )
    made.callback()(_root)
    return made


app = program()


def main() -> None:
    """Run the command."""
    if _COMPLETE in os.environ:
        # typer would import all of rich only to remove its markup, and no text has any.
        cast("dict[str, Any]", sys.modules)["rich"] = None
    _print_utf8()
    try:
        if Path(sys.argv[0]).stem == PLUGIN:
            program(completes=False)(prog_name="kubectl searchaccess", complete_var=_COMPLETE)
        else:
            app(prog_name=PROGRAM, complete_var=_COMPLETE)
    except Exception as error:  # noqa: BLE001 - the barrier between a fault and whoever called the command
        from searchaccess.cli.faults import end_by

        sys.exit(end_by(error))


def _print_utf8() -> None:
    """Print UTF-8 whatever the locale is, as kubectl does: names of any language may be in an answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(encoding="utf-8", errors=stream.errors)


def complete_plugin() -> None:
    """Complete ``kubectl searchaccess``: the arguments are its words, and the last one is completed."""
    import contextlib
    import io
    import shlex

    *words, last = [PROGRAM, *(sys.argv[1:] or [""])]
    line = f"{shlex.join(words)} {shlex.quote(last) if last else ''}"
    os.environ |= {_COMPLETE: "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": line}
    sys.argv[0] = PROGRAM
    found = io.StringIO()
    with contextlib.redirect_stdout(found), contextlib.suppress(SystemExit):
        main()
    text = found.getvalue().strip()
    typer.echo("\n".join([*([text] if text else []), _NO_FILES if text else _FILES]))


if __name__ == "__main__":
    main()
