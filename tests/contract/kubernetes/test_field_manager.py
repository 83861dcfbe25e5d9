"""Everything that the operator writes in Kubernetes says so in `metadata.managedFields`, under one name."""

import json
from collections.abc import AsyncIterator

import pytest

from searchaccess.adapters.kubernetes.client import FIELD_MANAGER, KubernetesClient, load_configuration
from searchaccess.adapters.kubernetes.leases import KubernetesLeases
from searchaccess.api.constants import FINALIZER
from searchaccess.core.status.events import Note
from tests.contract.kubernetes_sides import RealObjects
from tests.stack.kubernetes import KubernetesServers
from tests.support.memory.kubernetes import ref_to
from tests.support.worlds.world import SYSTEM, access, grant


@pytest.fixture
async def objects(installed: KubernetesServers) -> AsyncIterator[RealObjects]:
    side = await RealObjects.connect(installed)
    yield side
    await side.close()


def managers(servers: KubernetesServers, *what: str) -> set[tuple[str, str]]:
    """Return who wrote an object, or objects, and through which subresource."""
    answer = servers.run_kubectl("get", *what, "-o", "json", "--show-managed-fields").stdout
    found = json.loads(answer)
    return {
        (entry["manager"], entry.get("subresource", ""))
        for item in found.get("items", [found])
        for entry in item["metadata"]["managedFields"]
    }


async def test_statuses_finalizers_and_events_have_it(objects: RealObjects, installed: KubernetesServers) -> None:
    raw = objects.create(access("orders", grant("orders-*"), namespace=objects.namespace))
    assert FIELD_MANAGER not in {name for name, _ in managers(installed, "searchaccesses", "-n", objects.namespace)}
    ref = ref_to(raw)
    await objects.port.set_finalizers(ref, [], [FINALIZER])
    await objects.port.replace_status(ref, {"conditions": []})
    await objects.port.create_event(ref, Note(warning=False, reason="DriftDetected", message="it drifted"))
    written = managers(installed, "searchaccess", "orders", "-n", objects.namespace)
    assert {(FIELD_MANAGER, ""), (FIELD_MANAGER, "status")} < written
    assert managers(installed, "events", "-n", objects.namespace) == {(FIELD_MANAGER, "")}


async def test_leases_have_it(installed: KubernetesServers) -> None:
    kubeconfig = installed.service_account_kubeconfig(SYSTEM, "searchaccess-operator")
    client = KubernetesClient(await load_configuration(kubeconfig))
    try:
        leases = KubernetesLeases(client, SYSTEM, "managed")
        lease = await leases.create("prod", "a", 10)
        lease = await leases.write(lease, "b", 10)
        assert managers(installed, "lease", "searchaccess-managed-prod", "-n", SYSTEM) == {(FIELD_MANAGER, "")}
        await leases.delete(lease)
    finally:
        await client.close()
