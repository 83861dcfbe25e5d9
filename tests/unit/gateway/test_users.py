"""What is done about the native user of a principal behind a gateway, and when passwords are reset."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.gateway.suspicion import RESET_EVERY, Suspicion
from searchaccess.core.gateway.users import (
    Circumstances,
    NativeUser,
    UserPlan,
    build_user,
    plan_user,
    principal_of,
    user_of,
)
from searchaccess.core.rights.diff import Difference
from tests.unit.builders import OPERATOR, PRINCIPAL, ROLE

MINE = build_user(OPERATOR, PRINCIPAL)
TARGET = f"user/{ROLE}"
NEEDED = Circumstances(needed=True)
GONE = Circumstances(needed=False)


def changed(**parts: Any) -> NativeUser:
    return replace(MINE, **parts)


def test_a_principal_has_a_user_of_its_roles_name_with_that_role_alone() -> None:
    assert NativeUser(ROLE, (ROLE,), OPERATOR.stamp() | {"principal": PRINCIPAL}) == MINE
    assert user_of({"username": ROLE} | MINE.to_json()) == MINE


@pytest.mark.parametrize(
    "name",
    [
        ROLE + "x",
        OPERATOR.role_name("shop/orders.1.0000abcd"),
        OPERATOR.role_name("shop/a@b.gserviceaccount.com"),
        OPERATOR.role_name("ada@example.com"),
        OPERATOR.role_name("a@gserviceaccount.com"),
        OPERATOR.role_name("a@b.gserviceaccount.com.evil.example"),
        OPERATOR.role_name("A@b.gserviceaccount.com"),
        OPERATOR.role_name("a@b.gserviceaccount.com\n"),
        PRINCIPAL,
        f"x{ROLE}",
    ],
)
def test_other_names_are_no_principals(name: str) -> None:
    assert principal_of(OPERATOR, name) == ""
    assert principal_of(OPERATOR, ROLE) == PRINCIPAL


FOREIGN = changed(metadata={"made_by": "hand"})
DISABLED = changed(enabled=False)
DIFFERENT = Difference(TARGET, "enabled", "true", "false")
MISSING = plan_user(OPERATOR, PRINCIPAL, None, Circumstances(needed=True, seen=True)).drift


@pytest.mark.parametrize(
    ("observed", "known", "plan"),
    [
        (None, NEEDED, UserPlan(ROLE, write=MINE)),
        (MINE, NEEDED, UserPlan(ROLE)),
        (MINE, GONE, UserPlan(ROLE, delete=True)),
        (None, GONE, UserPlan(ROLE)),
        (FOREIGN, NEEDED, UserPlan(ROLE, conflict=ROLE)),
        (FOREIGN, GONE, UserPlan(ROLE)),
        (FOREIGN, Circumstances(needed=True, reset=True), UserPlan(ROLE, conflict=ROLE)),
        (DISABLED, NEEDED, UserPlan(ROLE, write=MINE, drift=(DIFFERENT,))),
        (DISABLED, Circumstances(needed=True, enforced=False), UserPlan(ROLE, drift=(DIFFERENT,))),
        (None, Circumstances(needed=True, seen=True), UserPlan(ROLE, write=MINE, drift=MISSING)),
        (None, Circumstances(needed=True, seen=True, enforced=False), UserPlan(ROLE, drift=MISSING)),
        # Whoever moves behind a gateway while its rights are held must not lose them.
        (None, Circumstances(needed=True, enforced=False), UserPlan(ROLE, write=MINE)),
        (MINE, Circumstances(needed=True, reset=True), UserPlan(ROLE, write=MINE)),
        (
            DISABLED,
            Circumstances(needed=True, reset=True, enforced=False),
            UserPlan(ROLE, write=DISABLED, drift=(DIFFERENT,)),
        ),
    ],
)
def test_what_is_done_about_a_user(observed: NativeUser | None, known: Circumstances, plan: UserPlan) -> None:
    assert plan_user(OPERATOR, PRINCIPAL, observed, known) == plan


def test_each_field_that_somebody_changed_is_named() -> None:
    metadata = {**MINE.metadata, "principal": "x"}
    found = plan_user(OPERATOR, PRINCIPAL, changed(roles=(ROLE, "superuser"), metadata=metadata), NEEDED)
    assert [(item.path, item.have) for item in found.drift] == [
        ("roles", f'["{ROLE}","superuser"]'),
        ("metadata.principal", '"x"'),
    ]
    assert found.write == MINE


def test_a_predecessors_user_gets_our_stamp_once_which_is_no_drift() -> None:
    successor = replace(OPERATOR, predecessors=frozenset({"former"}))
    former = changed(metadata={**MINE.metadata, "controller": "former"})
    assert plan_user(successor, PRINCIPAL, former, NEEDED) == UserPlan(ROLE, write=MINE)
    assert plan_user(successor, PRINCIPAL, former, Circumstances(needed=True, restamp=False)) == UserPlan(ROLE)
    assert plan_user(OPERATOR, PRINCIPAL, former, NEEDED).conflict == ROLE


def concluded(suspicion: Suspicion, writes: int, now: Mapping[str, int], own: Collection[str]) -> None:
    """Account for a read that was certain, where there are no API keys."""
    suspicion.account(writes, now, own)
    suspicion.explain(frozenset())
    suspicion.conclude(0)


def watched(suspicion: Suspicion | None = None) -> Suspicion:
    """Return one that has reset passwords at the start, and knows what there is."""
    found = suspicion or Suspicion()
    assert found.is_due(0)
    found.was_reset(float("-inf"))
    concluded(found, 0, {"role/a": 1, "user/a": 1}, ())
    assert not found.pending
    return found


@pytest.mark.parametrize(
    ("writes", "now", "own", "suspicious"),
    [
        (0, {"role/a": 1, "user/a": 1}, set(), False),
        (1, {"role/a": 1, "user/a": 1}, set(), True),
        (1, {"role/a": 2, "user/a": 1}, set(), False),
        (1, {"user/a": 1}, set(), False),
        (1, {"role/a": 1, "user/a": 1, "role/b": 1}, set(), False),
        (2, {"role/a": 2, "user/a": 1}, set(), True),
        # Our own write changed it.
        (1, {"role/a": 2, "user/a": 1}, {"role/a"}, True),
        (0, {"role/a": 2, "user/a": 1}, {"role/a"}, False),
    ],
)
def test_a_write_that_no_visible_change_explains_is_suspicious(
    writes: int, now: dict[str, int], own: set[str], *, suspicious: bool
) -> None:
    suspicion = watched()
    concluded(suspicion, writes, now, own)
    assert suspicion.is_due(0) == suspicious


def test_a_change_that_a_list_shows_only_later_explains_its_write() -> None:
    suspicion = watched()
    suspicion.account(1, {"role/a": 1, "user/a": 1}, ())
    assert not suspicion.pending
    concluded(suspicion, 0, {"role/a": 2, "user/a": 1}, ())
    assert not suspicion.pending


def test_passwords_are_reset_now_and_then_at_most_but_never_forgotten() -> None:
    suspicion = watched()
    same = {"role/a": 1, "user/a": 1}
    concluded(suspicion, 1, same, ())
    assert suspicion.is_due(1000)
    suspicion.was_reset(1000)
    concluded(suspicion, 1, same, ())
    assert not suspicion.is_due(1000 + RESET_EVERY - 1)
    assert suspicion.is_due(1000 + RESET_EVERY)


def test_a_change_does_not_explain_a_later_write() -> None:
    suspicion = watched()
    concluded(suspicion, 0, {"role/a": 2, "user/a": 1}, ())
    concluded(suspicion, 1, {"role/a": 2, "user/a": 1}, ())
    assert suspicion.pending


def test_a_suspicion_during_a_reset_waits_for_the_next_one() -> None:
    suspicion = watched()
    same = {"role/a": 1, "user/a": 1}
    concluded(suspicion, 1, same, ())
    assert suspicion.begin()
    concluded(suspicion, 1, same, ())
    assert not suspicion.begin(), "it goes on"
    assert suspicion.is_due(5)
    suspicion.was_reset(5)
    assert suspicion.pending
    assert not suspicion.is_due(5 + RESET_EVERY - 1)
    assert suspicion.is_due(5 + RESET_EVERY)
    assert suspicion.begin()
    suspicion.was_reset(5 + RESET_EVERY)
    assert not suspicion.pending
