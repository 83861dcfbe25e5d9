"""State in, state out: SearchClusters, role mappings, and what belongs to both kinds."""

from functools import partial
from typing import Any

import pytest

from searchaccess.api.constants import ANNOTATION_ACCEPT_UUID, ANNOTATION_RECONCILE, FINALIZER
from searchaccess.engine.loop.schedule import CHECK_EVERY
from searchaccess.ports.errors import LoginRefused
from searchaccess.ports.kubernetes import Plural
from tests.component.common import MAPPING, ROLE, agree, begin, drift, granted
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.worlds.world import access, condition_in, grant


def _set_status(raw: dict[str, Any], status: dict[str, Any]) -> None:
    raw["status"] = dict(status)


def _truths(conditions: list[dict[str, str]]) -> dict[str, str]:
    return {item["type"]: item["status"] for item in conditions}


@on_stage
async def test_a_foreign_mapping_stops_grants_until_it_may_be_adopted(stage: Stage) -> None:
    foreign = {"enabled": True, "roles": ["superuser"], "rules": {"field": {"username": "*"}}}
    stage.elasticsearch.write_mapping(MAPPING, foreign)
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert stage.cluster_ready() == ("False", "OwnershipConflict")
    assert stage.elasticsearch.mappings_now[MAPPING]["roles"] == ["superuser"]
    assert not stage.elasticsearch.roles_now
    agree(stage, MAPPING)
    await stage.quiet()
    stage.check()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"enabled": False}, id="switched off"),
        pytest.param({"rules": {"field": {"username": "*"}}}, id="open to everybody"),
        pytest.param(None, id="deleted"),
    ],
)
def test_a_tampered_mapping_is_corrected_and_reported(change: dict[str, object] | None) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        if change is None:
            stage.elasticsearch.remove_mapping(MAPPING)
        else:
            stage.elasticsearch.write_mapping(MAPPING, stage.elasticsearch.mappings_now[MAPPING] | change)
        await stage.quiet()
        stage.check()
        assert condition_in(stage.cluster(), "Drifted")["reason"] == "DriftCorrected"
        assert stage.notes("prod") == ["DriftDetected", "DriftCorrected"]

    on_stage(play)()


@on_stage
async def test_homeless_accesses_say_so_until_their_cluster_comes(stage: Stage) -> None:
    stage.apply(access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ClusterNotFound")
    await begin(stage)
    stage.check()


@on_stage
async def test_a_homeless_access_without_rights_can_be_deleted(stage: Stage) -> None:
    stage.apply(access("orders", grant("orders-*")))
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[FINALIZER]))
    await stage.quiet()
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")


@on_stage
async def test_a_search_cluster_without_users_goes_with_its_mapping(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.delete("orders")
    await stage.quiet()
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert not stage.cluster()
    assert not stage.elasticsearch.mappings_now


@on_stage
async def test_a_search_cluster_with_users_waits_for_them_and_still_guards_them(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "InUse")
    stage.elasticsearch.remove_role(ROLE)
    await stage.quiet()
    assert granted(stage) == {"orders-*"}
    stage.delete("orders")
    await stage.quiet()
    assert not stage.cluster()
    assert not stage.get("orders")
    assert not stage.elasticsearch.roles_now
    assert not stage.elasticsearch.mappings_now


@on_stage
async def test_a_search_cluster_that_was_never_connected_to_can_just_be_deleted(stage: Stage) -> None:
    stage.faults.fail(ELASTICSEARCH, LoginRefused("401"))
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "LoginRefused")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert not stage.cluster()
    assert stage.ready("orders") == ("False", "ClusterNotFound")


@on_stage
async def test_a_search_cluster_that_cannot_be_connected_to_any_more_is_kept_until_its_rights_are_gone(
    stage: Stage,
) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.fail(ELASTICSEARCH, LoginRefused("401"))
    stage.delete("orders")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.restart()
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "LoginRefused")
    assert stage.elasticsearch.roles_now
    stage.faults.heal(ELASTICSEARCH)
    await stage.sleep(600)
    assert not stage.cluster()
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_a_search_cluster_takes_leftover_roles_with_it(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await stage.stop()
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[]))
    stage.delete("orders")
    stage.kubernetes.delete(CLUSTER_KEY)
    stage.start()
    await stage.quiet()
    assert not stage.cluster()
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_per_principal_each_has_its_own_mapping(stage: Stage) -> None:
    stage.apply(search_cluster(mapping="PerPrincipal"), access("orders", grant("orders-*")))
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert set(stage.elasticsearch.mappings_now) == {ROLE}
    assert await stage.reconcile_all() == []
    stage.elasticsearch.remove_mapping(ROLE)
    await stage.quiet()
    assert set(stage.elasticsearch.mappings_now) == {ROLE}
    assert drift(stage) == {"open": 0, "detected": 1, "corrected": 1}
    stage.delete("orders")
    await stage.quiet()
    assert not stage.elasticsearch.mappings_now
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_the_kind_of_mapping_can_be_changed_without_leaving_the_other_behind(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    for kind, names in (("PerPrincipal", {ROLE}), ("RoleTemplate", {MAPPING})):
        stage.apply(search_cluster(mapping=kind))
        await stage.quiet()
        assert set(stage.elasticsearch.mappings_now) == names
        assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_another_elasticsearch_at_the_address_is_not_touched_until_a_person_agrees(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.elasticsearch.wipe("another-uuid")
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "ClusterReplaced")
    assert stage.ready("orders") == ("False", "ClusterReplaced")
    assert not stage.elasticsearch.roles_now
    await stage.restart()
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "ClusterReplaced")
    stage.annotate(CLUSTER_KEY, ANNOTATION_ACCEPT_UUID, "another-uuid")
    await stage.quiet()
    stage.check()
    assert stage.cluster()["status"]["uuid"] == "another-uuid"


@on_stage
async def test_two_search_clusters_for_one_elasticsearch_the_younger_one_stops(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.apply(search_cluster("younger"), access("other", grant("x"), cluster="younger"))
    await stage.quiet()
    assert stage.cluster_ready("younger") == ("False", "DuplicateCluster")
    assert stage.ready("other") == ("False", "DuplicateCluster")
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_requested_reconcile_is_confirmed_in_the_status(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.annotate(access_key("orders"), ANNOTATION_RECONCILE, "now")
    stage.annotate(CLUSTER_KEY, ANNOTATION_RECONCILE, "now too")
    await stage.quiet()
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == "now"
    assert stage.cluster()["status"]["lastHandledReconcileAt"] == "now too"


@pytest.mark.parametrize("key", [access_key("orders"), CLUSTER_KEY], ids=["SearchAccess", "SearchCluster"])
def test_a_status_that_somebody_changed_or_took_away_is_written_again(key: tuple[Plural, str, str]) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        right = stage.kubernetes.objects[key]["status"]
        no_conditions: dict[str, Any] = {"conditions": []}
        for wrong in (no_conditions, {}):
            stage.kubernetes.change(key, partial(_set_status, status=wrong))
            await stage.quiet()
            conditions = stage.kubernetes.objects[key]["status"]["conditions"]
            assert _truths(conditions) == _truths(right["conditions"])
        stage.check()

    on_stage(play)()


@on_stage
async def test_a_finalizer_that_somebody_took_away_is_put_back(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[]))
    await stage.quiet()
    stage.check()


@on_stage
async def test_other_finalizers_are_kept(stage: Stage) -> None:
    mine = access("orders", grant("orders-*"))
    mine["metadata"]["finalizers"] = ["example.com/mine"]
    await begin(stage, mine)
    assert stage.get("orders")["metadata"]["finalizers"] == ["example.com/mine", FINALIZER]
    stage.delete("orders")
    await stage.quiet()
    assert stage.get("orders")["metadata"]["finalizers"] == ["example.com/mine"]
    assert not stage.elasticsearch.roles_now
    assert await stage.reconcile_all() == []


@on_stage
async def test_an_access_made_anew_under_its_name_while_the_operator_was_down(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await stage.stop()
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[]))
    stage.delete("orders")
    stage.apply(access("orders", grant("orders-new")))
    stage.start()
    await stage.quiet()
    stage.check()
    assert drift(stage)["detected"] == 0


@on_stage
async def test_nothing_is_written_while_all_is_in_sync(stage: Stage) -> None:
    await begin(stage, *[access(f"a{number}", grant("x-*")) for number in range(5)])
    before = len(stage.faults.writes)
    three_sweeps = 3 * 300.0
    end = stage.clock.monotonic() + three_sweeps
    while stage.clock.monotonic() < end:
        await stage.quiet()
    assert stage.faults.writes[before:] == []
    assert len([call for call in stage.faults.calls if call.method == "roles"]) <= 6


def _private(stage: Stage) -> tuple[str, str]:
    found = condition_in(stage.cluster(), "Private")
    return found.get("status", ""), found.get("reason", "")


@on_stage
async def test_a_private_address_is_reported_as_private(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert _private(stage) == ("True", "Private")


@on_stage
async def test_a_public_address_gets_no_login_until_it_is_allowed_by_name(stage: Stage) -> None:
    stage.addresses["one"] = ("10.0.0.1", "34.76.1.1")
    await begin(stage, access("orders", grant("orders-*")))
    assert not stage.connections
    assert _private(stage) == stage.cluster_ready() == stage.ready("orders") == ("False", "NotPrivate")
    assert condition_in(stage.cluster(), "Stalled")["status"] == "True"
    text = condition_in(stage.cluster(), "Private")["message"]
    assert "one (34.76.1.1) is a public address" in text
    assert "allowExposure: [PublicAddress]" in text
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(allowExposure=["PublicAddress"]))
    await stage.quiet()
    stage.check()
    assert _private(stage) == ("False", "ExposureAllowed")
    assert stage.cluster_ready() == ("True", "InSync")


@on_stage
async def test_an_address_that_becomes_public_is_left_alone_and_nothing_is_revoked(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.addresses["one"] = ("34.76.1.1",)
    await stage.sleep(CHECK_EVERY)
    await stage.quiet()
    assert _private(stage) == ("False", "NotPrivate")
    assert condition_in(stage.cluster(), "Reachable")["reason"] == "NotPrivate"
    asked = [call for call in stage.faults.calls if call.side == ELASTICSEARCH]
    await stage.sleep(CHECK_EVERY)
    assert [call for call in stage.faults.calls if call.side == ELASTICSEARCH] == asked
    assert granted(stage) == {"orders-*"}
    stage.addresses["one"] = ("10.0.0.1",)
    await stage.sleep(CHECK_EVERY)
    await stage.quiet()
    stage.check()
    assert _private(stage) == ("True", "Private")


@on_stage
async def test_of_a_name_that_stands_for_nothing_nothing_is_reported(stage: Stage) -> None:
    stage.addresses["one"] = ()
    await begin(stage, access("orders", grant("orders-*")))
    assert _private(stage) == ("", "")
    stage.addresses["one"] = ("34.76.1.1",)
    await stage.sleep(CHECK_EVERY)
    await stage.quiet()
    assert _private(stage) == ("False", "NotPrivate")
