"""Plans of one principal's role, case by case."""

from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.core.model.access import Access
from tests.unit.builders import NOW, a_grant, an_entry, members_of
from tests.unit.scenarios import add, applied, entry_of, gone, reader, remove, writer
from tests.unit.world import World


def test_a_new_access_gets_its_role() -> None:
    world = World()
    plan = world.run(members_of(reader()))
    assert plan.findings["uid-reader"].pending
    assert not plan.findings["uid-reader"].drift
    assert world.names == {"reader-*"}
    assert not world.plan(members_of(reader())).changes


def test_a_change_of_the_declaration_is_pending_and_no_drift() -> None:
    world, seen = applied(reader())
    changed = reader(grants=[a_grant("other-*")], generation=2)
    plan = world.run(members_of(changed), seen)
    assert plan.findings["uid-reader"].pending
    assert not plan.findings["uid-reader"].drift
    assert world.names == {"other-*"}


def test_a_new_generation_with_the_same_rights_writes_nothing() -> None:
    world, seen = applied(reader())
    assert not world.plan(members_of(reader(generation=7)), seen).changes


TAMPERINGS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "an added entry": (lambda raw: raw["indices"].append(an_entry("x")), "indices[x]"),
    "an added privilege": (
        lambda raw: raw["indices"][0].update(privileges=["all", "read", "view_index_metadata"]),
        "indices[reader-*].privileges",
    ),
    "a removed entry": (lambda raw: raw["indices"].clear(), "indices[reader-*]"),
    "other index names": (lambda raw: raw["indices"][0].update(names=["x"]), "indices[reader-*].names"),
    "a document restriction": (
        lambda raw: raw["indices"][0].update(query='{"term":{"a":1}}'),
        "indices[reader-*].query",
    ),
    "a field restriction": (
        lambda raw: raw["indices"][0].update(field_security={"grant": ["a"], "except": ["b"]}),
        "indices[reader-*].field_security.grant",
    ),
    "restricted indices": (
        lambda raw: raw["indices"][0].update(allow_restricted_indices=True),
        "indices[reader-*].allow_restricted_indices",
    ),
    "an entry's unknown key": (lambda raw: raw["indices"][0].update(future=1), "indices[reader-*].other"),
    "a cluster privilege": (lambda raw: raw["cluster"].append("all"), "cluster"),
    "run_as": (lambda raw: raw["run_as"].append("elastic"), "other"),
    "applications": (lambda raw: raw["applications"].append({"application": "kibana"}), "other"),
    "remote indices": (lambda raw: raw.update(remote_indices=[{"names": ["*"]}]), "other"),
    "a description": (lambda raw: raw.update(description="mine"), "description"),
    "no owners": (lambda raw: raw["metadata"].pop("owners"), "metadata.owners"),
    "owners that are no list": (lambda raw: raw["metadata"].update(owners="me"), "metadata.owners"),
    "an owner without uid": (lambda raw: raw["metadata"]["owners"][0].update(uid=""), "metadata.owners"),
    "another spec hash of an owner": (
        lambda raw: raw["metadata"]["owners"][0].update(spec_hash="0"),
        "metadata.owners",
    ),
    "another spec hash of the role": (lambda raw: raw["metadata"].update(spec_hash="0"), "metadata.spec_hash"),
    "another principal": (lambda raw: raw["metadata"].update(principal="me"), "metadata.principal"),
    "an unknown key of the metadata": (lambda raw: raw["metadata"].update(surprise=[1]), "metadata.surprise"),
    "an owner twice": (lambda raw: raw["metadata"]["owners"].append(raw["metadata"]["owners"][0]), "metadata.owners"),
}


@pytest.mark.parametrize(("tamper", "path"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_drift_and_is_corrected(tamper: Callable[[dict[str, Any]], Any], path: str) -> None:
    world, seen = applied(reader())
    intact = world.role
    assert world.raw is not None
    tamper(world.raw)
    plan = world.run(members_of(reader()), seen)
    assert path in [difference.path for difference in plan.findings["uid-reader"].drift]
    assert world.role == intact
    assert not world.plan(members_of(reader()), seen).changes


@pytest.mark.parametrize(("tamper", "path"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_reported_under_observe_and_not_touched(
    tamper: Callable[[dict[str, Any]], Any], path: str
) -> None:
    world, seen = applied(reader())
    assert world.raw is not None
    tamper(world.raw)
    plan = world.plan(members_of(reader(mode="Observe")), seen)
    assert path in [difference.path for difference in plan.findings["uid-reader"].differences]
    assert not plan.changes


@pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observed"])
class TestHeld:
    """One access is held, another one of the same principal is enforced."""

    @pytest.fixture
    def other(self, held: dict[str, Any]) -> Access:
        return reader(**held)

    def test_its_changed_entry_stays_while_the_others_are_corrected(self, other: Access) -> None:
        world, seen = applied(reader(), writer())
        entry_of(world, "reader")["privileges"] = ["all"]
        remove(world, "writer")
        add(world, "x")
        world.run(members_of(other, writer()), seen)
        assert world.names == {"reader-*", "writer-*"}
        assert entry_of(world, "reader")["privileges"] == ["all"]
        assert not world.plan(members_of(other, writer()), seen).changes

    def test_its_changed_entry_is_no_lasting_difference_of_the_enforced_one(self, other: Access) -> None:
        world, seen = applied(reader(), writer())
        entry_of(world, "reader")["privileges"] = ["all"]
        for _ in range(3):
            plan = world.run(members_of(other, writer()), seen)
            assert not plan.findings["uid-writer"].differences

    def test_its_removed_entry_does_not_come_back_and_nothing_takes_its_place(self, other: Access) -> None:
        world, seen = applied(reader(), writer())
        remove(world, "reader")
        world.run(members_of(other, writer()), seen)
        add(world, "x")
        world.run(members_of(other, writer()), seen)
        assert world.names == {"writer-*"}

    def test_it_keeps_its_entry_when_its_record_was_removed(self, other: Access) -> None:
        world, seen = applied(reader(), writer())
        assert world.raw is not None
        world.raw["metadata"]["owners"] = []
        entry_of(world, "reader")["privileges"] = ["all"]
        world.run(members_of(other, writer()), seen)
        assert entry_of(world, "reader")["privileges"] == ["all"]
        assert [owner["name"] for owner in world.raw["metadata"]["owners"]] == ["reader", "writer"]

    def test_it_keeps_its_entry_when_its_record_was_removed_after_its_spec_changed(self, held: dict[str, Any]) -> None:
        world, seen = applied(reader(), writer())
        assert world.raw is not None
        world.raw["metadata"]["owners"] = []
        changed = reader(grants=[a_grant("new-*")], generation=2, **held)
        world.run(members_of(changed, writer()), seen)
        assert world.names == {"reader-*", "writer-*"}
        add(world, "x")
        world.run(members_of(changed, writer()), seen)
        assert world.names == {"reader-*", "writer-*"}

    def test_it_keeps_its_entry_when_it_is_made_anew_under_its_name(self, held: dict[str, Any]) -> None:
        world, _ = applied(reader(), writer())
        again = reader(uid="another", **held)
        plan = world.run(members_of(again, writer()))
        assert world.names == {"reader-*", "writer-*"}
        assert not plan.findings["another"].drift
        assert not plan.findings["another"].differences

    def test_its_entry_moves_in_the_role_and_stays_its_own(self, held: dict[str, Any]) -> None:
        world, seen = applied(reader("b"), writer("a"))
        assert world.raw is not None
        remove(world, "a")
        entry_of(world, "b")["privileges"] = ["all"]
        changed = reader("b", grants=[a_grant("new-*")], generation=2, **held)
        world.run(members_of(changed, writer("a")), seen)
        assert world.names == {"a-*", "b-*"}
        assert entry_of(world, "b")["privileges"] == ["all"]

    def test_alone_it_is_never_written_to(self, other: Access) -> None:
        world, seen = applied(reader())
        assert world.raw is not None
        for tamper, _ in TAMPERINGS.values():
            tamper(world.raw) if "owners" in world.raw["metadata"] and world.raw["indices"] else None
            assert not world.plan(members_of(other), seen).changes

    def test_alone_without_any_known_owner_its_role_is_not_deleted(self, other: Access) -> None:
        world, _ = applied(reader())
        assert world.raw is not None
        world.raw["metadata"]["owners"] = []
        assert not world.plan(members_of(other)).changes

    def test_a_deleted_role_is_not_made_anew_for_it(self, other: Access) -> None:
        _, seen = applied(reader())
        assert not World().plan(members_of(other), seen).changes

    def test_a_deleted_role_comes_back_with_the_others_entries_only(self, other: Access) -> None:
        _, seen = applied(reader(), writer())
        world = World()
        world.run(members_of(other, writer()), seen)
        assert world.names == {"writer-*"}
        assert not world.plan(members_of(other, writer()), seen).changes

    def test_adoption_of_the_role_by_another_one_leaves_its_entry(self, other: Access) -> None:
        world, seen = applied(reader(), writer())
        assert world.raw is not None
        world.raw["metadata"] = {}
        add(world, "x")
        world.agree()
        world.run(members_of(other, writer()), seen)
        assert world.names == {"reader-*", "writer-*"}

    def test_a_disabled_role_stays_as_it_is(self, other: Access) -> None:
        world, seen = applied(writer())
        world.run(members_of(writer(deleted_at=NOW, deletionPolicy="Disable")), seen)
        assert not world.plan(members_of(other)).changes


def test_a_deleted_role_is_drift_for_who_had_it_and_comes_back() -> None:
    _, seen = applied(reader())
    world = World()
    plan = world.run(members_of(reader()), seen)
    (difference,) = plan.findings["uid-reader"].drift
    assert difference.path == "."
    assert world.names == {"reader-*"}


def test_a_cluster_privilege_of_two_goes_with_the_second() -> None:
    first, second = reader("a", clusterCan=["monitor"]), reader("b", clusterCan=["monitor"])
    world, seen = applied(first, second)
    world.run(members_of(gone("a", "Delete", clusterCan=["monitor"]), second), seen)
    assert world.role is not None
    assert list(world.role.body.cluster) == ["monitor"]
    world.run(members_of(reader("b", generation=2)), seen)
    assert list(world.role.body.cluster) == []


def test_an_invalid_access_keeps_what_it_has() -> None:
    world, seen = applied(reader(), writer())
    broken = reader(grants=[a_grant("Upper")], generation=2)
    assert broken.invalid
    add(world, "x")
    world.run(members_of(broken, writer()), seen)
    assert world.names == {"reader-*", "writer-*"}
