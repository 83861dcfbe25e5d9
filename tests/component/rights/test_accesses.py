"""State in, state out: what users and others do about SearchAccesses, and what the operator makes of it."""

from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.engine.rights import reconcile as passes
from searchaccess.engine.rights.observe import Observed, observe
from searchaccess.ports.errors import Unreachable
from tests.component.common import FOREIGN, MAPPING, ORDERS, ORPHANS, ROLE, agree, begin, drift, granted
from tests.support.failures.faults import Call
from tests.support.loop.stage import OPERATOR, Stage, access_key, on_stage, search_cluster
from tests.support.worlds.world import CLUSTER, access, account, condition_in, grant


@on_stage
async def test_a_new_access_gets_its_role_after_its_finalizer(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.check()
    orders = [call for call in stage.faults.writes if call.names and call.names[0] in {"orders", ROLE, MAPPING}]
    assert [call.method for call in orders] == ["set_finalizers", "put_mapping", "put_roles", "replace_status"]
    assert stage.cluster_ready() == ("True", "InSync")
    assert not stage.kubernetes.events


@on_stage
async def test_a_hundred_new_accesses_cost_one_bulk_write(stage: Stage) -> None:
    await begin(stage)
    stage.apply(*[access(f"a{number}", grant("x-*")) for number in range(100)])
    await stage.quiet()
    stage.check()
    assert len([call for call in stage.faults.writes if call.method == "put_roles"]) == 1


def test_roles_that_were_planned_are_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Observed] = []

    async def observed(*arguments: Any, **named: Any) -> Observed:
        read.append(await observe(*arguments, **named))
        assert any(name.startswith(OPERATOR.role_name("")) for name in read[-1].roles)
        return read[-1]

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, *[access(f"a{number}", grant("x-*")) for number in range(5)])
        monkeypatch.setattr(passes, "observe", observed)
        for _ in range(2):
            stage.elasticsearch.sequence += 1
            await stage.quiet()
            await stage.sleep(10)
        assert len(read) >= 2, "the second time, nothing is planned as nothing changed"
        assert not [name for one in read for name in one.roles if name.startswith(OPERATOR.role_name(""))]

    play()


def test_rights_come_before_statuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "CHUNK", 2)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage)
        stage.apply(*[access(f"a{number}", grant("x-*")) for number in range(5)])
        await stage.quiet()
        stage.check()
        methods = [call.method for call in stage.faults.writes if call.names and call.names[0] != CLUSTER]
        assert methods[-8:] == ["put_roles"] * 3 + ["replace_status"] * 5

    play()


def test_what_was_written_before_the_cluster_broke_off_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "CHUNK", 2)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage)

        def break_off(call: Call) -> None:
            if call.method == "put_roles":
                stage.faults.fail("elasticsearch", Unreachable("gone"))

        stage.faults.on_call = break_off
        stage.apply(*[access(f"a{number}", grant("x-*")) for number in range(5)])
        await stage.sleep(3)
        reported = [stage.ready(f"a{number}") for number in range(5)]
        assert reported == [("True", "InSync")] * 2 + [("Unknown", "ClusterUnreachable")] * 3
        stage.faults.on_call = lambda _: None
        stage.faults.heal("elasticsearch")
        await stage.quiet()
        stage.check()

    play()


@on_stage
async def test_a_changed_access_changes_its_role_and_is_nodrift(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", grants=[grant("orders-*", can=["read", "write"])])
    await stage.quiet()
    stage.check()
    assert drift(stage) == {"open": 0, "detected": 0, "corrected": 0}
    assert stage.get("orders")["status"]["access"] == "rw orders-*"


@on_stage
async def test_an_access_for_another_principal_takes_the_first_ones_rights_away(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", subject={"serviceAccount": account("billing")})
    await stage.quiet()
    stage.check()
    assert not stage.role(ORDERS)


@on_stage
async def test_an_access_for_another_cluster_takes_its_rights_on_the_first_away(stage: Stage) -> None:
    stage.server("https://two:9200").wipe("another-cluster")
    await begin(stage, search_cluster("other", "https://two:9200"), access("orders", grant("orders-*")))
    stage.amend("orders", cluster="other")
    await stage.quiet()
    assert not stage.role(ORDERS)
    assert ROLE in stage.server("https://two:9200").roles_now
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_deleted_access_is_gone_with_its_role(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.delete("orders")
    await stage.quiet()
    stage.check()
    assert not stage.get("orders")
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_an_access_that_was_never_applied_is_let_go_without_a_write(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), suspend=True))
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[FINALIZER]))
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not [call for call in stage.faults.writes if call.side == "elasticsearch"]


@on_stage
async def test_an_orphaned_role_stays_as_it_is_and_is_nobodys(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), deletionPolicy="Orphan"), orphans=ORPHANS)
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert granted(stage) == {"orders-*"}
    assert not OPERATOR.owns(stage.role(ORDERS)["metadata"])
    await stage.reconcile_all()  # Counts it as foreign.
    assert await stage.reconcile_all() == []


@on_stage
async def test_a_disabled_role_stays_empty_with_a_note(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), deletionPolicy="Disable"))
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert stage.role(ORDERS)["indices"] == []
    assert "Disable" in stage.role(ORDERS)["description"]
    assert await stage.reconcile_all() == []


@on_stage
async def test_observe_reports_what_differs_and_changes_nothing(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), mode="Observe"))
    assert not stage.elasticsearch.roles_now
    assert stage.ready("orders") == ("False", "ChangesPending")
    assert FINALIZER not in stage.get("orders")["metadata"].get("finalizers", [])
    assert not [call for call in stage.faults.writes if call.side == "elasticsearch"]


@on_stage
async def test_what_was_declared_and_never_applied_is_pending_and_no_drift(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), mode="Observe"))
    assert drift(stage) == {"open": 0, "detected": 0, "corrected": 0}
    assert condition_in(stage.get("orders"), "Drifted")["status"] == "False"
    assert _items(stage) == [("indices[orders-*]", "Pending")]
    assert stage.cluster()["status"]["counts"]["drifted"] == 0
    assert stage.notes("orders") == []
    since = stage.get("orders")["status"]["drift"]["items"][0]["firstSeen"]
    await stage.sleep(3600)
    assert stage.get("orders")["status"]["drift"]["items"][0]["firstSeen"] == since
    stage.amend("orders", mode="Enforce")
    await stage.quiet()
    stage.check()
    assert _items(stage) == []
    assert drift(stage) == {"open": 0, "detected": 0, "corrected": 0}


@on_stage
async def test_a_change_that_is_declared_under_observe_is_pending_beside_what_somebody_changed(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", mode="Observe", grants=[grant("orders-*", can=["read", "write"])])
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ChangesPending")
    assert drift(stage)["open"] == 0
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"cluster": ["all"]})
    await stage.quiet()
    assert stage.ready("orders") == ("False", "DriftDetected")
    assert drift(stage)["open"] == 1
    assert _items(stage) == [("cluster", "Reported"), ("indices[orders-*].privileges", "Pending")]
    assert stage.notes("orders") == ["DriftDetected"]


def _items(stage: Stage) -> list[tuple[str, str]]:
    return [(item["path"], item["action"]) for item in stage.get("orders")["status"]["drift"]["items"]]


@on_stage
async def test_observe_reports_drift_and_leaves_it(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", mode="Observe")
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"indices": []})
    await stage.quiet()
    assert stage.ready("orders") == ("False", "DriftDetected")
    assert drift(stage)["open"] == 1
    assert stage.notes("orders") == ["DriftDetected"]
    assert not granted(stage)


@on_stage
async def test_a_suspended_access_keeps_its_rights_and_its_ready(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", suspend=True, grants=[grant("everything")])
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert condition_in(stage.get("orders"), "Synced")["reason"] == "Suspended"
    assert granted(stage) == {"orders-*"}
    stage.amend("orders", suspend=False)
    await stage.quiet()
    stage.check()
    assert granted(stage) == {"everything"}


@on_stage
async def test_one_of_two_is_suspended_and_the_other_goes_on(stage: Stage) -> None:
    await begin(
        stage, access("orders", grant("orders-*")), access("audit", grant("audit"), principal=ORDERS, suspend=True)
    )
    assert granted(stage) == {"orders-*"}
    stage.amend("orders", grants=[grant("orders-new")])
    await stage.quiet()
    assert granted(stage) == {"orders-new"}


@on_stage
async def test_a_refused_access_does_not_hold_up_the_other_of_its_principal(stage: Stage) -> None:
    await begin(
        stage,
        access("orders", grant("orders-*")),
        access("bad", grant("bad-*", privileges=["no_such_privilege"]), principal=ORDERS),
        access("billing", grant("billing-*")),
    )
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.ready("billing") == ("True", "InSync")
    assert stage.ready("bad") == ("False", "RejectedByElasticsearch")
    assert "no_such_privilege" in condition_in(stage.get("bad"), "Stalled")["message"]
    assert granted(stage) == {"orders-*"}
    assert await stage.reconcile_all() == []
    stage.amend("bad", grants=[grant("good-*")])
    await stage.quiet()
    stage.check()


@on_stage
async def test_a_refused_change_leaves_what_it_had(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.amend("orders", grants=[grant("orders-new", privileges=["no_such_privilege"])])
    await stage.quiet()
    assert stage.ready("orders") == ("False", "RejectedByElasticsearch")
    assert granted(stage) == {"orders-*"}
    assert await stage.reconcile_all() == []
    stage.delete("orders")
    await stage.quiet()
    stage.check()


@on_stage
async def test_an_invalid_access_spoils_nobody(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")), access("bad", grant("A B"), principal=ORDERS))
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.ready("bad") == ("False", "InvalidSpec")


@on_stage
async def test_a_foreign_role_is_not_touched_until_it_may_be_adopted(stage: Stage) -> None:
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    before = stage.role(ORDERS)
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert stage.role(ORDERS) == before
    assert stage.cluster()["status"]["counts"]["foreignRoles"] == 1
    agree(stage, ROLE)
    await stage.quiet()
    stage.check()
    assert "Adopted" in stage.notes("orders")


@on_stage
async def test_an_access_in_conflict_can_be_deleted(stage: Stage) -> None:
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    await begin(stage, access("orders", grant("orders-*")))
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert stage.role(ORDERS)["metadata"] == {"made_by": "hand"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"indices": []}, id="entry removed"),
        pytest.param({"indices": [{"names": ["orders-*"], "privileges": ["all"]}]}, id="entry widened"),
        pytest.param({"cluster": ["all"]}, id="cluster privilege added"),
        pytest.param({"run_as": ["elastic"]}, id="run_as added"),
        pytest.param({"description": "mine"}, id="description changed"),
        pytest.param(None, id="deleted"),
    ],
)
def test_a_tampered_role_is_corrected_within_seconds_and_reported(change: dict[str, object] | None) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        tampered = stage.clock.monotonic()
        if change is None:
            stage.elasticsearch.remove_role(ROLE)
        else:
            stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | change)
        await stage.quiet()
        stage.check()
        assert drift(stage) == {"open": 0, "detected": 1, "corrected": 1}
        assert stage.notes("orders") == ["DriftDetected", "DriftCorrected"]
        assert stage.clock.monotonic() - tampered < 15

    on_stage(play)()


@on_stage
async def test_a_role_of_ours_that_nobody_declares_is_removed(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    leftover = stage.role(ORDERS)
    stage.elasticsearch.write_role(OPERATOR.role_name(account("gone")), leftover)
    stage.elasticsearch.write_role(OPERATOR.role_name(account("hand")), FOREIGN)
    stage.elasticsearch.write_role("somebody-elses", FOREIGN)
    await stage.quiet()
    names = {ROLE, OPERATOR.role_name(account("hand")), "somebody-elses"}
    assert set(stage.elasticsearch.roles_now) == names


@on_stage
async def test_a_role_of_another_kubernetes_cluster_is_left_alone(stage: Stage) -> None:
    stamp = OPERATOR.stamp() | {"controller": "another-cluster", "owners": []}
    name = OPERATOR.role_name(account("theirs"))
    stage.elasticsearch.write_role(name, {"metadata": stamp})
    await begin(stage, access("orders", grant("orders-*")))
    assert name in stage.elasticsearch.roles_now


@on_stage
async def test_our_own_writes_are_no_reason_to_read_everything(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    before = len(stage.faults.calls)
    stage.apply(access("billing", grant("billing-*")))
    stage.amend("orders", grants=[grant("orders-new")])
    await stage.quiet()
    stage.delete("billing")
    await stage.quiet()
    stage.check()
    calls = stage.faults.calls[before:]
    assert [call for call in calls if call.method == "roles" and not call.names] == []
    assert [call for call in calls if call.method == "mappings"] == []


@on_stage
async def test_several_differences_at_one_place_stay_listed(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), clusterCan=["monitor"]))
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"cluster": ["all"]})
    await stage.quiet()
    stage.check()
    assert drift(stage) == {"open": 0, "detected": 2, "corrected": 2}
    assert [item["have"] for item in stage.get("orders")["status"]["drift"]["items"]] == ["", '["all"]']
    assert await stage.reconcile_all() == []
