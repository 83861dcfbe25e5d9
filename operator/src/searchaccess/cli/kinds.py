"""The command that prints or applies the CustomResourceDefinitions of this version."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
import yaml

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.adapters.kubernetes.kinds import KubernetesKinds
from searchaccess.api.crd import custom_resource_definitions
from searchaccess.cli.common import Kubeconfig, configure_logging
from searchaccess.core.answers.kinds import newer_fields
from searchaccess.core.messages import some_of
from searchaccess.core.model.intake.reading import mapping
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.ports.errors import ExternalError

_SHOWN = 5
"""Number of fields that a message names."""


def crds(
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply them; definitions of a newer version stay unchanged.")
    ] = False,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the CustomResourceDefinitions of this version as YAML, or apply them.

    An installed definition never loses a field: if it has one that this version does not know, it stays unchanged.
    """
    ours = custom_resource_definitions().values()
    if not apply:
        typer.echo(yaml.safe_dump_all(ours, sort_keys=False), nl=False)
        return
    configure_logging(as_json=False, verbose=False)
    try:
        lines = asyncio.run(_apply(ours, KubernetesOptions(kubeconfig)))
    except ExternalError as error:
        typer.echo(f"searchaccess: {error.message}", err=True)
        raise typer.Exit(1) from None
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
