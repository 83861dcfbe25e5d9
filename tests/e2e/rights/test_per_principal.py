"""Clusters where role templates are not allowed: one role mapping for each principal."""

from typing import Any

from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, account, condition_in, grant

WITHIN = 90


def declare(world: World, name: str, *accesses: str, mapping: str = "PerPrincipal") -> None:
    """Declare a SearchCluster and accesses on it, and wait until all is well."""
    world.apply(world.cluster(name, drift={"probeEvery": "500ms"}, mapping=mapping))
    for one in accesses:
        world.admin.put(f"/{one}-1")
        world.apply(access(one, grant(f"{one}-*"), cluster=name))
    world.until_ready(*accesses, within=WITHIN)


def may_read(world: World, name: str) -> bool:
    with world.caller(name) as caller:
        return caller.get(f"/{name}-1/_search").is_success


def drift(world: World, name: str) -> dict[str, Any]:
    return dict(world.get(name)["status"]["drift"])


def test_a_grant_has_a_mapping_of_its_own_and_takes_it_along(elsewhere: World) -> None:
    declare(elsewhere, "single", "single-a", "single-b")
    mapping = elsewhere.mapping("single-a")
    assert mapping["roles"] == [elsewhere.role_name("single-a")]
    assert {"field": {"username": account("single-a")}} in mapping["rules"]["all"]
    assert not elsewhere.mapping(), "there is no mapping for all"
    assert may_read(elsewhere, "single-a")
    assert elsewhere.get("single-a")["status"]["elasticsearch"]["mapping"] == elsewhere.role_name("single-a")

    elsewhere.delete("single-a")
    assert not elsewhere.mapping("single-a")
    assert not elsewhere.role("single-a")
    assert not may_read(elsewhere, "single-a")
    assert may_read(elsewhere, "single-b")


def test_drift_of_a_mapping_is_reported_on_the_access_and_corrected(elsewhere: World) -> None:
    declare(elsewhere, "drifting", "drifting-a")
    before = elsewhere.mapping("drifting-a")
    edits: list[tuple[str, dict[str, Any]]] = [
        ("enabled", {"enabled": False}),
        ("rules", {"rules": {"field": {"username": "*"}}}),
        ("roles", {"roles": ["superuser"]}),
    ]
    for count, (path, change) in enumerate(edits, start=1):
        elsewhere.write_mapping(before | change, "drifting-a")
        eventually(lambda: elsewhere.mapping("drifting-a") == before, within=WITHIN, what=f"{path} is corrected")
        eventually(
            lambda count=count: drift(elsewhere, "drifting-a")["corrected"] == count,  # type: ignore[misc]
            within=WITHIN,
        )
        (item,) = drift(elsewhere, "drifting-a")["items"]
        assert item["object"] == f"role_mapping/{elsewhere.role_name('drifting-a')}"
        assert (item["path"], item["action"]) == (path, "Corrected")
        elsewhere.until_event("drifting-a", "DriftDetected", f"{item['object']} {path}")

    elsewhere.admin.delete(f"/_security/role_mapping/{elsewhere.role_name('drifting-a')}").raise_for_status()
    eventually(lambda: elsewhere.mapping("drifting-a") == before, within=WITHIN, what="the mapping is back")
    eventually(lambda: drift(elsewhere, "drifting-a")["corrected"] == len(edits) + 1, within=WITHIN)
    assert may_read(elsewhere, "drifting-a")


def test_observe_reports_drift_of_a_mapping_and_leaves_it(elsewhere: World) -> None:
    declare(elsewhere, "lookout", "lookout-a")
    elsewhere.patch("lookout-a", {"spec": {"mode": "Observe"}})
    elsewhere.until_ready("lookout-a", within=WITHIN)
    elsewhere.write_mapping(elsewhere.mapping("lookout-a") | {"enabled": False}, "lookout-a")
    elsewhere.until_reason("lookout-a", "DriftDetected", status="False", within=WITHIN)
    assert [item["path"] for item in drift(elsewhere, "lookout-a")["items"]] == ["enabled"]
    assert elsewhere.mapping("lookout-a")["enabled"] is False


def test_a_foreign_mapping_of_one_principal_is_a_conflict_of_that_one_alone(elsewhere: World) -> None:
    foreign = {"enabled": True, "roles": ["kibana_admin"], "rules": {"field": {"username": "x"}}, "metadata": {"a": 1}}
    elsewhere.write_mapping(foreign, "taken-a")
    before = elsewhere.mapping("taken-a")
    declare(elsewhere, "taken", "taken-b")
    elsewhere.apply(access("taken-a", grant("taken-a-*"), cluster="taken"))
    found = elsewhere.until_reason("taken-a", "OwnershipConflict", status="False", within=WITHIN)
    assert condition_in(found, "Stalled")["status"] == "True"
    assert elsewhere.mapping("taken-a") == before
    assert may_read(elsewhere, "taken-b")
    elsewhere.delete("taken-a")
    assert elsewhere.mapping("taken-a") == before


def test_a_cluster_changes_between_the_two_kinds_and_nobody_loses_a_right(elsewhere: World) -> None:
    declare(elsewhere, "switching", "switching-a", "switching-b", mapping="RoleTemplate")
    caller = elsewhere.caller("switching-a")
    assert caller.get("/switching-a-1/_search").status_code == 200

    for kind in ("PerPrincipal", "RoleTemplate"):
        own = kind == "PerPrincipal"
        elsewhere.patch_cluster("switching", {"spec": {"mapping": kind}})

        def switched(*, own: bool = own) -> bool:
            answers = (caller.get("/switching-a-1/_search").status_code, may_read(elsewhere, "switching-b"))
            assert answers == (200, True), "a right is missing for a moment"
            each = [bool(elsewhere.mapping(name)) for name in ("switching-a", "switching-b")]
            return each == [own, own] and bool(elsewhere.mapping()) is not own

        eventually(switched, within=WITHIN, what=f"mappings are {kind}")
        elsewhere.until_cluster_reason("switching", "InSync", status="True", within=WITHIN)
        elsewhere.until_ready("switching-a", "switching-b", within=WITHIN)
        mapping = elsewhere.role_name("switching-a") if own else f"searchaccess.{elsewhere.instance}"
        eventually(
            lambda mapping=mapping: elsewhere.get("switching-a")["status"]["elasticsearch"]["mapping"] == mapping,  # type: ignore[misc]
            within=WITHIN,
        )
        assert drift(elsewhere, "switching-a")["detected"] == 0
