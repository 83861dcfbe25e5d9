"""What others made in Elasticsearch is never touched, unless a person says so; what is ours and of no use goes."""

from typing import Any

import pytest

from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, World, access, account, condition_in, grant

FOREIGN = {
    "cluster": ["monitor"],
    "indices": [{"names": ["legacy-*"], "privileges": ["all"]}],
    "metadata": {"team": "legacy"},
}
WITHIN = 60


def put_role(world: World, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Write a role under one of our names, and give it as Elasticsearch has it."""
    world.write_role(name, body)
    return world.role(name)


def reconciled_again(world: World, name: str) -> None:
    """Request a reconcile of an access and wait for it."""
    stamp = world.get(name)["metadata"]["resourceVersion"]
    world.annotate(name, "reconcile-requested-at", stamp)
    eventually(lambda: world.get(name)["status"].get("lastHandledReconcileAt") == stamp, within=WITHIN)


def reconciled_fully(world: World, cluster: str = CLUSTER) -> None:
    """Request a full reconcile of a cluster, orphans included, and wait for it."""
    stamp = world.get_cluster(cluster)["metadata"]["resourceVersion"]
    world.kubernetes.run_kubectl(
        "annotate", "searchcluster", cluster, "--overwrite", f"searchaccess.dev/reconcile-requested-at={stamp}"
    )
    eventually(lambda: world.get_cluster(cluster)["status"].get("lastHandledReconcileAt") == stamp, within=WITHIN)


def test_a_foreign_role_under_our_name_is_not_touched(world: World) -> None:
    foreign = put_role(world, "legacy", FOREIGN)
    world.apply(access("legacy", grant("orders-*")))

    found = world.until_reason("legacy", "OwnershipConflict", status="False", within=WITHIN)
    stalled = condition_in(found, "Stalled")
    assert stalled["status"] == "True"
    assert f"spec.adoption.objects: [{{name: {world.role_name('legacy')}, hash: " in stalled["message"]
    assert condition_in(found, "Reconciling") == {}
    world.until_event("legacy", "OwnershipConflict", world.role_name("legacy"))
    reconciled_again(world, "legacy")
    assert world.role("legacy") == foreign

    world.delete("legacy")
    assert world.role("legacy") == foreign, "nor when the SearchAccess goes"
    reconciled_fully(world)
    assert world.role("legacy") == foreign


def ready_message(found: dict[str, Any]) -> str:
    return str(condition_in(found, "Ready")["message"])


def test_a_foreign_role_is_adopted_once_when_the_platform_agrees(world: World) -> None:
    foreign, name = put_role(world, "adopted", FOREIGN), world.role_name("adopted")
    world.apply(access("adopted", grant("orders-*"), annotations={"searchaccess.dev/adopt": name}))
    found = world.until_reason("adopted", "OwnershipConflict", within=WITHIN)
    assert "does not count in namespace shop: the platform team decides" in ready_message(found)
    assert world.role("adopted") == foreign, "the team itself adopts nothing"

    world.agree(name, ready_message(found))
    world.until_ready("adopted", within=WITHIN)
    role = world.role("adopted")
    assert [entry["names"] for entry in role["indices"]] == [["orders-*"]]
    assert role["cluster"] == []
    assert "team" not in role["metadata"]
    event = world.until_event("adopted", "Adopted", world.role_name("adopted"))
    assert "legacy-*" in event["message"], "it says what there was"
    assert "monitor" in event["message"]

    again = put_role(world, "adopted", FOREIGN)
    found = world.until_reason("adopted", "ControllersFight", status="False", within=WITHIN)
    assert "somebody has written it again since" in ready_message(found)
    # Other tests have adopted others.
    assert [item["name"] for item in world.get_cluster()["status"]["adopted"]].count(name) == 1
    reconciled_again(world, "adopted")
    assert world.role("adopted") == again

    world.admin.delete(f"/_security/role/{name}").raise_for_status()
    world.until_ready("adopted", within=WITHIN)
    world.delete("adopted")
    assert not world.role("adopted"), "it is ours now, and goes with the SearchAccess"


def test_a_conflict_ends_when_the_foreign_role_goes(world: World) -> None:
    put_role(world, "resolved", FOREIGN)
    world.apply(access("resolved", grant("orders-*")))
    world.until_reason("resolved", "OwnershipConflict", within=WITHIN)

    world.admin.delete(f"/_security/role/{world.role_name('resolved')}").raise_for_status()
    world.until_ready("resolved", within=WITHIN)
    assert condition_in(world.get("resolved"), "Stalled") == {}


def test_somebody_who_removes_our_stamp_makes_a_conflict_and_not_a_fight(world: World) -> None:
    world.apply(access("unstamped", grant("orders-*")))
    world.until_ready("unstamped")
    role = world.role("unstamped")
    body = put_role(world, "unstamped", role | {"metadata": {}})

    found = world.until_reason("unstamped", "OwnershipConflict", within=WITHIN)
    assert world.role("unstamped") == body
    world.agree(world.role_name("unstamped"), ready_message(found))
    world.until_ready("unstamped", within=WITHIN)
    assert world.role("unstamped") == role


def others(world: World) -> dict[str, dict[str, Any]]:
    """Return roles that look much like ours."""
    world.apply(access("model", grant("orders-*")))
    world.until_ready("model")
    ours = world.role("model")
    ours.pop("transient_metadata")
    stamp = ours["metadata"]
    return {
        "searchaccess.another.model@acme-shop.iam.gserviceaccount.com": ours
        | {"metadata": stamp | {"instance": "another"}},
        world.role_name("of-another-controller"): ours | {"metadata": stamp | {"controller": "another-cluster"}},
        world.role_name("of-another-tool"): ours | {"metadata": stamp | {"managed_by": "another-tool"}},
        world.role_name("of-nobody"): ours | {"metadata": {}},
        f"searchaccess.{world.instance}": ours | {"metadata": {}},
        "model@acme-shop.iam.gserviceaccount.com": ours | {"metadata": stamp},
    }


def test_orphans_of_ours_go_and_nothing_of_others_is_touched(world: World) -> None:
    foreign = others(world)
    for name, body in foreign.items():
        world.admin.put(f"/_security/role/{name}", json=body).raise_for_status()
    before = {name: world.admin.get(f"/_security/role/{name}").json() for name in foreign}
    put_role(world, "orphan", world.role("model"))

    eventually(lambda: not world.role("orphan"), within=WITHIN, what="the orphan is gone")
    reconciled_fully(world)
    assert {name: world.admin.get(f"/_security/role/{name}").json() for name in foreign} == before
    assert world.role("model")


@pytest.mark.parametrize("of", [{"instance": "another"}, {"controller": "another-cluster"}])
def test_a_role_of_another_installation_is_a_conflict_like_any_other(world: World, of: dict[str, str]) -> None:
    name = f"shared-{next(iter(of))}"
    world.apply(access(name, grant("orders-*")))
    world.until_ready(name)
    role = world.role(name)
    world.delete(name)
    theirs = put_role(world, name, role | {"metadata": role["metadata"] | of})

    world.apply(access(name, grant("orders-*")))
    world.until_reason(name, "OwnershipConflict", within=WITHIN)
    assert world.role(name) == theirs
    world.delete(name)
    assert world.role(name) == theirs


def test_an_orphan_left_while_the_operator_was_away_goes_when_it_comes_back(world: World) -> None:
    world.apply(access("forgotten", grant("orders-*")))
    world.until_ready("forgotten")
    world.process.stop()
    try:
        # Somebody forces the object away, finalizer and all.
        world.delete("forgotten", wait=False)
        world.patch("forgotten", {"metadata": {"finalizers": None}})
        assert world.role("forgotten")
    finally:
        world.process.start()
    eventually(lambda: not world.role("forgotten"), within=2 * WITHIN, what="the orphan is gone")


FOREIGN_MAPPING = {
    "enabled": True,
    "roles": ["kibana_admin"],
    "rules": {"field": {"realm.name": "legacy"}},
    "metadata": {"team": "legacy"},
}


def test_a_foreign_role_mapping_under_our_name_stops_granting_until_it_is_adopted(elsewhere: World) -> None:
    world = elsewhere
    world.write_mapping(FOREIGN_MAPPING)
    foreign = world.mapping()
    world.apply(world.cluster("occupied", drift={"probeEvery": "500ms"}))
    world.apply(access("occupied", grant("orders-*"), cluster="occupied"))

    found = world.until_reason("occupied", "OwnershipConflict", status="False", within=WITHIN)
    assert condition_in(found, "Stalled")["status"] == "True"
    seen = world.until_cluster_reason("occupied", "OwnershipConflict", status="False", within=WITHIN)
    assert condition_in(seen, "Stalled")["status"] == "True"
    assert "spec.adoption.objects: [{name: searchaccess.default, hash: " in ready_message(seen)
    assert condition_in(seen, "Reachable")["status"] == "True"
    assert world.mapping() == foreign
    assert not world.role("occupied"), "nothing is granted"

    hash_ = ready_message(seen).partition("hash: ")[2][:16]
    agreed = f"searchaccess.dev/adopt=searchaccess.default@{hash_}"
    world.kubernetes.run_kubectl("annotate", "searchcluster", "occupied", agreed)
    world.until_ready("occupied", within=WITHIN)
    world.until_cluster_reason("occupied", "InSync", status="True", within=WITHIN)
    assert world.mapping()["metadata"]["managed_by"] == "searchaccess.dev"
    assert "role_templates" in world.mapping()
    event = world.until_event("occupied", "Adopted", "searchaccess.default", namespace="default")
    assert "kibana_admin" in event["message"], "it says what there was"
    assert world.caller("occupied").get("/orders-*/_search").status_code == 200


def test_a_foreign_role_mapping_stays_when_the_cluster_is_deleted(elsewhere: World) -> None:
    world = elsewhere
    world.write_mapping(FOREIGN_MAPPING)
    foreign = world.mapping()
    world.apply(world.cluster("visited"))
    world.apply(access("visited", grant("orders-*"), cluster="visited"))
    world.until_reason("visited", "OwnershipConflict", within=WITHIN)

    world.delete("visited")
    world.kubernetes.run_kubectl("delete", "searchcluster", "visited", "--timeout=30s")
    assert world.mapping() == foreign


def test_two_accesses_of_one_principal_both_report_the_conflict(world: World) -> None:
    foreign = put_role(world, "pair", FOREIGN)
    for name in ("pair-1", "pair-2"):
        world.apply(access(name, grant("orders-*"), principal=account("pair")))
    for name in ("pair-1", "pair-2"):
        found = world.until_reason(name, "OwnershipConflict", within=WITHIN)
    world.agree(world.role_name("pair"), ready_message(found))
    world.until_ready("pair-1", "pair-2", within=WITHIN)
    assert world.role("pair") != foreign
