"""Shows the versions that work together."""

from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import RenderableType

from searchaccess.adapters.kubernetes.client import KubernetesClient
from searchaccess.api.constants import GROUP, VERSION
from searchaccess.cli.options.connecting import Server
from searchaccess.cli.ownversion import own_version
from searchaccess.cli.printing import Format, emit, progress, table, warn
from searchaccess.core.answers.statuses.versions import clusters_of, operators_of, served_of
from searchaccess.core.model.intake.metadata import text_in
from searchaccess.core.model.intake.reading import objects
from searchaccess.operator.answers.reading import Live, next_step
from searchaccess.ports.errors import NotFound, PermissionDenied
from searchaccess.ports.kubernetes import Plural

_DEPLOYMENTS = "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fname%3Dsearchaccess-operator"


async def show_versions(server: Server, output: Format) -> None:
    """Print the versions that work together.

    Args:
        server: where the API server is.
        output: the format.

    Raises:
        ExternalError: the API server does not answer.
    """
    async with server.open() as live:
        with progress("reading versions"):
            data = await _read(live)
    emit(output, data, lambda: _shown(data))


async def _read(live: Live) -> dict[str, Any]:
    client = live.server
    with next_step():
        kubernetes = await client.call("GET", "/version")
    group = await _if_allowed(lambda: client.call("GET", f"/apis/{GROUP}"))
    deployments = await _if_allowed(lambda: _deployments(client))
    clusters = await _if_allowed(lambda: live.list_raw(Plural.CLUSTERS))
    return {
        "client": own_version(),
        "kubernetes": text_in(kubernetes, "gitVersion") or None,
        "kinds": None if group is None else served_of(group),
        "operators": None if deployments is None else operators_of(deployments),
        "clusters": None if clusters is None else clusters_of(clusters),
    }


async def _deployments(client: KubernetesClient) -> list[dict[str, Any]]:
    with next_step():
        return objects((await client.call("GET", _DEPLOYMENTS)).get("items"))


async def _if_allowed(work: Callable[[], Awaitable[Any]]) -> Any:
    """Return what may be read; None: it may not, which is reported on standard error."""
    try:
        with next_step():
            return await work()
    except (PermissionDenied, NotFound) as error:
        warn(f"not read: {error.message}")
        return None


def _shown(data: dict[str, Any]) -> list[RenderableType]:
    unknown = "not known"
    rows = [["client", data["client"]["version"], f"kinds {VERSION}, Python {data['client']['python']}"]]
    for one in data["operators"] or []:
        place = f"{one['namespace']}/{one['name']}, {one['ready']} of {one['replicas']} ready"
        rows.append(["operator", one["version"] or unknown, f"{place}, {one['image']}"])
    if not data["operators"]:
        text = "no Deployment with the label app.kubernetes.io/name=searchaccess-operator"
        rows.append(["operator", unknown, "" if data["operators"] is None else text])
    kinds = data["kinds"]
    rows.append(
        ["kinds", ", ".join(kinds) if kinds else unknown, "" if kinds else "searchaccess crds --apply installs them"]
    )
    rows.append(["Kubernetes", data["kubernetes"] or unknown, ""])
    for one in data["clusters"] or []:
        license_ = f", license {one['license']}" if one["license"] else ""
        ready = "" if one["ready"] == "True" else f", not ready: {one['reason'] or 'no status yet'}"
        rows.append(["Elasticsearch", one["elasticsearch"] or unknown, f"SearchCluster {one['name']}{license_}{ready}"])
    return [table(["WHAT", "VERSION", "DETAILS"], rows, whole={"WHAT", "VERSION"})]
