"""A gateway's login: its names, its role, and how what was observed is read."""

import re
from dataclasses import replace

import pytest

from searchaccess.core.credentials.credential import NOWHERE, Slot
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.login import (
    WRONG_ROLES,
    LoginNames,
    diff_role,
    free_user,
    is_own,
    key_of,
    owner_metadata,
    parts_of,
    run_as_patterns,
    user_metadata,
    wanted_role,
)
from searchaccess.core.gateway.objects import USER, Holder, Observed
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.rights.ownership import Operator

OPERATOR = Operator("prod", "uid-of-kube-system")
HOLDER = Holder("prod", "main", "uid-1")
NAMES = LoginNames("prod", "edge")


def covers(person: str, name: str) -> bool:
    """Return whether the pattern of a person covers a user: Python reads these expressions as Lucene does."""
    [_, pattern] = run_as_patterns("prod", [person])
    return re.fullmatch(pattern.strip("/"), name) is not None


def callers(name: str) -> bool:
    """Return whether the pattern of service accounts covers a user."""
    [pattern] = run_as_patterns("prod")
    return re.fullmatch(pattern.strip("/"), name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "searchaccess.prod.orders@shop.iam.gserviceaccount.com",
        "searchaccess.prod.123-compute@developer.gserviceaccount.com",
    ],
)
def test_users_of_service_accounts_are_covered(name: str) -> None:
    assert callers(name)


@pytest.mark.parametrize(
    "name",
    [
        "elastic",
        "searchaccess.prod.shop/orders.1.abcdef01",
        "searchaccess.prod.orders@example.com",
        "searchaccess.prod-eu.orders@shop.iam.gserviceaccount.com",
        "searchaccessXprod.orders@shop.iam.gserviceaccount.com",
        "searchaccess.prod.orders@shop.iam.gserviceaccount.com.evil.org",
        "searchaccess.prod.orders@evil.org@shop.iam.gserviceaccount.com",
        "searchaccess.prod.@gserviceaccount.com",
        "searchaccess-gateway.prod.edge.a",
    ],
)
def test_other_users_are_not_covered(name: str) -> None:
    assert not callers(name)


def test_people_are_covered_as_declared() -> None:
    assert covers("*@example.com", "searchaccess.prod.ada.l+x@example.com")
    assert not covers("*@example.com", "searchaccess.prod.ada@examplexcom")
    assert not covers("*@example.com", "searchaccess.prod.ada@evil.org@example.com")
    assert not covers("ada@example.com", "searchaccess.prod.adam@example.com")


def test_every_other_character_of_a_pattern_is_escaped() -> None:
    [_, pattern] = run_as_patterns("prod", ["a+b_c%d@x-y.com"])
    assert pattern == r"/searchaccess\.prod\.a\+b\_c\%d\@x\-y\.com/"


def test_a_difference_of_the_role_is_named_field_by_field() -> None:
    want = wanted_role(OPERATOR, HOLDER, "edge")
    assert diff_role(want, want) == []
    wide = replace(want, body=replace(want.body, cluster=("all",), other='{"global":{"x":1},"run_as":["*"]}'))
    assert [one.path for one in diff_role(want, wide)] == ["cluster", "global", "run_as"]


def test_metadata_of_others_is_not_ours() -> None:
    ours = owner_metadata(OPERATOR, HOLDER, "edge")
    assert is_own(ours, OPERATOR, HOLDER)
    assert is_own(owner_metadata(OPERATOR, replace(HOLDER, uid="uid-2"), "edge"), OPERATOR, HOLDER), "recreated"
    others: list[object] = [
        None,
        [],
        {},
        OPERATOR.stamp(),
        owner_metadata(OPERATOR, replace(HOLDER, cluster="another"), "edge"),
        owner_metadata(Operator("prod", "another"), HOLDER, "edge"),
    ]
    for other in others:
        assert not is_own(other, OPERATOR, HOLDER)


@pytest.mark.parametrize("odd", [["main"], {"main": 1}, 7, None])
def test_odd_metadata_of_others_is_nobodys(odd: object) -> None:
    ours = owner_metadata(OPERATOR, HOLDER, "edge")
    assert not is_own(ours | {"gateway": {"cluster": odd, "heir": odd}}, OPERATOR, HOLDER)


def test_a_user_reads_back_as_it_was_written() -> None:
    key = key_of(NAMES.users[0], {"roles": [NAMES.role], "enabled": True}, OPERATOR, HOLDER)
    key = replace(key, sequence=7, created=1_700_000_000.5, slot=Slot("uid-s", 7), requested="now")
    raw = {"roles": [NAMES.role], "enabled": True, "metadata": user_metadata(OPERATOR, HOLDER, "edge", key)}
    assert replace(key_of(key.id, raw, OPERATOR, HOLDER), former="") == replace(key, former="")
    assert key_of(key.id, raw, OPERATOR, HOLDER).former == ""


def test_what_somebody_did_to_a_user_shows() -> None:
    def read(**raw: object) -> object:
        return key_of(NAMES.users[0], {"roles": [NAMES.role], "enabled": True} | raw, OPERATOR, HOLDER)

    assert read(roles=[NAMES.role, "superuser"]) == replace(read(), rights=WRONG_ROLES)  # type: ignore[type-var]
    assert read(enabled=False).disabled  # type: ignore[attr-defined]
    assert read(enabled="yes").disabled  # type: ignore[attr-defined]
    odd = read(metadata={"sequence": "x", "created": [], "secret": {}, "requested": 5})
    assert (odd.sequence, odd.created, odd.slot, odd.requested) == (0, 0.0, NOWHERE, "")  # type: ignore[attr-defined]
    assert odd.rights == RoleBody()  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "Basic", "Basic !!!", "Basic YQ==", "Basic OmI=", "Basic YTo=", "Bearer YTpi"])
def test_what_is_no_login_is_none(text: str) -> None:
    assert parts_of(Sealed(text)) is None


def test_the_other_user_is_created_next() -> None:
    a, b = NAMES.users
    key = key_of(a, {"roles": [NAMES.role], "enabled": True}, OPERATOR, HOLDER)
    assert free_user(NAMES, [], None) == a
    assert free_user(NAMES, [key], None) == b
    assert free_user(NAMES, [replace(key, id=b)], None) == a
    assert free_user(NAMES, [], Observed("u", "1", annotations={USER: a})) == b
