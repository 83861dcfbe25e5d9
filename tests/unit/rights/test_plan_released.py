"""Released rights in a role: only what is remembered counts, and it goes when it is to go."""

import pytest

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.ownership import metadata_from_json
from tests.unit.builders import ROLE, a_role, members_of
from tests.unit.scenarios import add, applied, entry_of, gone, reader
from tests.unit.world import World

A = frozenset({"a"})


def forge(world: World, *names: str) -> None:
    """Add an entry, and say in the metadata that it was released."""
    add(world, *names)
    assert world.raw is not None
    body = role_from_json(world.raw)
    said = world.raw["metadata"].setdefault("released", {"entries": [], "cluster": []})
    said["entries"].append(body.entries[-1].hash)


class TestRemembering:
    def test_rights_are_released_only_when_they_are_remembered(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        members = members_of(gone("a", "Orphan"), reader("b"))
        plan = world.plan(members, seen)
        assert not plan.changes
        assert plan.refused["uid-a"].do is Do.HOLD
        world.remember(plan)
        plan = world.run(members, seen)
        assert world.role is not None
        assert [record.uid for record in metadata_from_json(world.role.metadata).records] == ["uid-b"]
        assert world.names == {"a-*", "b-*"}

    def test_whoever_changes_the_deletion_policy_meanwhile_has_them_revoked(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.remember(world.plan(members_of(gone("a", "Orphan"), reader("b")), seen))
        world.run(members_of(gone("a", "Delete"), reader("b")), seen)
        assert world.names == {"b-*"}

    def test_what_others_do_meanwhile_is_remembered_too(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        members = members_of(gone("a", "Orphan"), reader("b"))
        world.remember(world.plan(members, seen))
        entry_of(world, "a")["privileges"] = ["all"]
        assert world.plan(members, seen).refused["uid-a"].do is Do.HOLD
        world.run(members, seen)
        assert not world.plan(members_of(reader("b")), seen).changes
        assert world.names == {"a-*", "b-*"}


class TestForgery:
    def test_an_entry_that_nobody_released_is_drift_and_goes(self) -> None:
        world, seen = applied(reader("b"))
        forge(world, "x")
        plan = world.plan(members_of(reader("b")), seen)
        assert {item.path for item in plan.findings["uid-b"].drift} == {"indices[x]", "metadata.released"}
        world.run(members_of(reader("b")), seen)
        assert world.names == {"b-*"}
        assert world.raw is not None
        assert "released" not in world.raw["metadata"]

    def test_beside_what_was_released(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), reader("b")), seen)
        forge(world, "x")
        assert world.plan(members_of(reader("b")), seen).findings["uid-b"].drift
        world.run(members_of(reader("b")), seen)
        assert world.names == {"a-*", "b-*"}
        assert not world.plan(members_of(reader("b")), seen).changes

    def test_a_cluster_privilege_too(self) -> None:
        world, seen = applied(reader("b"))
        assert world.raw is not None
        world.raw["cluster"] = ["all"]
        world.raw["metadata"]["released"] = {"entries": [], "cluster": ["all"]}
        assert world.plan(members_of(reader("b")), seen).findings["uid-b"].drift
        world.run(members_of(reader("b")), seen)
        assert world.raw["cluster"] == []

    def test_a_released_entry_that_somebody_changed_was_added_by_him(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), reader("b")), seen)
        entry_of(world, "a")["privileges"] = ["all"]
        assert world.plan(members_of(reader("b")), seen).findings["uid-b"].drift
        world.run(members_of(reader("b")), seen)
        assert world.names == {"b-*"}

    def test_it_does_not_outlive_the_last_owner(self) -> None:
        world, seen = applied(reader("b"))
        forge(world, "x")
        world.run(members_of(gone("b", "Delete")), seen)
        assert world.raw is None

    def test_that_a_role_says_it_was_released_lets_nobody_go(self) -> None:
        world, seen = applied(reader("b"))
        assert world.raw is not None
        world.raw["metadata"] = {"released_by": MANAGED_BY}
        assert world.plan(members_of(gone("b", "Delete")), seen).findings["uid-b"].conflict == ROLE

    def test_what_metadata_lost_is_still_remembered(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), reader("b")), seen)
        assert world.raw is not None
        del world.raw["metadata"]["released"]
        world.run(members_of(reader("b")), seen)
        assert world.names == {"a-*", "b-*"}
        assert "released" in world.raw["metadata"]


class TestRevoking:
    @pytest.mark.parametrize(
        "more", [{}, {"suspend": True}, {"mode": "Observe"}], ids=["enforced", "suspended", "observed"]
    )
    def test_it_goes_out_of_a_shared_role_whatever_the_others_do(self, more: dict[str, bool | str]) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), reader("b")), seen)
        world.revoke = A
        plan = world.run(members_of(reader("b", **more)), seen)
        assert [item.name for item in plan.releasing.revoked] == ["a"]
        assert not plan.findings["uid-b"].drift
        assert world.names == {"b-*"}
        assert not world.plan(members_of(reader("b", **more)), seen).changes

    def test_of_two_only_what_is_named(self) -> None:
        world, seen = applied(reader("a"), reader("b"), reader("c"))
        world.run(members_of(gone("a", "Orphan"), gone("c", "Orphan"), reader("b")), seen)
        world.revoke = A
        world.run(members_of(reader("b")), seen)
        assert world.names == {"b-*", "c-*"}

    def test_a_role_that_is_nobodys_goes_with_it(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Orphan")), seen)
        world.revoke = A
        world.run([])
        assert world.raw is None

    def test_what_somebody_added_to_it_stays(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Orphan")), seen)
        add(world, "x")
        world.revoke = A
        world.run([])
        assert world.names == {"x"}
        assert not world.plan([]).changes

    def test_a_role_that_somebody_took_over_is_not_touched(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Orphan")), seen)
        assert world.raw is not None
        world.raw["metadata"] = {"made_by": "hand"}
        world.revoke = A
        assert not world.plan([]).changes

    def test_what_is_not_released_yet_is_released_first(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        members = members_of(gone("a", "Orphan"), reader("b"))
        world.revoke = A
        plan = world.run(members, seen)
        assert plan.releasing.revoked == ()
        assert world.names == {"a-*", "b-*"}
        world.run(members_of(reader("b")), seen)
        assert world.names == {"b-*"}

    def test_a_foreign_role_says_nothing(self) -> None:
        world = World(a_role(metadata={"released_by": MANAGED_BY}).to_json())
        world.revoke = A
        assert not world.plan([]).changes
