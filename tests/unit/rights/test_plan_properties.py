"""What holds of every plan."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import metadata_from_json
from searchaccess.core.rights.recollection import Seen
from tests.unit import strategies
from tests.unit.builders import OPERATOR, ROLE, a_role, members_of, our_metadata
from tests.unit.world import World

pairs = st.tuples(strategies.accesses("a"), strategies.accesses("b"))
metadata_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["uid", "name", "entries", "cluster", "since", "spec_hash"]), inner)
    ),
    max_leaves=8,
)
damaged_metadata = st.dictionaries(
    st.sampled_from(["owners", "released", "disabled", "principal", "spec_hash", "surprise"]), metadata_values
)
stances = st.sampled_from(list(Do)).map(AccessDecision)


@given(pairs)
def test_apply_then_plan_again_is_empty(accesses: tuple[Access, ...]) -> None:
    world = World()
    world.run(members_of(*accesses))
    plan = world.plan(members_of(*accesses))
    assert not plan.changes
    assert not any(finding.differences or finding.pending for finding in plan.findings.values())


@given(pairs, st.data())
def test_the_order_of_members_and_entries_does_not_matter(accesses: tuple[Access, ...], data: st.DataObject) -> None:
    world = World()
    world.run(members_of(*accesses))
    assert world.raw is not None
    turned = World()
    turned.raw = copy.deepcopy(world.raw)
    turned.raw["indices"] = data.draw(st.permutations(turned.raw["indices"]))
    assert not turned.plan(members_of(*reversed(accesses))).changes


@given(pairs, strategies.bodies, damaged_metadata, st.lists(stances, min_size=2, max_size=2), st.data())
def test_any_role_of_ours_is_planned_alike_in_any_order_and_settles(
    accesses: tuple[Access, ...],
    body: RoleBody,
    metadata: dict[str, Any],
    does: list[AccessDecision],
    data: st.DataObject,
) -> None:
    members = [Member(access, decision) for access, decision in zip(accesses, does, strict=True)]
    seen = {access.uid: Seen(ROLE, access.share.hash) for access in accesses if data.draw(st.booleans())}
    world = World(a_role(body, metadata=our_metadata(**metadata)).to_json())
    assert world.plan(members, seen) == world.plan(members[::-1], seen)
    world.run(members, seen)
    staying = [member for member in members if member.decision.do in {Do.ENFORCE, Do.HOLD}]
    plan = world.plan(staying, seen)
    assert not plan.changes
    for member in staying:
        if member.decision.do is Do.ENFORCE:
            assert not plan.findings[member.access.uid].differences


@given(pairs, strategies.bodies, damaged_metadata, st.lists(stances, min_size=2, max_size=2))
def test_a_foreign_role_is_never_changed_unless_adopted(
    accesses: tuple[Access, ...], body: RoleBody, metadata: dict[str, Any], does: list[AccessDecision]
) -> None:
    members = [Member(access, decision) for access, decision in zip(accesses, does, strict=True)]
    assert not World(a_role(body, metadata=metadata).to_json()).plan(members).changes


@given(pairs, strategies.bodies)
def test_what_is_written_is_ours_and_named_as_the_principal(accesses: tuple[Access, ...], body: RoleBody) -> None:
    world = World(a_role(body, metadata=our_metadata()).to_json())
    plan = world.plan(members_of(*accesses))
    assert plan.write is None or (plan.write.name == ROLE and OPERATOR.owns(plan.write.metadata))


@given(strategies.accesses(), strategies.bodies)
def test_an_enforced_role_has_exactly_what_is_declared(access: Access, body: RoleBody) -> None:
    world = World(a_role(body, metadata=our_metadata()).to_json())
    world.run(members_of(access))
    assert world.role is not None
    assert sorted(world.role.body.entries) == sorted(access.share.entries)
    assert world.role.body.cluster == access.share.cluster


@given(metadata_values)
def test_any_metadata_can_be_read(value: Any) -> None:
    for key in ("owners", "released", "disabled", "principal"):
        metadata = metadata_from_json({key: value})
        assert metadata_from_json(metadata.to_json(OPERATOR)) == metadata
