"""What becomes of rights when SearchAccesses are deleted, and of roles that are not ours."""

from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.ownership.adoption import Agreed
from tests.unit.builders import NOW, OPERATOR, ROLE, a_body, a_grant, a_role, an_entry, members_of, our_metadata
from tests.unit.scenarios import add, applied, entry_of, gone, reader, remove
from tests.unit.world import World


class TestDeletion:
    def test_delete_of_the_last_one_deletes_the_role(self) -> None:
        world, seen = applied(reader("a"))
        add(world, "x")
        world.run(members_of(gone("a", "Delete")), seen)
        assert world.raw is None

    def test_delete_of_one_leaves_the_others(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Delete"), reader("b")), seen)
        assert world.names == {"b-*"}

    def test_delete_of_one_leaves_the_same_rights_of_another(self) -> None:
        same = [a_grant("orders-*")]
        world, seen = applied(reader("a", grants=same), reader("b", grants=same))
        world.run(members_of(gone("a", "Delete", grants=same), reader("b", grants=same)), seen)
        assert world.names == {"orders-*"}

    def test_orphan_of_the_last_one_releases_the_role_with_its_entries(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Orphan")), seen)
        assert world.names == {"a-*"}
        assert world.role is not None
        assert not OPERATOR.owns(world.role.metadata)

    def test_orphan_of_one_then_delete_of_the_rest_leaves_only_the_released_entries(self) -> None:
        world, seen = applied(reader("a"), reader("b"), reader("c"))
        world.run(members_of(gone("a", "Orphan"), reader("b"), reader("c")), seen)
        world.run(members_of(reader("b"), gone("c", "Delete")), seen)
        assert world.names == {"a-*", "b-*"}
        add(world, "x")
        world.run(members_of(gone("b", "Delete")), seen)
        assert world.names == {"a-*"}
        assert world.role is not None
        assert not OPERATOR.owns(world.role.metadata)

    def test_orphan_and_delete_in_one_pass_leave_only_the_released_entries(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), gone("b", "Delete")), seen)
        assert world.names == {"a-*"}

    def test_released_entries_stay_while_others_are_enforced(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), reader("b")), seen)
        add(world, "x")
        world.run(members_of(reader("b")), seen)
        assert world.names == {"a-*", "b-*"}
        assert not world.plan(members_of(reader("b")), seen).changes

    def test_released_entries_that_somebody_removes_are_nobodys_business(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Orphan"), reader("b")), seen)
        remove(world, "a")
        assert not world.plan(members_of(reader("b", suspend=True)), seen).changes
        world.run(members_of(reader("b")), seen)
        assert world.names == {"b-*"}

    def test_disable_of_the_last_one_keeps_an_empty_role_with_a_note(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Disable")), seen)
        assert world.raw is not None
        assert world.entries == []
        assert world.raw["metadata"]["disabled"] == {"since": NOW, "by": "shop/a"}
        assert NOW in world.raw["description"]
        assert not world.plan([]).changes

    def test_rights_that_somebody_adds_to_a_disabled_role_go(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Disable")), seen)
        add(world, "x")
        world.run([])
        assert world.entries == []
        assert world.raw is not None
        assert "disabled" in world.raw["metadata"]

    def test_a_new_access_fills_a_disabled_role_and_the_note_goes(self) -> None:
        world, seen = applied(reader("a"))
        world.run(members_of(gone("a", "Disable")), seen)
        plan = world.run(members_of(reader("b")))
        assert plan.findings["uid-b"].drift == ()
        assert world.names == {"b-*"}
        assert world.raw is not None
        assert "disabled" not in world.raw["metadata"]

    def test_disable_of_one_leaves_the_others_without_a_note(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(gone("a", "Disable"), reader("b")), seen)
        assert world.names == {"b-*"}
        assert world.raw is not None
        assert "disabled" not in world.raw["metadata"]

    def test_an_observed_one_leaves_all_as_it_is(self) -> None:
        world, seen = applied(reader("a"))
        add(world, "x")
        entry_of(world, "a")["privileges"] = ["all"]
        before = world.entries
        world.run(members_of(gone("a", "Delete", mode="Observe")), seen)
        assert world.entries == before

    def test_an_observed_one_that_never_had_rights_writes_nothing(self) -> None:
        world = World(a_role().to_json())
        plan = world.plan(members_of(gone("a", "Delete", mode="Observe")))
        assert not plan.changes
        assert not plan.findings["uid-a"].conflict

    @pytest.mark.parametrize("policy", ["Delete", "Orphan", "Disable"])
    @pytest.mark.parametrize("others", [(), (reader("b"),), (reader("b", suspend=True),)], ids=["last", "one", "held"])
    def test_a_second_pass_after_an_interruption_changes_nothing_and_needs_nobody(
        self, policy: str, others: tuple[Access, ...]
    ) -> None:
        world, seen = applied(reader("a"), *(reader(access.name) for access in others))
        members = members_of(gone("a", policy), *others)
        world.run(members, seen)
        plan = world.plan(members, seen)
        assert not plan.changes
        assert not plan.findings["uid-a"].conflict

    @pytest.mark.parametrize("policy", ["Delete", "Disable"])
    def test_rights_whose_record_was_removed_go_too(self, policy: str) -> None:
        world, seen = applied(reader("a"), reader("b"))
        assert world.raw is not None
        world.raw["metadata"]["owners"] = world.raw["metadata"]["owners"][1:]
        world.run(members_of(gone("a", policy), reader("b", suspend=True)), seen)
        assert world.names == {"b-*"}

    def test_owners_that_are_no_members_any_more_lose_their_rights(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        world.run(members_of(reader("b", mode="Observe")), seen)
        assert world.names == {"b-*"}
        world.run([])
        assert world.raw is None


class TestForeign:
    def test_it_is_a_conflict_and_is_not_touched(self) -> None:
        world = World(a_role().to_json())
        plan = world.plan(members_of(reader(), reader("b", mode="Observe")))
        assert not plan.changes
        assert plan.findings["uid-reader"].conflict == ROLE
        assert plan.findings["uid-b"].conflict == ROLE

    @pytest.mark.parametrize(
        "metadata",
        [
            {},
            {"managed_by": "terraform"},
            our_metadata(instance="another"),
            our_metadata(controller="another"),
            our_metadata(managed_by=None),
        ],
        ids=["nobody's", "somebody's", "another instance's", "another Kubernetes cluster's", "damaged"],
    )
    @pytest.mark.parametrize("adopt", ["", "true", ROLE, f"{ROLE}x", f"{ROLE}@0123456789abcdef"])
    def test_only_what_was_seen_is_adopted(self, metadata: dict[str, Any], adopt: str) -> None:
        world = World(a_role(metadata=metadata).to_json())
        world.agreed = Agreed("prod", namespaces=frozenset({"shop"}))
        access = reader(annotations={"searchaccess.dev/adopt": adopt})
        assert not world.plan(members_of(access)).changes

    def test_adoption_replaces_it_and_says_what_it_was(self) -> None:
        world = World(a_role(a_body(an_entry("x"), cluster=["all"], run_as=["elastic"])).to_json())
        world.agree()
        plan = world.run(members_of(reader()))
        assert '"run_as":["elastic"]' in plan.findings["uid-reader"].adopted
        assert world.names == {"reader-*"}
        assert world.role is not None
        assert world.role.body.cluster == ()
        assert world.role.body.other == ""
        assert not world.plan(members_of(reader())).changes

    @pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observed"])
    def test_a_held_access_does_not_adopt(self, held: dict[str, Any]) -> None:
        world = World(a_role().to_json())
        world.agree()
        assert not world.plan(members_of(reader(**held))).changes

    def test_a_deleted_access_with_rights_in_it_waits_for_a_person(self) -> None:
        world, seen = applied(reader())
        assert world.raw is not None
        world.raw["metadata"] = {}
        assert world.plan(members_of(gone("reader", "Delete")), seen).findings["uid-reader"].conflict == ROLE

    def test_a_deleted_access_that_never_had_rights_waits_for_nobody(self) -> None:
        world = World(a_role().to_json())
        assert world.plan(members_of(gone("reader", "Delete"))).findings["uid-reader"].conflict == ""

    def test_a_released_access_waits_for_nobody_as_nothing_is_to_be_done(self) -> None:
        world, seen = applied(reader())
        assert world.raw is not None
        world.raw["metadata"] = {}
        assert world.plan(members_of(gone("reader", "Orphan")), seen).findings["uid-reader"].conflict == ""

    def test_who_was_removed_when_the_role_was_released_waits_for_nobody(self) -> None:
        world, seen = applied(reader("a"), reader("b"))
        members = members_of(gone("a", "Orphan"), gone("b", "Delete"))
        world.run(members, seen)
        assert world.plan(members, seen).findings["uid-b"].conflict == ""

    def test_a_foreign_role_without_members_is_left_alone(self) -> None:
        assert not World(a_role().to_json()).plan([]).changes
