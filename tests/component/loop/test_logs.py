"""What is logged says to what it belongs."""

from searchaccess.ports.errors import Unreachable
from tests.component.credentials.common import begin, with_key
from tests.support.loop.stage import Stage, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.worlds.world import CLUSTER, access, grant


@on_stage
async def test_each_line_names_the_cluster_the_reconcile_and_the_access(stage: Stage) -> None:
    await begin(stage, access("plain", grant("plain-*")), with_key("keyed"))
    stage.faults.fail(memory_elasticsearch.SIDE, Unreachable("away"))
    await stage.sleep(10)
    stage.faults.heal(memory_elasticsearch.SIDE)
    await stage.quiet()
    lines = [entry for log in stage.logs for entry in log]
    by_event = {entry["event"]: entry for entry in lines}
    assert by_event.keys() >= {"roles changed", "credential changed", "cluster failing", "cluster recovered"}
    for event, entry in by_event.items():
        assert entry["cluster"] == CLUSTER, event
        assert entry["reconcile"] >= 1, event
    assert "Issue" in by_event["credential changed"]["steps"]
    assert by_event["credential changed"]["access"] == "shop/keyed"
    assert "access" not in by_event["cluster failing"]
    assert by_event["cluster failing"]["reconcile"] > by_event["roles changed"]["reconcile"]
    assert len({entry["reconcile"] for entry in lines}) > 2


@on_stage
async def test_one_line_does_not_name_all_of_many_roles(stage: Stage) -> None:
    stage.apply(search_cluster(), *(access(f"a-{number:03}", grant("x")) for number in range(40)))
    await stage.quiet()
    lines = [entry for log in stage.logs for entry in log if entry["event"] == "roles changed"]
    assert sum(entry["count"] for entry in lines) == 40
    assert max(len(entry["roles"]) for entry in lines) == 10
