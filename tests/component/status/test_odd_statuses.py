"""A status that somebody changed, or another version wrote, harms nobody and is clean after the next change."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.ports.errors import Unreachable
from tests.component.common import ROLE, begin, drift
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, access_key, on_stage
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.worlds.world import access, account, condition_in, grant

Change = Callable[[dict[str, Any]], object]
OTHER = OPERATOR.role_name(account("other"))
DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]


def below(*path: str, **values: Any) -> Change:
    def change(raw: dict[str, Any]) -> None:
        part = raw["status"]
        for key in path:
            part = part.setdefault(key, {})
        part.update(values)

    return change


def conditions(**values: Any) -> Change:
    def change(raw: dict[str, Any]) -> None:
        for condition in raw["status"]["conditions"]:
            condition.update(values)

    return change


def lacking(key: str) -> Change:
    def change(raw: dict[str, Any]) -> None:
        for condition in raw["status"]["conditions"]:
            del condition[key]

    return change


ODD: dict[str, Change] = {
    "an unknown field of drift": below("drift", future=1),
    "an unknown field of the objects in Elasticsearch": below("elasticsearch", future=1),
    "an unknown reason": conditions(reason="NobodyKnowsThis"),
    "conditions without a transition time": lacking("lastTransitionTime"),
    "conditions without a type": lacking("type"),
    "an unknown type of condition": conditions(type="Approved"),
    "drift without its count": lambda raw: raw["status"]["drift"].pop("open"),
    "drift of another type": below(drift="none"),
    "an item of drift without an action": below("drift", items=[{"object": "role/x", "path": "."}]),
    "conditions of another type": below(conditions={"Ready": "True"}),
    "objects of another type": below(elasticsearch=["x"]),
    "identity of another type": below(identity=[1]),
    "counts with a word": below("counts", accesses="many"),
    "a deeply nested field": below(future=DEEP),
    "a status that is none": lambda raw: raw.update(status="none"),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("key", [access_key("orders"), CLUSTER_KEY], ids=["SearchAccess", "SearchCluster"])
def test_an_odd_status_harms_nobody_and_is_clean_after_the_next_change(key: Any, odd: Change) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")), access("other", grant("other-*")))
        tamper(stage)
        await stage.quiet()
        # What is not compared is carried over: while it is suspended, and while Elasticsearch is away.
        stage.amend("orders", suspend=True)
        await stage.quiet()
        stage.faults.fail(ELASTICSEARCH, Unreachable("no answer"))
        await stage.stop()
        stage.kubernetes.change(key, odd)
        stage.start()
        await stage.quiet()
        assert stage.cluster_ready() == ("Unknown", "ClusterUnreachable")
        stage.faults.heal(ELASTICSEARCH)
        await stage.quiet()

        stage.apply(access("new", grant("new-*")))
        stage.elasticsearch.write_role(OTHER, stage.role(account("other")) | {"cluster": ["all"]})
        await stage.quiet()
        assert drift(stage, "other") == {"open": 0, "detected": 1, "corrected": 1}
        assert stage.ready("new") == ("True", "InSync")
        assert stage.cluster_ready() == ("True", "InSync")

        stage.amend("orders", suspend=False)
        await stage.quiet()
        tamper(stage)
        await stage.quiet()
        stage.check()
        status = str(stage.kubernetes.objects[key]["status"])
        assert "future" not in status
        assert "NobodyKnowsThis" not in status

    play()


def tamper(stage: Stage) -> None:
    stage.elasticsearch.write_role(ROLE, stage.role(account("orders")) | {"cluster": ["all"]})
    stage.elasticsearch.remove_mapping(OPERATOR.mapping_name)


@pytest.mark.parametrize("field", ["detected", "corrected"])
def test_what_is_understood_of_an_odd_status_is_kept(field: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        stage.kubernetes.change(access_key("orders"), below("drift", **{field: 41, "open": "some", "items": [7]}))
        await stage.quiet()
        stage.elasticsearch.write_role(ROLE, stage.role(account("orders")) | {"cluster": ["all"]})
        await stage.quiet()
        assert drift(stage) == {"open": 0, "detected": 1, "corrected": 1} | {field: 42}

    play()


@on_stage
async def test_a_kept_condition_keeps_a_reason_that_we_do_not_know(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", suspend=True)
    await stage.quiet()
    stage.kubernetes.change(access_key("orders"), conditions(reason="NobodyKnowsThis"))
    await stage.quiet()
    before = copy.deepcopy(condition_in(stage.get("orders"), "Ready"))
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "now")
    await stage.quiet()
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == "now"
    assert condition_in(stage.get("orders"), "Ready") == before
    assert before["reason"] == "NobodyKnowsThis"
    assert condition_in(stage.get("orders"), "Synced")["reason"] == "Suspended", "ours is reported again"
