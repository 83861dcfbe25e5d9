"""The objects of a gateway are written, kept, moved and deleted, and those of others are never touched."""

import pytest

from searchaccess.api.status import SearchClusterStatus
from searchaccess.core.gateway.objects import CLUSTER, LABEL_GATEWAY, LABEL_MANAGED, LISTENERS, VERSION, Place
from searchaccess.ports.errors import Conflict, PermissionDenied
from tests.component.gateway.common import (
    NAMES,
    PLACE,
    begin,
    condition,
    declare,
    drifted,
    gateway,
    secret_user,
    users,
)
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import REALM
from tests.support.memory.gateways import AUDIENCE, SIDE
from tests.support.worlds.world import access, condition_in, grant

HOUR = 3600.0


@on_stage
async def test_a_declared_gateway_gets_its_configuration_and_a_login_that_may_only_run_as_callers(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    config = stage.gateways.objects[PLACE.config]
    assert config.data.keys() == {"listeners.yaml", "clusters.yaml"}
    assert config.observed.labels == {LABEL_MANAGED: "searchaccess.dev", LABEL_GATEWAY: PLACE.name}
    assert config.observed.annotations[CLUSTER] == "prod"
    assert secret_user(stage) == f"{NAMES.role}.a"
    role = stage.elasticsearch.roles_now[NAMES.role]
    assert (role["cluster"], role["indices"], role["applications"]) == ([], [], [])
    assert role["run_as"] == [
        r"/searchaccess\.default\.[a-z0-9\-\.]+\@([a-z0-9\-]+\.)+gserviceaccount\.com/",
    ]
    status = stage.cluster()["status"]["gateway"]
    assert status["version"] == config.observed.annotations[VERSION]
    assert (status["pods"], status["loaded"], status["loginUser"]) == (2, 2, f"{NAMES.role}.a")
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")


@on_stage
async def test_nothing_is_written_while_nothing_changes_and_requests_are_few(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    await stage.sleep(120)
    written, before = len(stage.faults.writes), len(stage.faults.calls)
    await stage.sleep(600)
    assert len(stage.faults.writes) == written
    calls = [call for call in stage.faults.calls[before:] if call.side == SIDE]
    numbers = {
        method: sum(call.method == method for call in calls) for method in ("read", "pods", "version_of", "call")
    }
    # In ten minutes: each minute both objects; each half a minute the pods; the gateway at most every ten minutes.
    assert 2 * 9 <= numbers["read"] <= 2 * 12
    assert 18 <= numbers["pods"] <= 21
    assert numbers["version_of"] == 2 * numbers["pods"]
    assert numbers["call"] <= 2 * 3
    logins = [call for call in stage.faults.calls[before:] if call.method == "users_named"]
    assert len(logins) <= 12


@on_stage
async def test_a_changed_configuration_is_restored_and_reported(stage: Stage) -> None:
    await begin(stage, "pod-a")
    config = stage.gateways.objects[PLACE.config]
    stage.gateways.store(PLACE.config, config.data | {LISTENERS: "accept: everybody", "more.yaml": "x"})
    await stage.sleep(70)
    assert stage.gateways.objects[PLACE.config].data == config.data
    assert set(drifted(stage)) == {
        f"configmap/{PLACE.config.namespace}/{PLACE.config.name} data[{LISTENERS}]",
        f"configmap/{PLACE.config.namespace}/{PLACE.config.name} data[more.yaml]",
    }
    assert condition(stage, "Drifted") == ("False", "DriftCorrected")
    assert stage.notes("prod").count("DriftDetected") == 1


@on_stage
async def test_a_forged_version_does_not_hide_a_change(stage: Stage) -> None:
    await begin(stage, "pod-a")
    config = stage.gateways.objects[PLACE.config]
    notes = dict(config.observed.annotations) | {VERSION: "0" * 32, "searchaccess.dev/sha256": "f" * 64}
    stage.gateways.store(PLACE.config, {LISTENERS: "accept: everybody"}, annotations=notes)
    await stage.sleep(70)
    assert stage.gateways.objects[PLACE.config].data == config.data
    assert any(LISTENERS in item for item in drifted(stage))


@on_stage
async def test_labels_of_others_stay(stage: Stage) -> None:
    await begin(stage, "pod-a")
    config = stage.gateways.objects[PLACE.config]
    labels = dict(config.observed.labels) | {"team": "search", LABEL_GATEWAY: "another"}
    stage.gateways.store(PLACE.config, config.data, labels=labels)
    await stage.sleep(70)
    found = stage.gateways.objects[PLACE.config].observed.labels
    assert (found["team"], found[LABEL_GATEWAY]) == ("search", PLACE.name)
    assert drifted(stage) == [f"configmap/gateways/{PLACE.name}-config metadata.labels[{LABEL_GATEWAY}]"]


@on_stage
async def test_a_deleted_configuration_is_written_again(stage: Stage) -> None:
    await begin(stage, "pod-a")
    del stage.gateways.objects[PLACE.config]
    await stage.sleep(70)
    assert PLACE.config in stage.gateways.objects
    assert drifted(stage) == [f"configmap/gateways/{PLACE.name}-config metadata.name"]


@pytest.mark.parametrize("kind", ["config", "login"])
def test_objects_of_others_are_never_written_over(kind: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        target = PLACE.config if kind == "config" else PLACE.login
        stage.gateways.store(target, {"login.yaml": "Basic eDp5"})
        await begin(stage, "pod-a")
        await stage.sleep(HOUR)
        assert stage.gateways.objects[target].data == {"login.yaml": "Basic eDp5"}
        assert stage.cluster_ready() == ("False", "OwnershipConflict")
        del stage.gateways.objects[target]
        await stage.sleep(120)
        assert secret_user(stage)
        assert stage.cluster_ready()[1] != "OwnershipConflict"

    play()


@on_stage
async def test_a_user_or_role_of_others_is_never_touched(stage: Stage) -> None:
    stage.elasticsearch.write_user(f"{NAMES.role}.a", "superuser")
    await begin(stage, "pod-a")
    assert stage.elasticsearch.users_now[f"{NAMES.role}.a"]["roles"] == ["superuser"]
    assert stage.cluster_ready() == ("False", "OwnershipConflict")
    assert PLACE.login not in stage.gateways.objects


@on_stage
async def test_a_conflict_with_another_writer_is_retried(stage: Stage) -> None:
    stage.faults.fail(SIDE, Conflict("changed meanwhile"), "write")
    await begin(stage, "pod-a")
    assert not stage.gateways.objects
    stage.faults.heal(SIDE)
    await stage.sleep(120)
    assert secret_user(stage)
    assert condition(stage, "GatewayInSync")[0] == "True"


@on_stage
async def test_a_missing_right_is_reported_and_affects_nothing_else(stage: Stage) -> None:
    stage.faults.fail(SIDE, PermissionDenied("configmaps is forbidden"), "read")
    await begin(stage, "pod-a")
    assert stage.cluster_ready() == ("False", "PermissionDenied")
    stage.faults.heal(SIDE)
    await stage.sleep(120)
    assert stage.cluster_ready()[1] != "PermissionDenied"
    assert secret_user(stage)


@on_stage
async def test_everything_is_deleted_with_the_search_cluster_and_nothing_else(stage: Stage) -> None:
    await begin(stage, "pod-a")
    other = Place("gateways", "other").config
    stage.gateways.store(other, {"x": "y"})
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert stage.cluster() == {}
    assert set(stage.gateways.objects) == {other}
    assert users(stage) == set()
    assert NAMES.role not in stage.elasticsearch.roles_now


@on_stage
async def test_the_search_cluster_stays_while_its_gateway_cannot_be_deleted(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.faults.fail(SIDE, PermissionDenied("secrets is forbidden"), "delete")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "PermissionDenied")
    stage.faults.heal(SIDE)
    await stage.quiet()
    assert stage.cluster() == {}
    assert not stage.gateways.objects


@on_stage
async def test_a_renamed_gateway_replaces_the_former_one_when_it_works(stage: Stage) -> None:
    await begin(stage, "pod-a")
    new = Place("gateways", "edge")
    declare(stage, name="edge")
    await stage.sleep(300)
    # Its pods do not run yet: callers still use the former one.
    assert {PLACE.config, PLACE.login, new.config, new.login} == set(stage.gateways.objects)
    assert users(stage) == {f"{NAMES.role}.a"}
    assert condition(stage, "GatewayInSync") == ("False", "GatewayMissing")
    stage.gateways.run(new, "pod-b")
    await stage.sleep(120)
    assert set(stage.gateways.objects) == {new.config, new.login}
    assert users(stage) == set()
    assert stage.cluster()["status"]["gateway"]["places"] == [str(new)]


@on_stage
async def test_what_is_left_of_a_former_gateway_resets_no_password(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(access("orders", grant("orders-*")))
    declare(stage, name="edge")
    await stage.sleep(60)
    stage.faults.fail(SIDE, PermissionDenied("configmaps is forbidden"), "delete")
    stage.gateways.run(Place("gateways", "edge"), "pod-b")
    await stage.sleep(HOUR)
    assert users(stage) == set(), "that was deleted, and what follows was not"
    assert PLACE.config in stage.gateways.objects
    assert stage.notes("prod").count("PasswordsReset") == 0


@on_stage
async def test_a_gateway_moved_to_another_namespace_keeps_the_login_of_the_former_one(stage: Stage) -> None:
    await begin(stage, "pod-a")
    new = Place("edge", PLACE.name)
    declare(stage, namespace="edge")
    await stage.sleep(HOUR)
    assert secret_user(stage) == f"{NAMES.role}.a"
    assert secret_user(stage, new) == f"{NAMES.role}.b"
    stage.gateways.run(new, "pod-b")
    await stage.sleep(HOUR)
    assert set(stage.gateways.objects) == {new.config, new.login}
    assert users(stage) == {f"{NAMES.role}.b"}
    assert secret_user(stage, new) == f"{NAMES.role}.b"


@on_stage
async def test_a_gateway_that_gives_way_to_a_realm_is_deleted(stage: Stage) -> None:
    await begin(stage, "pod-a")
    realm = {"jwtRealm": {"name": REALM, "audience": AUDIENCE}}
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity=realm))
    await stage.sleep(120)
    assert not stage.gateways.objects
    assert users(stage) == set()
    assert "gateway" not in stage.cluster()["status"]
    assert condition(stage, "GatewayInSync") == ("", "")


@on_stage
async def test_a_dry_run_says_what_it_would_write_and_writes_nothing(stage: Stage) -> None:
    await begin(stage, "pod-a")
    await stage.stop()
    config = stage.gateways.objects[PLACE.config]
    stage.gateways.store(PLACE.config, config.data | {LISTENERS: "accept: everybody"})
    del stage.gateways.objects[PLACE.login]
    changes = await stage.dry_run()
    assert {change.object for change in changes} == {str(PLACE.config), str(PLACE.login)}
    stage.start()


@on_stage
async def test_with_a_crd_that_drops_the_record_nothing_is_written_and_that_is_said(stage: Stage) -> None:
    stage.kubernetes.unknown = frozenset({"gateway"})
    await begin(stage, "pod-a")
    await stage.sleep(120)
    assert not stage.gateways.objects
    ready = condition_in(stage.cluster(), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Pending")
    assert "CRD" in ready["message"]
    stage.kubernetes.unknown = frozenset()
    stage.annotate(CLUSTER_KEY, "searchaccess.dev/reconcile-requested-at", "now")
    await stage.sleep(180)
    assert secret_user(stage)


@on_stage
async def test_a_search_cluster_that_hands_over_to_a_younger_one_takes_its_gateway_along(stage: Stage) -> None:
    await begin(stage, "pod-a")
    edge = {"gateway": gateway(name="edge")}
    stage.gateways.run(Place("gateways", "edge"), "pod-b")
    stage.apply(search_cluster("younger", identity=edge))
    await stage.quiet()
    assert stage.cluster_ready("younger") == ("False", "DuplicateCluster")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(300)
    assert stage.cluster() == {}
    assert users(stage) == set(), "whoever has the Secret could act as every caller"
    assert NAMES.role not in stage.elasticsearch.roles_now
    assert {target.name for target in stage.gateways.objects} == {"edge-config", "edge-login"}


@on_stage
async def test_a_gateway_that_cannot_be_deleted_is_not_left_behind_by_a_hand_over(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(search_cluster("younger", identity={"gateway": gateway(name="edge")}))
    await stage.quiet()
    stage.faults.fail(SIDE, PermissionDenied("secrets is forbidden"), "delete")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert stage.cluster_ready() == ("False", "PermissionDenied")
    stage.faults.heal(SIDE)
    await stage.sleep(300)
    assert stage.cluster() == {}
    assert users(stage) == set()


def test_the_stored_status_is_parsed_when_it_changes_and_not_at_each_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed, parse = [], SearchClusterStatus.parse

    def count(text: str) -> SearchClusterStatus:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(SearchClusterStatus, "parse", count)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        await stage.sleep(60)
        assert parsed
        parsed.clear()
        await stage.sleep(60)
        assert parsed == []

    play()
