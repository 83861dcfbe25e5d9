"""Prints ValidatingAdmissionPolicies."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
import yaml

from searchaccess.cli.manifests import read
from searchaccess.cli.options.common import answer, configure_logging
from searchaccess.cli.options.connecting import Server
from searchaccess.core.answers.admission.objects import Generated, generated
from searchaccess.core.policy.guardrails.policy import policy_from_object
from searchaccess.ports.kubernetes import Plural


def print_admission_policies(files: list[Path], server: Server) -> None:
    """Print what the API server can check of SearchAccessPolicies.

    Args:
        files: with the policies; empty: those of the API server are read.
        server: how to reach it.

    Raises:
        typer.Exit: one cannot be read; the reason was printed.
    """
    if files:
        configure_logging(as_json=False, verbose=False)
        found = [raw for raw in read(files, "") if raw["kind"] == "SearchAccessPolicy"]
    else:
        found = answer(lambda: _listed(server))
    results = [generated(policy_from_object(raw)) for raw in found]
    typer.echo("".join(map(_shown, results)), nl=False)
    for line in _lines(results):
        typer.echo(f"searchaccess: {line}", err=True)
    if any(each.problem for each in results):
        raise typer.Exit(1)


async def _listed(server: Server) -> list[dict[str, Any]]:
    async with server.open() as live:
        return await live.list_raw(Plural.POLICIES)


def _shown(one: Generated) -> str:
    comments = [f"# Of SearchAccessPolicy {one.policy}"]
    comments += [f"# only the operator checks {text}" for text in map(_in_one_line, one.left)]
    comments += [f"# nothing, as it cannot be read: {_in_one_line(one.problem)}"] if one.problem else []
    documents = [yaml.safe_dump(raw, sort_keys=False, width=120) for raw in one.objects]
    return "---\n" + "\n".join(comments) + "\n" + "---\n".join(documents)


def _lines(results: Iterable[Generated]) -> Iterable[str]:
    for one in results:
        if one.problem:
            yield f"SearchAccessPolicy {one.policy} cannot be read: {_in_one_line(one.problem)}"
        for text in one.left:
            yield f"SearchAccessPolicy {one.policy}: only the operator checks {_in_one_line(text)}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
