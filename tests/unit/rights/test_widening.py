"""Of SearchAccesses of one principal, whatever is written shows what they allow, each by itself."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchaccess import Mode
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.union import conflict_within
from searchaccess.core.policy.decision import OPEN, AccessDecision, Do, decide
from searchaccess.core.rights.compose import Member
from tests.support.runs.effort import examples
from tests.unit.builders import NOW, a_grant, a_role, an_access
from tests.unit.world import World

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
US: dict[str, Any] = {"where": {"term": {"region": "us"}}}
REGION: dict[str, Any] = {"fields": {"include": ["region"]}}
NO_SSN: dict[str, Any] = {"fields": {"exclude": ["ssn"]}}

grants = st.builds(
    lambda name, where, fields, clusters: a_grant(name, **where, **fields, **clusters),
    st.sampled_from(["orders-*", "orders-1", "*-1", "customers"]),
    st.sampled_from([{}, EU, US]),
    st.sampled_from([{}, REGION, NO_SSN]),
    st.sampled_from([{}, {}, {"remoteClusters": ["eu"]}, {"remoteClusters": ["e*", "us"]}]),
)
dos = st.sampled_from([None, None, None, *Do])
steps = st.lists(st.tuples(st.integers(0, 3), st.lists(grants, min_size=1, max_size=2), dos), min_size=1, max_size=8)


def member_of(number: int, declared: list[dict[str, Any]], do: Do | None, generation: int) -> Member:
    access = replace(
        an_access(f"a{number}", generation=generation, grants=declared), created_at=f"2026-01-0{number + 1}T00:00:00Z"
    )
    return Member(access, decide(access, OPEN) if do is None else AccessDecision(do))


def exact(entries: tuple[Entry, ...]) -> bool:
    return conflict_within(entries, map(str, range(len(entries)))) is None


@settings(max_examples=examples(150))
@given(steps)
def test_whatever_happens_the_role_is_exactly_the_union(
    history: list[tuple[int, list[dict[str, Any]], Do | None]],
) -> None:
    world, members = World(), dict[int, Member]()
    for generation, (number, declared, do) in enumerate(history, 1):
        members[number] = member_of(number, declared, do, generation)
        world.run(list(members.values()))
        assert world.role is None or exact(world.role.body.entries)
        members = {key: member for key, member in members.items() if member.decision.do in {Do.ENFORCE, Do.HOLD}}


@settings(max_examples=examples(100))
@given(st.lists(st.lists(grants, min_size=1, max_size=1), min_size=2, max_size=4))
def test_the_older_ones_have_what_they_have_without_the_newest(declared: list[list[dict[str, Any]]]) -> None:
    members = [member_of(number, each, None, 1) for number, each in enumerate(declared)]
    world = World()
    world.run(members[:-1])
    before = world.plan(members[:-1])
    after = world.plan(members)
    assert {uid: after.refused.get(uid) for uid in before.findings} == {
        uid: before.refused.get(uid) for uid in before.findings
    }


def refused(*members: Member) -> dict[str, tuple[Do, Reason | None]]:
    return {uid: (decision.do, decision.reason) for uid, decision in World().plan(list(members)).refused.items()}


def test_one_whose_age_is_not_known_is_new() -> None:
    old, new = an_access("z", grants=[a_grant(**EU)]), an_access("a", grants=[a_grant(**REGION)])
    old = replace(old, created_at="2026-01-01T00:00:00Z")
    assert sorted([new, old], key=_seniority) == [old, new]
    both = [Member(access, decide(access, OPEN)) for access in (new, old)]
    assert refused(*both) == {new.uid: (Do.REMOVE, Reason.RESTRICTIONS_WOULD_WIDEN)}


def _seniority(access: Access) -> tuple[str, ...]:
    return access.seniority


def test_one_that_gets_its_rights_in_a_moment_is_not_overtaken_by_a_newer_one() -> None:
    old = replace(an_access("old", grants=[a_grant(**EU)]), created_at="2026-01-01T00:00:00Z")
    new = replace(an_access("new", grants=[a_grant(**REGION)]), created_at="2026-01-02T00:00:00Z")
    late = Member(old, AccessDecision(Do.HOLD, Reason.PENDING))
    assert new.uid in refused(late, Member(new, decide(new, OPEN)))


def test_one_that_is_outside_its_window_is_not_overtaken_by_a_newer_one() -> None:
    """Otherwise the newer one would lose its rights each time when the window opens."""
    old = replace(an_access("old", grants=[a_grant(**EU)]), created_at="2026-01-01T00:00:00Z")
    new = replace(an_access("new", grants=[a_grant(**REGION)]), created_at="2026-01-02T00:00:00Z")
    outside = Member(old, AccessDecision(Do.REMOVE, Reason.OUTSIDE_SCHEDULE, returns=True))
    assert refused(outside, Member(new, decide(new, OPEN))) == {new.uid: (Do.REMOVE, Reason.RESTRICTIONS_WOULD_WIDEN)}
    over = replace(outside, decision=AccessDecision(Do.REMOVE, Reason.EXPIRED))
    assert refused(over, Member(new, decide(new, OPEN))) == {}
    newer = Member(replace(old, created_at="2026-01-03T00:00:00Z"), outside.decision)
    assert refused(newer, Member(new, decide(new, OPEN))) == {}


def test_one_that_would_be_refused_in_its_window_refuses_no_other() -> None:
    ages = [f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3)]
    first, second, third = (
        replace(an_access(name, grants=[grant]), created_at=age)
        for name, grant, age in zip(
            ("a", "b", "c"),
            (a_grant("x-1", **EU), a_grant("x-*", **REGION), a_grant("x-2", **EU)),
            ages,
            strict=True,
        )
    )
    outside = Member(second, AccessDecision(Do.REMOVE, Reason.OUTSIDE_SCHEDULE, returns=True))
    assert refused(Member(first, decide(first, OPEN)), outside, Member(third, decide(third, OPEN))) == {}


def test_one_that_is_held_back_while_others_are_tried_is_not_judged_by_what_it_declares() -> None:
    old = replace(an_access("old", grants=[a_grant(**EU)]), created_at="2026-01-01T00:00:00Z")
    new = replace(an_access("new", grants=[a_grant(**REGION)]), created_at="2026-01-02T00:00:00Z")
    enforced, observed = Member(old, decide(old, OPEN)), replace(new, mode=Mode.OBSERVE)
    assert refused(enforced, Member(new, AccessDecision(Do.HOLD))) == {}
    widens = {new.uid: (Do.HOLD, Reason.RESTRICTIONS_WOULD_WIDEN)}
    assert refused(enforced, Member(observed, decide(observed, OPEN))) == widens


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.OBSERVE])
def test_at_deletion_what_shows_more_than_was_granted_is_released_only_if_it_was_observed(mode: Mode) -> None:
    # As an operator without the rule granted it.
    inexact = replace(an_access(grants=[a_grant(**EU), a_grant(**REGION)], deletionPolicy="Orphan"), widens="")
    world = World()
    world.run([Member(inexact, AccessDecision(Do.ENFORCE))])
    before = world.entries
    deleted = replace(inexact, mode=mode, deleted_at=NOW)
    world.run([Member(deleted, decide(deleted, OPEN))])
    assert len(before) == 2
    assert world.entries == (before if mode is Mode.OBSERVE else [])


def test_a_role_that_is_adopted_is_compared_as_declared() -> None:
    world = World(a_role().to_json())
    old = replace(an_access("old", grants=[a_grant(**EU)]), created_at="2026-01-01T00:00:00Z")
    new = replace(an_access("new", grants=[a_grant(**REGION)]), created_at="2026-01-02T00:00:00Z")
    world.agree()
    plan = world.run([Member(access, decide(access, OPEN)) for access in (new, old)])
    assert set(plan.refused) == {new.uid}
    assert world.role is not None
    assert world.role.body.entries == old.share.entries
