"""Plans of a role with entries for remote clusters: whose each is, what differs, and what somebody added."""

from typing import Any

import pytest

from searchaccess.core.model.access import Access
from tests.unit.builders import a_grant, members_of
from tests.unit.scenarios import applied, gone, reader, writer
from tests.unit.world import World

EU: dict[str, Any] = {"remoteClusters": ["eu"]}


def remote_reader(name: str = "reader", **more: Any) -> Access:
    """Return one that reads here and on a remote cluster, the remote one declared first."""
    grants = [a_grant(f"{name}-*", **EU), a_grant(f"{name}-*"), a_grant(f"{name}-far", **EU)]
    return reader(name, **({"grants": grants} | more))


def remote_names(world: World) -> set[str]:
    assert world.raw is not None
    return {name for entry in world.raw.get("remote_indices", []) for name in entry["names"]}


def far(world: World) -> dict[str, Any]:
    assert world.raw is not None
    found: dict[str, Any] = world.raw["remote_indices"][0]
    return found


def test_what_was_written_is_in_sync() -> None:
    world, seen = applied(remote_reader(), writer())
    assert remote_names(world) == {"reader-*", "reader-far"}
    assert not world.plan(members_of(remote_reader(), writer()), seen).changes


TAMPERINGS: dict[str, tuple[Any, str]] = {
    "a privilege": (lambda world: far(world).update(privileges=["all"]), "remote_indices[eu:reader-*].privileges"),
    "other indices": (lambda world: far(world).update(names=["*"]), "remote_indices[eu:reader-*].names"),
    "another cluster": (lambda world: far(world).update(clusters=["*"]), "remote_indices[eu:reader-*].clusters"),
    "a query": (lambda world: far(world).update(query='{"term":{"a":1}}'), "remote_indices[eu:reader-*].query"),
    "an unknown key": (lambda world: far(world).update(future=1), "remote_indices[eu:reader-*].other"),
    "one fewer": (lambda world: world.raw["remote_indices"].pop(0), "remote_indices[eu:reader-*]"),
    "one more": (
        lambda world: world.raw["remote_indices"].append({"clusters": ["us"], "names": ["x"], "privileges": ["all"]}),
        "remote_indices[us:x]",
    ),
    "one without a cluster": (
        lambda world: world.raw["remote_indices"].append({"clusters": [], "names": ["x"], "privileges": ["all"]}),
        "other",
    ),
    "none": (lambda world: world.raw.pop("remote_indices"), "remote_indices[eu:reader-*]"),
    "the one of here": (
        lambda world: world.raw["indices"][0].update(privileges=["all"]),
        "indices[reader-*].privileges",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERINGS)
def test_what_somebody_changed_is_named_and_corrected(case: str) -> None:
    world, seen = applied(remote_reader(), writer())
    change, path = TAMPERINGS[case]
    before = world.entries
    change(world)
    plan = world.run(members_of(remote_reader(), writer()), seen)
    assert path in {item.path for item in plan.findings["uid-reader"].drift}
    assert world.entries == before
    assert world.role is not None
    assert world.role.body.other == ""
    assert not world.plan(members_of(remote_reader(), writer()), seen).changes


def test_the_same_indices_here_and_there_are_not_taken_for_each_other() -> None:
    world, seen = applied(remote_reader(), writer())
    assert world.raw is not None
    for entry in (*world.raw["indices"], *world.raw["remote_indices"]):
        entry["privileges"] = ["all"]
    plan = world.run(members_of(remote_reader(), writer()), seen)
    assert [item.path for item in plan.findings["uid-reader"].drift] == [
        "remote_indices[eu:reader-*].privileges",
        "indices[reader-*].privileges",
        "remote_indices[eu:reader-far].privileges",
    ]
    assert [item.path for item in plan.findings["uid-writer"].drift] == ["indices[writer-*].privileges"]


@pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observed"])
def test_one_that_is_held_keeps_what_it_has_whatever_was_changed_of_it(held: dict[str, Any]) -> None:
    world, seen = applied(remote_reader(), writer())
    far(world).update(names=["x"], clusters=["us"])
    for _ in range(2):
        world.run(members_of(remote_reader(**held), writer()), seen)
        assert remote_names(world) == {"x", "reader-far"}
    world.run(members_of(remote_reader(), writer()), seen)
    assert remote_names(world) == {"reader-*", "reader-far"}


@pytest.mark.parametrize(("policy", "left"), [("Delete", set()), ("Orphan", {"reader-*", "reader-far"})])
def test_what_is_deleted_goes_or_stays_as_declared(policy: str, left: set[str]) -> None:
    world, seen = applied(remote_reader(), writer())
    grants = [a_grant("reader-*", **EU), a_grant("reader-*"), a_grant("reader-far", **EU)]
    world.run(members_of(gone("reader", policy, grants=grants), writer()), seen)
    assert remote_names(world) == left
    world.run(members_of(writer()), {"uid-writer": seen["uid-writer"]})
    assert remote_names(world) == left
    assert world.raw is not None
    assert ("remote_indices" in world.raw) == bool(left)
