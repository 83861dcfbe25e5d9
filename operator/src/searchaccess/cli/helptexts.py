"""Parts of what ``--help`` shows below the options, and former names of options."""

from typing import Final

import typer

from searchaccess.core.answers.exits import Exit

EXITS: Final = {
    Exit.IN_SYNC: "everything is as declared, or was corrected",
    Exit.FAILED: "something is not as declared, or the run could not start",
    Exit.PENDING: "something differs and is only observed, or would change",
    Exit.USAGE: "usage error; nothing was done",
}
ANSWERS: Final = {
    Exit.IN_SYNC: "yes",
    Exit.FAILED: "it could not be asked, or there is nobody of this name",
    Exit.NO: "no",
    Exit.UNKNOWN: "it depends on what cannot be seen",
    Exit.USAGE: "usage error",
}


def block(title: str, *lines: str) -> str:
    """Return lines that are shown verbatim, below a title."""
    return "\n".join(("\b", f"{title}:", *(f"  {line}" for line in lines)))


def exit_codes(done: str, failed: str) -> str:
    """Return the exit codes of a command that either succeeds or fails.

    Args:
        done: what 0 means.
        failed: what 1 means.
    """
    return block("Exit codes", f" 0  {done}", f" 1  {failed}", "64  usage error; nothing was done")


def epilog(*blocks: str) -> str:
    """Return what is shown below the options: blocks, apart."""
    return "\n\n".join(blocks)


ANSWER_CODES: Final = block("Exit codes", *(f"{code:>2}  {text}" for code, text in ANSWERS.items()))
EXIT_CODES: Final = block("Exit codes", *(f"{code:>2}  {text}" for code, text in EXITS.items()))
PRINTING_EXITS: Final = exit_codes("it was printed", "the files cannot be read, or lack what it needs")
VERB_EXITS: Final = exit_codes(
    "it was done, or asked for with --no-wait or --dry-run",
    "something was refused, or is not done in time",
)


def renamed(old: str, given: str, new: str, value: str, default: str) -> str:
    """Return the value of an option that may be given by its former name, and warn that this name is deprecated.

    Args:
        old: the former name.
        given: its value; empty: it was not given.
        new: the name.
        value: its value.
        default: its default.

    Raises:
        typer.BadParameter: both were given.
    """
    if not given:
        return value
    if value != default:
        raise typer.BadParameter(f"excludes {old}, its former name", param_hint=new)
    typer.echo(f"searchaccess: {old} is deprecated and will be removed after the next release: use {new}", err=True)
    return given
