"""Plans of a role with rights in Kibana: whose each is, what differs, and what somebody added."""

from typing import Any

import pytest

from searchaccess.core.model.access import Access
from tests.unit.builders import a_grant, members_of
from tests.unit.scenarios import applied, gone, reader, writer
from tests.unit.world import World

DISCOVER: dict[str, Any] = {"spaces": ["sales"], "features": {"discover": "read"}}
MAPS: dict[str, Any] = {"spaces": ["sales"], "features": {"maps": "all"}}


def viewer(name: str = "viewer", **more: Any) -> Access:
    return reader(name, **({"kibana": [DISCOVER]} | more))


def granted(world: World) -> list[str]:
    """Return each privilege in each space, as often as it is granted."""
    assert world.raw is not None
    return sorted(
        f"{resource} {privilege}"
        for entry in world.raw["applications"]
        for resource in entry["resources"]
        for privilege in entry["privileges"]
    )


ONE = ["space:sales feature_discover.read"]


def test_the_union_of_all_is_granted_and_each_has_its_own() -> None:
    world, seen = applied(viewer(), writer(kibana=[MAPS, DISCOVER]))
    assert set(granted(world)) == {*ONE, "space:sales feature_maps.all"}
    assert not world.plan(members_of(viewer(), writer(kibana=[MAPS, DISCOVER])), seen).changes
    world.run(members_of(gone("viewer", "Delete", kibana=[DISCOVER]), writer(kibana=[MAPS, DISCOVER])), seen)
    assert set(granted(world)) == {*ONE, "space:sales feature_maps.all"}
    world.run(members_of(writer(kibana=[MAPS])), {"uid-writer": seen["uid-writer"]})
    assert granted(world) == ["space:sales feature_maps.all"]


def application(world: World) -> dict[str, Any]:
    assert world.raw is not None
    found: dict[str, Any] = world.raw["applications"][0]
    return found


ADDED = {"application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"]}
TAMPERINGS: dict[str, tuple[Any, str]] = {
    "a privilege": (
        lambda world: application(world)["privileges"].append("space_all"),
        "applications[space:sales].privileges",
    ),
    "another space": (
        lambda world: application(world).update(resources=["*"]),
        "applications[space:sales].resources",
    ),
    "one more": (lambda world: world.raw["applications"].append(ADDED), "applications[*]"),
    "one of another application": (
        lambda world: world.raw["applications"].append(ADDED | {"application": "mine"}),
        "other",
    ),
    "none": (lambda world: world.raw.update(applications=[]), "applications[space:sales]"),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_what_somebody_changed_is_named_and_corrected(case: str) -> None:
    members = members_of(viewer(grants=[a_grant("a", remoteClusters=["eu"]), a_grant("a")]), writer())
    world, seen = applied(*(member.access for member in members))
    change, path = TAMPERINGS[case]
    before = world.entries
    change(world)
    plan = world.run(members, seen)
    assert [item.path for item in plan.findings["uid-viewer"].drift] == [path]
    assert world.entries == before
    assert world.role is not None
    assert world.role.body.other == ""
    assert not world.plan(members, seen).changes


def test_what_nobody_declares_is_removed() -> None:
    world, seen = applied(reader())
    assert world.raw is not None
    world.raw["applications"] = [ADDED]
    plan = world.run(members_of(reader()), seen)
    assert [item.path for item in plan.findings["uid-reader"].drift] == ["applications[*]"]
    assert world.raw["applications"] == []


@pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observed"])
def test_one_that_is_held_keeps_what_it_has(held: dict[str, Any]) -> None:
    world, seen = applied(viewer(), writer())
    application(world).update(privileges=["feature_maps.read"])
    for _ in range(2):
        world.run(members_of(viewer(**held), writer()), seen)
        assert granted(world) == ["space:sales feature_maps.read"]


@pytest.mark.parametrize(("policy", "left"), [("Delete", []), ("Orphan", ONE)])
def test_what_is_deleted_goes_or_stays_as_declared(policy: str, left: list[str]) -> None:
    world, seen = applied(viewer(), writer())
    world.run(members_of(gone("viewer", policy, kibana=[DISCOVER]), writer()), seen)
    assert granted(world) == left
    world.run(members_of(writer()), {"uid-writer": seen["uid-writer"]})
    assert granted(world) == left


def test_a_whole_role_that_is_missing_is_reported_list_by_list() -> None:
    access = viewer(grants=[a_grant("a", remoteClusters=["eu"]), a_grant("b")])
    world, seen = applied(access)
    world.raw = None
    [item] = world.plan(members_of(access), seen).findings["uid-viewer"].differences
    assert '"applications":[{"application":"kibana-.kibana"' in item.want
    assert '"indices":[{"names":["b"]' in item.want
    assert '"remote_indices":[{"clusters":["eu"]' in item.want
