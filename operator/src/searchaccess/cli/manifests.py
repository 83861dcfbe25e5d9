"""Manifests on the command line."""

import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from searchaccess.ports.errors import BadManifest

STANDARD_INPUT: Final = Path("-")


def _there(paths: list[Path] | None) -> list[Path] | None:
    for path in paths or ():
        # typer's own check does not accept "-" for a Path (0.29).
        if path != STANDARD_INPUT and not os.access(path, os.R_OK):
            raise typer.BadParameter(f"{path} does not exist or cannot be read")
    return paths


Filenames = typer.Option(
    "--filename",
    "-f",
    callback=_there,
    metavar="FILE|FOLDER|-",
    help="A file of YAML or JSON with one or several documents, a folder of such files at any depth, or - for standard"
    " input. May be repeated.",
)
Files = Annotated[list[Path], Filenames]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Namespace of SearchAccesses in the files that name none; a different one in the files is an error.",
    ),
]

OnlyCluster = Annotated[str, typer.Option("--cluster", metavar="NAME", help="Only this SearchCluster.")]


def read(files: list[Path], namespace: str) -> list[dict[str, Any]]:
    """Read the SearchAccesses and SearchClusters in files; see ``read_manifests``.

    Raises:
        typer.Exit: a file is invalid; the error was printed.
    """
    from searchaccess.operator.observing import read_manifests

    try:
        return read_manifests(files, namespace)
    except BadManifest as error:
        raise failure(error.message) from None


def read_kind(files: list[Path], kind: str, namespace: str = "") -> list[dict[str, Any]]:
    """Read the objects of one kind in files; see ``read``.

    Raises:
        typer.Exit: a file is invalid; the error was printed.
    """
    return [raw for raw in read_all(files, namespace) if raw.get("kind") == kind]


def read_all(files: list[Path], namespace: str = "") -> list[dict[str, Any]]:
    """Read the objects in files, and set up the log; see ``read``.

    Raises:
        typer.Exit: a file is invalid; the error was printed.
    """
    from searchaccess.cli.options.common import configure_logging

    configure_logging(as_json=False, verbose=False)
    return read(files, namespace)


def failure(text: str) -> typer.Exit:
    """Print why a command failed, and return the exception that ends it."""
    typer.echo(f"searchaccess: {text}", err=True)
    return typer.Exit(1)
