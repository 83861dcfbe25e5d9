"""The version of this command. By itself, as it needs no client of Kubernetes, and no table."""

import platform

import typer

from searchaccess import __version__
from searchaccess.api.constants import VERSION
from searchaccess.cli.printing import Format, emit


def own_version() -> dict[str, str]:
    """Return the version of this command, of the kinds that it knows, and of Python."""
    return {"version": __version__, "kinds": VERSION, "python": platform.python_version()}


def show_client(output: Format) -> None:
    """Print the version of this command."""
    own = own_version()
    if output is Format.TABLE:
        typer.echo(f"client {own['version']} (kinds {own['kinds']}, Python {own['python']})")
    else:
        emit(output, {"client": own}, list)
