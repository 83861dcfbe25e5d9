"""Plans of one principal's role, case by case."""

from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.core.access import Access
from searchaccess.core.compose import Member
from searchaccess.core.records import Seen
from searchaccess.core.stance import Do, Stance
from tests.unit.builders import (
    NOW,
    OPERATOR,
    ROLE,
    a_body,
    a_grant,
    a_role,
    an_access,
    an_entry,
    members_of,
    our_metadata,
)
from tests.unit.world import World


def reader(name: str = "reader", **more: Any) -> Access:
    return an_access(name, **({"grants": [a_grant(f"{name}-*")]} | more))


def writer(name: str = "writer", **more: Any) -> Access:
    return an_access(name, **({"grants": [a_grant(f"{name}-*", can=["write"])]} | more))


def applied(*accesses: Access) -> tuple[World, dict[str, Seen]]:
    """Give the world after a pass over enforced accesses, and what their statuses say."""
    world = World()
    world.run([Member(access, Stance(Do.ENFORCE)) for access in accesses])
    return world, {access.uid: Seen(ROLE, access.share.hash) for access in accesses}


def entry_of(world: World, prefix: str) -> dict[str, Any]:
    assert world.raw is not None
    found: dict[str, Any] = next(entry for entry in world.raw["indices"] if entry["names"][0].startswith(prefix))
    return found


def remove(world: World, prefix: str) -> None:
    assert world.raw is not None
    world.raw["indices"].remove(entry_of(world, prefix))


def add(world: World, *names: str) -> None:
    assert world.raw is not None
    world.raw["indices"].append(an_entry(*names, privileges=["all"]))


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
def test_tampering_is_drift_and_is_put_right(tamper: Callable[[dict[str, Any]], Any], path: str) -> None:
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

    def test_its_changed_entry_stays_while_the_others_are_put_right(self, other: Access) -> None:
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
        adopting = writer(annotations={"searchaccess.dev/adopt": ROLE})
        world.run(members_of(other, adopting), seen)
        assert world.names == {"reader-*", "writer-*"}

    def test_a_disabled_role_stays_as_it_is(self, other: Access) -> None:
        world, seen = applied(writer())
        world.run(members_of(writer(deleted_at=NOW, deletionPolicy="Disable")), seen)
        assert not world.plan(members_of(other)).changes


def gone(name: str, policy: str, **more: Any) -> Access:
    return reader(name, deleted_at=NOW, deletionPolicy=policy, **more)


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
    @pytest.mark.parametrize("adopt", ["", "true", f"{ROLE}x"])
    def test_only_the_exact_name_adopts(self, metadata: dict[str, Any], adopt: str) -> None:
        world = World(a_role(metadata=metadata).to_json())
        access = reader(annotations={"searchaccess.dev/adopt": adopt})
        assert not world.plan(members_of(access)).changes

    def test_adoption_replaces_it_and_says_what_it_was(self) -> None:
        world = World(a_role(a_body(an_entry("x"), cluster=["all"], run_as=["elastic"])).to_json())
        plan = world.run(members_of(reader(annotations={"searchaccess.dev/adopt": ROLE})))
        assert '"run_as":["elastic"]' in plan.findings["uid-reader"].adopted
        assert world.names == {"reader-*"}
        assert world.role is not None
        assert world.role.body.cluster == ()
        assert world.role.body.other == ""
        assert not world.plan(members_of(reader())).changes

    @pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}], ids=["suspended", "observed"])
    def test_a_held_access_does_not_adopt(self, held: dict[str, Any]) -> None:
        world = World(a_role().to_json())
        assert not world.plan(members_of(reader(annotations={"searchaccess.dev/adopt": ROLE}, **held))).changes

    def test_a_deleted_access_with_rights_in_it_waits_for_a_person(self) -> None:
        world, seen = applied(reader())
        assert world.raw is not None
        world.raw["metadata"] = {}
        assert world.plan(members_of(gone("reader", "Delete")), seen).findings["uid-reader"].conflict == ROLE

    def test_a_deleted_access_that_never_had_rights_waits_for_nobody(self) -> None:
        world = World(a_role().to_json())
        assert world.plan(members_of(gone("reader", "Delete"))).findings["uid-reader"].conflict == ""

    def test_a_foreign_role_without_members_is_left_alone(self) -> None:
        assert not World(a_role().to_json()).plan([]).changes


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
