"""State in, state out: a SearchAccess that is deleted and stays for a while is not Ready."""

from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.ports.errors import Unreachable
from tests.component.credentials.common import STORES, with_key
from tests.support.loop.stage import Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.worlds.world import access, condition_in, grant

MINE = "example.com/mine"
KINDS = {
    "token": access("orders", grant("orders-*")),
    "key": with_key(),
    "observed": access("orders", grant("orders-*"), mode="Observe"),
}


async def begin(stage: Stage, raw: dict[str, Any]) -> None:
    cluster = search_cluster(secretStores=STORES, orphans={"allowed": True})
    stage.apply(cluster, raw | {"metadata": raw["metadata"] | {"finalizers": [MINE]}})
    await stage.quiet()


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in KINDS.items()])
def test_one_that_waits_for_a_foreign_finalizer_says_so(raw: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, raw)
        stage.delete("orders")
        await stage.quiet()
        assert stage.get("orders")["metadata"]["finalizers"] == [MINE]
        assert stage.ready("orders") == ("False", "Deleted")
        message = condition_in(stage.get("orders"), "Ready")["message"]
        assert MINE in message
        assert "elasticsearch" not in stage.get("orders")["status"]
        assert "credential" not in stage.get("orders")["status"]
        await stage.restart()
        await stage.quiet()
        assert stage.ready("orders") == ("False", "Deleted")
        assert await stage.reconcile_all() == []
        stage.kubernetes.change(access_key("orders"), lambda item: item["metadata"].update(finalizers=[]))
        await stage.quiet()
        assert not stage.get("orders")

    play()


@on_stage
async def test_rights_that_stay_are_not_said_to_be_gone(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), deletionPolicy="Orphan"))
    stage.delete("orders")
    await stage.quiet()
    assert "its rights stay" in condition_in(stage.get("orders"), "Ready")["message"]


@on_stage
async def test_one_that_waits_for_us_is_not_ready(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.fail(memory_elasticsearch.SIDE, Unreachable("away"))
    stage.delete("orders")
    await stage.sleep(5)
    assert FINALIZER in stage.get("orders")["metadata"]["finalizers"]
    assert stage.ready("orders")[0] != "True"
    stage.faults.heal(memory_elasticsearch.SIDE)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "Deleted")
