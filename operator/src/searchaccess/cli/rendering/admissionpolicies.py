"""Prints ValidatingAdmissionPolicies."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
import yaml

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.cli.manifests import failure, read
from searchaccess.cli.options.common import configure_logging
from searchaccess.core.answers.admission.objects import Generated, generated
from searchaccess.core.policy.guardrails.policy import policy_from_object
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.operator.starting import in_full
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import Plural


def print_admission_policies(files: list[Path], kubeconfig: Path | None, context: str) -> None:
    """Print what the API server can check of SearchAccessPolicies.

    Args:
        files: with the policies; empty: those of the API server are read.
        kubeconfig: how to reach it.
        context: of the kubeconfig.

    Raises:
        typer.Exit: one cannot be read; the reason was printed.
    """
    configure_logging(as_json=False, verbose=False)
    if files:
        found = [raw for raw in read(files, "") if raw["kind"] == "SearchAccessPolicy"]
    else:
        try:
            found = asyncio.run(_listed(KubernetesOptions(kubeconfig, context)))
        except ExternalError as error:
            raise failure(in_full(error)) from None
    results = [generated(policy_from_object(raw)) for raw in found]
    typer.echo("".join(map(_shown, results)), nl=False)
    for line in _lines(results):
        typer.echo(f"searchaccess: {line}", err=True)
    if any(each.problem for each in results):
        raise typer.Exit(1)


async def _listed(options: KubernetesOptions) -> list[dict[str, Any]]:
    client = KubernetesClient(await KubernetesLogin(options).configuration())
    try:
        page = await client.list_page(Plural.POLICIES)
        items = page.items
        while page.following:
            page = await client.list_page(Plural.POLICIES, page.following)
            items += page.items
        return items
    finally:
        await client.close()


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
