"""The status of a SearchAccessPolicy: whether it can be read, and of how many SearchAccesses it says what."""

from typing import Any

from searchaccess.engine.lister import RESYNC_PERIOD
from searchaccess.engine.status.policies import RETRY_AFTER, SETTLE
from searchaccess.ports.errors import PermissionDenied
from tests.component.common import begin, granted
from tests.component.policies.test_policies import ONLY_LOGS, ONLY_ORDERS, change, policy, policy_key
from tests.component.replicas.test_catching_up import Pair
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.kubernetes import SIDE
from tests.support.worlds.world import access, grant

SOON = SETTLE + 2.0
"""Seconds within which a status is written."""


def status(stage: Stage, name: str = "limits") -> dict[str, Any]:
    found: dict[str, Any] = stage.kubernetes.objects[policy_key(name)].get("status", {})
    return found


def ready(stage: Stage, name: str = "limits") -> tuple[str, str]:
    [found] = [each for each in status(stage, name)["conditions"] if each["type"] == "Ready"]
    return found["status"], found["reason"]


def counts(stage: Stage, name: str = "limits") -> dict[str, int]:
    return {key: number for key, number in status(stage, name)["counts"].items() if number}


def writes(stage: Stage, name: str = "limits") -> int:
    return sum(call.method == "replace_status" and name in call.names for call in stage.faults.writes)


def asked(stage: Stage, name: str = "limits") -> int:
    return sum(call.method == "replace_status" and name in call.names for call in stage.faults.calls)


@on_stage
async def test_it_counts_what_the_policy_says(stage: Stage) -> None:
    exception = {"namespace": "shop", "name": "old", "reason": "migration", "until": "2099-01-01T00:00:00Z"}
    await begin(
        stage,
        policy(**ONLY_ORDERS, exceptions=[exception]),
        policy("audited", mode="Audit", **ONLY_LOGS),
        policy("elsewhere", match={"clusters": ["other"]}, **ONLY_LOGS),
        access("orders", grant("orders-1")),
        access("logs", grant("logs-1")),
        access("old", grant("bills-1")),
    )
    await stage.sleep(SOON)

    assert ready(stage) == ready(stage, "audited") == ("True", "PolicyRead")
    assert status(stage)["reason"] == "PolicyRead"
    assert status(stage)["observedGeneration"] == stage.kubernetes.objects[policy_key()]["metadata"]["generation"]
    assert counts(stage) == {"accesses": 3, "accepted": 1, "denied": 1, "exempt": 1}
    assert counts(stage, "audited") == {"accesses": 3, "accepted": 1, "wouldDeny": 2}
    assert counts(stage, "elsewhere") == {}


@on_stage
async def test_it_follows_policies_and_accesses(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")), access("logs", grant("logs-1")))
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 2, "accepted": 1, "denied": 1}

    stage.amend("logs", grants=[grant("orders-2")])
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 2, "accepted": 2}
    change(stage, ONLY_LOGS)
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 2, "denied": 2}
    stage.delete("logs")
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 1, "denied": 1}


@on_stage
async def test_one_that_cannot_be_read_says_why_and_recovers(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))
    change(stage, {"allow": [{"indices": ["/orders"], "can": ["read"]}]})
    await stage.sleep(SOON)

    assert ready(stage) == ("False", "PolicyInvalid")
    assert "counts" not in status(stage)
    [stalled] = [each for each in status(stage)["conditions"] if each["type"] == "Stalled"]
    assert stalled["message"].startswith("spec.allow")
    change(stage, ONLY_ORDERS)
    await stage.sleep(SOON)
    assert ready(stage) == ("True", "PolicyRead")
    assert counts(stage) == {"accesses": 1, "accepted": 1}


@on_stage
async def test_an_unchanged_world_is_not_written(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))
    await stage.sleep(SOON)
    before = len(stage.faults.writes)
    stage.kubernetes.change(policy_key(), lambda raw: raw["metadata"].update(labels={"a": "b"}))
    await stage.sleep(3600)
    assert len(stage.faults.writes) == before
    await stage.restart()
    await stage.sleep(SOON)
    assert len(stage.faults.writes) == before, "nor after a restart"


@on_stage
async def test_a_burst_is_written_once(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), *(access(f"a{number}", grant("logs-1")) for number in range(30)))
    await stage.sleep(SOON)
    before = writes(stage)
    for number in range(30):
        stage.amend(f"a{number}", grants=[grant("orders-1")])
        await stage.sleep(0.1)
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 30, "accepted": 30}
    assert writes(stage) - before == 1


@on_stage
async def test_what_somebody_else_wrote_stays_until_something_changes(stage: Stage) -> None:
    """Two installations count other SearchAccesses: they do not overwrite each other forever."""
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))
    await stage.sleep(SOON)
    before = writes(stage)
    stage.kubernetes.change(policy_key(), lambda raw: raw["status"]["counts"].update(accesses=7))
    await stage.sleep(600)
    assert writes(stage) == before
    stage.amend("orders", grants=[grant("logs-1")])
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 1, "denied": 1}


@on_stage
async def test_a_write_that_is_refused_is_retried_without_haste(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_LOGS), access("orders", grant("orders-1")))
    await stage.sleep(SOON)
    stage.faults.fail(SIDE, PermissionDenied("forbidden"), "replace_status")
    change(stage, ONLY_ORDERS)
    await stage.sleep(SOON)
    tries = asked(stage)
    await stage.sleep(RETRY_AFTER * 3)

    assert granted(stage) == {"orders-1"}
    assert tries < asked(stage) <= tries + 3
    stage.faults.heal(SIDE)
    await stage.sleep(RETRY_AFTER + SOON)
    assert counts(stage) == {"accesses": 1, "accepted": 1}


@on_stage
async def test_one_of_several_replicas_writes_and_its_heir_goes_on(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))
    await stage.sleep(SOON)
    pair = Pair(stage)
    await pair.start()
    before = asked(stage)
    change(stage, ONLY_LOGS)
    await stage.sleep(SOON)
    assert counts(stage) == {"accesses": 1, "denied": 1}
    assert asked(stage) - before == 1
    await pair.hand_over()
    await stage.sleep(SOON)
    assert asked(stage) - before == 1
    change(stage, ONLY_ORDERS)
    await stage.sleep(RESYNC_PERIOD + SOON)
    assert counts(stage) == {"accesses": 1, "accepted": 1}
    assert asked(stage) - before == 2


@on_stage
async def test_a_process_that_ends_by_itself_writes_them_before(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))
    stage.short_lived = True
    await stage.restart()
    await stage.quiet()
    assert stage.process is not None
    host = stage.process.host
    assert not host.policies.is_due
    assert counts(stage) == {"accesses": 1, "accepted": 1}
    change(stage, ONLY_LOGS)
    await stage.sleep(0.1)
    assert host.policies.is_due
    assert host.is_busy()
    await stage.sleep(1)
    assert counts(stage) == {"accesses": 1, "denied": 1}
    assert not host.policies.is_due


@on_stage
async def test_a_replica_that_writes_again_does_not_rely_on_what_it_wrote_before(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))
    pair = Pair(stage)
    await pair.start()
    await stage.sleep(SOON)
    await pair.hand_over()
    stage.amend("orders", grants=[grant("logs-1")])
    await stage.sleep(RESYNC_PERIOD + SOON)
    assert counts(stage) == {"accesses": 1, "denied": 1}
    pair.batons[1].lose(pair.heir)
    stage.amend("orders", grants=[grant("orders-1")])
    await stage.sleep(SOON)
    pair.batons[0].take(stage)
    await stage.sleep(RESYNC_PERIOD + SOON)
    assert counts(stage) == {"accesses": 1, "accepted": 1}
