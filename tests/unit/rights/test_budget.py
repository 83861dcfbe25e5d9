"""Who is held because a shared role would be too complicated with its index patterns."""

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.ownership import Role
from searchaccess.core.rights.plan import RolePlan, plan_role
from tests.unit.builders import OPERATOR, PRINCIPAL, a_grant, an_access, members_of

FLOATING = [f"*{one}*{number}" for number, one in enumerate("abcdefghijklmnopqrstu")]
FIRST, SECOND, THIRD = (
    an_access(name, grants=[a_grant(*FLOATING[start : start + 7])])
    for name, start in (("a-first", 0), ("b-second", 7), ("c-third", 14))
)
SMALL = an_access("z-small", grants=[a_grant("small-*")])


def plan(*accesses: Access, observed: Role | None = None) -> RolePlan:
    return plan_role(OPERATOR, PRINCIPAL, members_of(*accesses), observed, {})


def names_in(role: Role | None) -> set[str]:
    return {name for entry in role.body.entries for name in entry.names} if role else set()


def test_each_alone_is_written() -> None:
    for access in (FIRST, SECOND, THIRD):
        assert access.invalid == ""
        assert plan(access).refused == {}


def test_who_goes_too_far_is_held_and_the_others_are_written() -> None:
    found = plan(THIRD, SMALL, SECOND, FIRST)
    assert set(found.refused) == {SECOND.uid, THIRD.uid}
    assert names_in(found.write) == {*FLOATING[:7], "small-*"}
    decision = found.refused[SECOND.uid]
    assert (decision.do, decision.reason) == (Do.HOLD, Reason.TOO_COMPLICATED)
    assert decision.message.startswith(
        f"with *h*7, *i*8, *j*9 and 4 more the role of {PRINCIPAL} would be too complicated"
    )


def test_what_is_in_force_comes_first_whatever_its_name() -> None:
    observed = plan(THIRD).write
    found = plan(FIRST, THIRD, SMALL, observed=observed)
    assert set(found.refused) == {FIRST.uid}
    assert names_in(found.write) == {*FLOATING[14:], "small-*"}
    assert set(plan(FIRST, THIRD, SMALL, observed=found.write).refused) == {FIRST.uid}


def test_who_changes_and_goes_too_far_keeps_what_it_had() -> None:
    observed = plan(FIRST, SMALL).write
    changed = an_access("z-small", grants=[a_grant(*FLOATING[7:14])], generation=2)
    found = plan(FIRST, changed, observed=observed)
    assert set(found.refused) == {changed.uid}
    assert found.write is None


def test_who_was_held_gets_its_rights_when_there_is_room() -> None:
    observed = plan(FIRST, SECOND).write
    assert names_in(observed) == set(FLOATING[:7])
    found = plan(SECOND, observed=observed)
    assert found.refused == {}
    assert names_in(found.write) == set(FLOATING[7:14])


def test_a_role_that_is_too_complicated_already_keeps_what_is_in_force() -> None:
    """An earlier version of the operator may have written it."""
    first, second = plan(FIRST).write, plan(SECOND).write
    assert first is not None
    assert second is not None
    records = [*first.metadata["owners"], *second.metadata["owners"]]
    body = RoleBody(entries=(*first.body.entries, *second.body.entries))
    observed = Role(first.name, body, first.metadata | {"owners": records})
    found = plan(FIRST, SECOND, THIRD, observed=observed)
    assert set(found.refused) == {THIRD.uid}
    assert names_in(found.write or observed) == set(FLOATING[:14])


def test_many_that_go_too_far_are_found_in_bounded_time() -> None:
    many = [
        an_access(f"many-{number}", grants=[a_grant(*(text.replace("*", f"*{number}", 1) for text in FLOATING[:3]))])
        for number in range(100)
    ]
    found = plan(*many, SMALL)
    assert 90 < len(found.refused) < 100
    assert found.write is not None
