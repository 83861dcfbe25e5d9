"""Prints or applies the CustomResourceDefinitions of this version."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer
import yaml

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.kinds import KubernetesKinds
from searchaccess.api.crd import custom_resource_definitions
from searchaccess.cli.manifests import failure
from searchaccess.cli.options.common import configure_logging
from searchaccess.core.answers.kinds import newer_fields
from searchaccess.core.messages import some_of
from searchaccess.core.model.intake.reading import mapping
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.ports.errors import ExternalError

_SHOWN = 5
"""Number of fields that a message names."""


def print_crds() -> None:
    """Print the CustomResourceDefinitions as YAML."""
    typer.echo(yaml.safe_dump_all(custom_resource_definitions().values(), sort_keys=False), nl=False)


def apply_crds(kubeconfig: Path | None, context: str) -> None:
    """Apply the CustomResourceDefinitions, and print what became of each.

    Raises:
        typer.Exit: the API server refuses; the reason was printed.
    """
    ours = custom_resource_definitions().values()
    configure_logging(as_json=False, verbose=False)
    try:
        lines = asyncio.run(_apply(ours, KubernetesOptions(kubeconfig, context)))
    except ExternalError as error:
        raise failure(error.message) from None
    for line in lines:
        typer.echo(line)


async def _apply(ours: Iterable[dict[str, Any]], options: KubernetesOptions) -> list[str]:
    client = KubernetesClient(await KubernetesLogin(options).configuration())
    try:
        kinds = KubernetesKinds(client)
        return [await _bring_up_to_date(kinds, crd) for crd in ours]
    finally:
        await client.close()


async def _bring_up_to_date(kinds: KubernetesKinds, crd: Mapping[str, Any]) -> str:
    name = str(crd["metadata"]["name"])
    installed = await kinds.find(name)
    if installed is not None and (newer := newer_fields(installed, crd)):
        return f"{name}: kept, because it is of a newer version: this one does not know {some_of(newer, _SHOWN)}"
    after = await kinds.apply(crd)
    return f"{name}: {'unchanged' if _generation(after) == _generation(installed) else 'applied'}"


def _generation(crd: Mapping[str, Any] | None) -> object:
    return mapping((crd or {}).get("metadata")).get("generation")
