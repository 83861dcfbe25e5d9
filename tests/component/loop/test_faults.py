"""Faults of our own: never silent, never in sync, never somebody else's, and no change is lost."""

import pytest

from tests.component.common import ORDERS, begin, granted
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.worlds.world import access, condition_in, grant

ELASTICSEARCH = memory_elasticsearch.SIDE
PASSES = pytest.mark.parametrize("method", ["probe", "roles", "mappings", "put_roles", "facts", "delete_roles"])


@on_stage
async def test_a_fault_that_stays_is_said_by_the_cluster_and_by_every_access(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.break_down(ELASTICSEARCH, KeyError, "roles")
    stage.apply(access("new", grant("new-*")))
    await stage.sleep(10)
    assert stage.cluster_ready() == ("False", "InternalError")
    assert stage.ready("new") == ("False", "InternalError")
    # Nothing was read for a while, so nobody knows whether it is still true.
    assert stage.ready("orders") == ("False", "InternalError")
    assert "KeyError" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.faults.heal(ELASTICSEARCH)
    await stage.quiet()
    stage.check()
    assert stage.cluster_ready() == ("True", "InSync")


def test_a_fault_that_happens_once_costs_seconds_and_no_news() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        await stage.sleep(3)
        stage.faults.break_down(ELASTICSEARCH, KeyError, times=1)
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(3)
        assert stage.ready("new") == ("True", "InSync")
        stage.check()

    play()


@PASSES
def test_a_fault_wherever_it_is_keeps_no_right_from_being_revoked(method: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")), access("other", grant("other-*")))
        stage.faults.break_down(ELASTICSEARCH, RecursionError, method)
        stage.delete("orders")
        await stage.sleep(60)
        stage.faults.heal(ELASTICSEARCH)
        await stage.sleep(10)
        assert not stage.get("orders")
        assert granted(stage, ORDERS) == set()
        await stage.quiet()
        stage.check()

    play()


@on_stage
async def test_a_fault_is_logged_without_its_text_and_counted(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.break_down(ELASTICSEARCH, KeyError, "probe", times=1)
    await stage.sleep(10)
    lines = [entry for logs in stage.logs for entry in logs if entry["event"] == "internal error"]
    assert [(line["place"], line["error"]) for line in lines] == [("reconcile", "KeyError")]
    assert "broken" not in str(lines)
    assert any("reconciler.py" in frame for frame in lines[0]["frames"])


@on_stage
async def test_a_cluster_that_is_recreated_with_another_elasticsearch_is_another_cluster(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.server("https://two:9200").wipe("another-cluster")
    stage.kubernetes.delete(CLUSTER_KEY)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["metadata"].update(finalizers=[]))
    stage.apply(search_cluster(url="https://two:9200"))
    await stage.quiet()
    assert stage.cluster_ready() == ("True", "InSync")
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.cluster()["status"]["uuid"] == "another-cluster"
    assert access_key("orders") in stage.kubernetes.objects
