"""CRDs that are older than the operator do not keep all of a status: it is reported once, and nobody writes again."""

from typing import Any

from searchaccess.ports.kubernetes import Plural
from tests.component.common import FOREIGN, ORDERS, ORPHANS, ROLE, agree, begin
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, grant

UNKNOWN = frozenset({"reason", "mode", "access", "login", "conditions[].message"})
WARNING = "the CRD is older than the operator: apply the CRDs of this version"


def statuses(stage: Stage, before: int) -> list[str]:
    """Return whose status was written since."""
    return [call.names[0] for call in stage.faults.writes[before:] if call.method == "replace_status"]


def warnings(stage: Stage) -> list[Any]:
    return [entry for logs in stage.logs for entry in logs if entry["event"] == WARNING]


async def relist(stage: Stage) -> None:
    """Let the operator read all objects again, as it does every five minutes."""
    assert stage.process is not None
    for raw in list(stage.kubernetes.objects.values()):
        see = (
            stage.process.inventory.see_access if raw["kind"] == "SearchAccess" else stage.process.inventory.see_cluster
        )
        see(raw)


@on_stage
async def test_a_status_that_is_not_kept_whole_is_written_once(stage: Stage) -> None:
    stage.kubernetes.unknown = UNKNOWN
    await begin(stage, access("orders", grant("orders-*")))
    before = len(stage.faults.writes)
    for _ in range(5):
        await relist(stage)
        await stage.sleep(60)
    assert statuses(stage, before) == []
    assert sorted(entry["resource"] for entry in warnings(stage)) == [Plural.ACCESSES, Plural.CLUSTERS]
    assert "mode" not in stage.get("orders")["status"]
    assert stage.process is not None
    assert stage.process.inventory.statuses.outdated == {Plural.ACCESSES, Plural.CLUSTERS}
    await stage.restart()
    await stage.sleep(300)
    assert len(statuses(stage, before)) <= 2, "a new process cannot know what was written"


@on_stage
async def test_what_somebody_changes_is_still_corrected(stage: Stage) -> None:
    stage.kubernetes.unknown = UNKNOWN
    await begin(stage, access("orders", grant("orders-*")))
    for key in list(stage.kubernetes.objects):
        stage.kubernetes.change(key, lambda raw: raw["status"].pop("conditions"))
    await stage.sleep(5)
    await stage.quiet()
    assert stage.ready("orders") == stage.cluster_ready() == ("True", "InSync")


@on_stage
async def test_with_the_crds_of_its_version_the_operator_writes_what_was_missing(stage: Stage) -> None:
    stage.kubernetes.unknown = UNKNOWN
    await begin(stage, access("orders", grant("orders-*")), access("billing", grant("billing-*")))
    stage.kubernetes.unknown = frozenset()
    stage.amend("orders", grants=[grant("orders-1")])
    await stage.sleep(10)
    await stage.quiet()
    assert stage.get("billing")["status"]["mode"] == "Enforce"
    assert stage.process is not None
    assert stage.process.inventory.statuses.outdated <= {Plural.CLUSTERS}


@on_stage
async def test_nothing_is_adopted_while_the_crd_does_not_keep_that(stage: Stage) -> None:
    stage.kubernetes.unknown = frozenset({"adopted"})
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    await begin(stage, access("orders", grant("orders-*")))
    agree(stage, ROLE)
    await stage.sleep(60)
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]
    stage.kubernetes.unknown = frozenset()
    await stage.restart()
    await stage.quiet()
    stage.check()


@on_stage
async def test_nothing_is_released_while_the_crd_does_not_keep_that(stage: Stage) -> None:
    stage.kubernetes.unknown = frozenset({"released"})
    await begin(stage, access("orders", grant("orders-*"), deletionPolicy="Orphan"), orphans=ORPHANS)
    stage.delete("orders")
    await stage.sleep(60)
    assert stage.get("orders"), "it waits"
    assert stage.role(ORDERS)["metadata"].get("released_by") is None
    stage.kubernetes.unknown = frozenset()
    await stage.restart()
    await stage.quiet()
    assert not stage.get("orders")
    assert [one["name"] for one in stage.cluster()["status"]["released"]] == ["orders"]
