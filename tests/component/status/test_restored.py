"""Objects that a backup brought back with their statuses: these are about earlier objects of the same names."""

import asyncio
from collections.abc import Callable
from typing import Any

from searchaccess.core.rights.ownership import Operator
from tests.component.common import FOREIGN, FORMER, ROLE, agree, begin, drift
from tests.support.copies import copied
from tests.support.loop.stage import OPERATOR, Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant

DAY = 86400.0
DECISION = [{"controller": FORMER.controller}]


async def lived(operator: Operator, *objects: dict[str, Any], **spec: Any) -> Stage:
    """Let an installation of the operator do its work in a Kubernetes cluster of its own; return what it left."""
    former = Stage(operator=operator)
    former.kubernetes.uids = "former"
    former.start()
    await begin(former, *objects, **spec)
    return former


async def restored(stage: Stage, former: Stage, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Have everything here as a backup brings it back a day later: the objects with their statuses, as new ones."""
    await stage.stop()
    await asyncio.sleep(DAY)
    for raw in former.kubernetes.objects.values():
        kept = {"annotations": raw["metadata"].get("annotations", {}), "name": raw["metadata"]["name"]}
        if "namespace" in raw["metadata"]:
            kept["namespace"] = raw["metadata"]["namespace"]
        made = copied(raw) | {"metadata": kept}
        change(made)
        stage.kubernetes.create(made)
    for name, role in former.elasticsearch.roles_now.items():
        stage.elasticsearch.write_role(name, role)
    for name, mapping in former.elasticsearch.mappings_now.items():
        stage.elasticsearch.write_mapping(name, mapping)
    stage.start()
    await stage.quiet()


def take_over(raw: dict[str, Any]) -> None:
    if raw["kind"] == "SearchCluster":
        raw["spec"]["takeOver"] = DECISION


@on_stage
async def test_a_restored_status_does_not_make_a_former_installation_look_alive(stage: Stage) -> None:
    former = await lived(FORMER, access("orders", grant("orders-*")))
    await former.stop()
    await restored(stage, former, take_over)
    stage.check()
    assert drift(stage)["detected"] == 0
    assert stage.elasticsearch.roles_now[ROLE]["metadata"]["controller"] == OPERATOR.controller


@on_stage
async def test_what_a_former_installation_adopted_is_no_fight_of_this_one(stage: Stage) -> None:
    former = Stage(operator=FORMER)
    former.kubernetes.uids = "former"
    former.start()
    former.elasticsearch.write_role(ROLE, FOREIGN)
    await begin(former, access("orders", grant("orders-*")))
    agree(former, ROLE)
    await former.quiet()
    assert former.ready("orders") == ("True", "InSync")
    await former.stop()
    former.elasticsearch.mappings_now.clear()
    await restored(stage, former)
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert "spec.takeOver" in condition_in(stage.get("orders"), "Ready")["message"]
