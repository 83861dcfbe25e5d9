"""Two installations on one Elasticsearch: each says what the other has, whichever came first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.host import Host
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.state import RESTORED, RESTORED_REFILL, Context
from tests.component.common import begin
from tests.support.loop.stage import CLUSTER_KEY, LOGIN_SECRET, OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory.kubernetes import CONTROLLER, MemoryKubernetes, Watch
from tests.support.worlds.world import access, condition_in, grant

OTHER: Final = Operator("other", CONTROLLER)
ABROAD: Final = Operator("default", "uid-of-another-kube-system")
SWEEP: Final = 300.0
NAMES: Final = ("orders", "billing")


def declared(*names: str) -> list[dict[str, Any]]:
    return [access(name, grant(f"{name}-*")) for name in names or NAMES]


@asynccontextmanager
async def installed(stage: Stage, operator: Operator, kubernetes: MemoryKubernetes) -> AsyncIterator[None]:
    """Run another installation on the stage's Elasticsearch."""
    inventory = Inventory()
    inventory.policies.keep(set(), frozenset())
    watch = Watch(inventory)
    kubernetes.watchers.append(watch)
    outbox = Outbox(kubernetes, inventory)
    context = Context(operator, inventory, kubernetes, outbox, stage.clock, stage.google, stage.stores)
    running = asyncio.create_task(Host(context, stage).run())
    stage.spared.add(running)
    try:
        yield
    finally:
        kubernetes.watchers.remove(watch)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def elsewhere(stage: Stage, *objects: dict[str, Any]) -> MemoryKubernetes:
    """Return another Kubernetes cluster with these objects."""
    kubernetes = MemoryKubernetes(stage.faults, stage.clock.now)
    kubernetes.sources[LOGIN_SECRET] = {"username": b"operator", "password": b"secret"}
    for raw in objects:
        kubernetes.create(raw)
    return kubernetes


def others(kubernetes: MemoryKubernetes) -> list[tuple[str, str, int, int]]:
    found = kubernetes.objects[CLUSTER_KEY].get("status", {}).get("others") or []
    return [(one["instance"], one["controller"], one["roles"], one["mappings"]) for one in found]


def message(kubernetes: MemoryKubernetes) -> str:
    return str(condition_in(kubernetes.objects[CLUSTER_KEY], "OthersPresent").get("message", ""))


@on_stage
async def test_each_of_two_kubernetes_clusters_reports_the_other_within_a_sweep(stage: Stage) -> None:
    await begin(stage, *declared())
    assert others(stage.kubernetes) == []
    abroad = elsewhere(stage, search_cluster(), *declared("orders"))
    async with installed(stage, Operator("green", ABROAD.controller), abroad):
        await stage.sleep(SWEEP)
        assert others(abroad) == [(OPERATOR.instance, CONTROLLER, 2, 1)]
        assert others(stage.kubernetes) == [("green", ABROAD.controller, 1, 1)], "the first one says so too"
        assert "instance green" in message(stage.kubernetes)
        assert f"controller {CONTROLLER}" in message(abroad)
    abroad.watchers.clear()


@on_stage
async def test_a_second_instance_beside_the_first_one_is_reported_on_the_searchcluster_of_both(stage: Stage) -> None:
    await begin(stage, *declared())
    before = len(stage.faults.writes)
    async with installed(stage, OTHER, stage.kubernetes):
        await stage.sleep(SWEEP)
        assert set(stage.elasticsearch.mappings_now) == {OPERATOR.mapping_name, OTHER.mapping_name}
        said = []
        for _ in range(20):
            await stage.sleep(SWEEP / 20)
            said.append({one[0] for one in others(stage.kubernetes)})
        assert all(said), "whoever wrote last, it says that there is another"
        assert set().union(*said) == {OPERATOR.instance, OTHER.instance}, "both do"
        written = Counter(call.names[0] for call in stage.faults.writes[before:] if call.method == "replace_status")
        most = 2 * (RESTORED + 2 * SWEEP / RESTORED_REFILL + 10)
        assert max(written.values()) < most, "they do not write against each other all the time"
