"""When an adoption counts as done: when it was done, and not when something else put our role there."""

from typing import Any

from searchaccess.ports.errors import PermissionDenied
from tests.component.common import FOREIGN, FORMER, ORDERS, ROLE, agree, begin, granted, seen_hash
from tests.component.rights.ownership.test_takeover import DECISION, declared, live_before
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.worlds.world import access, grant


def adopted(stage: Stage) -> dict[str, Any]:
    """Return when what was adopted, by hash."""
    found = stage.cluster()["status"].get("adopted") or []
    return {one["hash"]: one.get("at") for one in found if one["name"] == ROLE}


@on_stage
async def test_what_a_living_predecessor_wrote_again_is_adopted_as_it_was_agreed(stage: Stage) -> None:
    await live_before(stage, FORMER)
    theirs = stage.elasticsearch.roles_now[ROLE]
    await begin(stage, *declared("orders"), takeOver=DECISION)
    stage.elasticsearch.write_role(ROLE, theirs)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ControllersFight")
    seen = seen_hash(stage, ROLE)
    stage.faults.fail(ELASTICSEARCH, PermissionDenied("no"), "put_roles", "replace_roles")
    agree(stage, ROLE, seen)
    await stage.sleep(60)
    assert adopted(stage) == {seen: None}, "its predecessor's stamp is not ours"
    stage.faults.heal(ELASTICSEARCH)
    await stage.sleep(400)
    await stage.quiet()
    stage.check()
    assert adopted(stage)[seen]


@on_stage
async def test_an_adoption_that_elasticsearch_refused_never_gets_a_time(stage: Stage) -> None:
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    await begin(stage, access("orders", grant("orders-*")))
    seen = seen_hash(stage, ROLE)
    stage.faults.fail(ELASTICSEARCH, PermissionDenied("no"), "put_roles", "replace_roles")
    agree(stage, ROLE, seen)
    await stage.sleep(30)
    assert adopted(stage) == {seen: None}
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]
    stage.elasticsearch.remove_role(ROLE)
    await stage.sleep(30)
    stage.faults.heal(ELASTICSEARCH)
    await stage.sleep(400)
    await stage.quiet()
    stage.check()
    assert granted(stage) == {"orders-*"}
    assert not any(adopted(stage).values()), "it was made, not adopted"
