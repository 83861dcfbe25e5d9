"""What others have, and which of it is taken over by one decision."""

from typing import Any

import pytest

from searchaccess.api.clusters.ownership import TakeOver
from searchaccess.api.clusters.status import OTHERS_LIMIT, OtherStatus
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.ownership.installations import LONGEST, Installation, installation_of
from searchaccess.core.ownership.others import (
    Belongings,
    counted,
    described,
    note_belonging,
    shown,
    summarized,
    with_issued,
)
from searchaccess.core.ownership.takeover import (
    abandoned,
    installations_in,
    predecessors,
    problem_of,
    removable,
    removable_mappings,
)
from searchaccess.core.rights.ownership import Operator
from tests.unit.adapters.anything import nested

OWN = Installation("default", "here")
FORMER = Installation("default", "gone")
BLUE = Installation("blue", "here")


def stamp(installation: Installation) -> dict[str, Any]:
    return {"metadata": Operator(installation.instance, installation.controller).stamp()}


def listed(*installations: Installation) -> list[TakeOver]:
    return [
        TakeOver(controller=installation.controller, instance=installation.instance) for installation in installations
    ]


@pytest.mark.parametrize(
    "metadata",
    [None, [], "x", {}, {"managed_by": "terraform"}, {"managed_by": ["searchaccess.dev"]}, nested(900)],
)
def test_what_no_operator_wrote_is_nobodys(metadata: Any) -> None:
    assert installation_of(metadata) is None


@pytest.mark.parametrize("odd", [None, 1, ["x"], {"a": nested(900)}, "\ud800"])
def test_an_odd_stamp_is_of_a_life_without_name(odd: Any) -> None:
    assert installation_of({"managed_by": "searchaccess.dev", "instance": odd, "controller": "here"}) == Installation(
        "", "here"
    )


def test_a_long_stamp_is_cut() -> None:
    found = installation_of({"managed_by": "searchaccess.dev", "instance": "x" * 4000, "controller": "y" * 4000})
    assert found
    assert (len(found.instance), len(found.controller)) == (LONGEST, LONGEST)


def test_a_listed_life_has_our_instance_unless_it_names_another() -> None:
    assert installations_in(OWN, [TakeOver(controller="gone"), TakeOver(controller="here", instance="blue")]) == {
        FORMER,
        BLUE,
    }
    assert predecessors(OWN, {FORMER, BLUE}) == {"gone"}
    assert abandoned(OWN, {FORMER, BLUE}) == [BLUE]


@pytest.mark.parametrize("own", [TakeOver(controller="here"), TakeOver(controller="here", instance="default")])
def test_the_operator_itself_is_refused_in_a_sentence_and_never_taken_over(own: TakeOver) -> None:
    assert "is this operator itself" in problem_of(OWN, [*listed(FORMER), own])
    assert installations_in(OWN, [own]) == frozenset()
    assert problem_of(OWN, listed(FORMER, BLUE)) == ""


def test_only_a_listed_controller_with_our_instance_is_a_predecessor() -> None:
    heir = Operator(OWN.instance, OWN.controller, predecessors(OWN, {FORMER, BLUE}))
    assert heir.owns(stamp(OWN)["metadata"])
    assert heir.owns(stamp(FORMER)["metadata"])
    assert heir.wrote(stamp(OWN)["metadata"])
    assert not heir.wrote(stamp(FORMER)["metadata"])
    for other in (BLUE, Installation("blue", "gone"), Installation("default", "third")):
        assert not heir.owns(stamp(other)["metadata"])
    assert not heir.owns(stamp(FORMER)["metadata"] | {"controller": ["gone"]})
    assert heir.stamp() == Operator(OWN.instance, OWN.controller).stamp()


ROLES = {f"searchaccess.blue.{name}" for name in ("a@x", "b@x", "c@x")}


@pytest.mark.parametrize(
    ("declared", "placed", "goes"),
    [
        (set(), set(), {"a@x", "b@x", "c@x"}),
        ({"a@x", "b@x"}, {"a@x"}, {"a@x", "c@x"}),
        ({"a@x", "b@x", "c@x"}, set(), set()),
        ({"a@x", "b@x", "c@x"}, {"a@x", "b@x", "c@x"}, {"a@x", "b@x", "c@x"}),
    ],
)
def test_a_role_of_another_instance_goes_when_no_caller_needs_it(
    declared: set[str], placed: set[str], goes: set[str]
) -> None:
    found = removable(BLUE, ROLES, declared=declared, placed=placed, all_known=True)
    assert found == sorted(f"searchaccess.blue.{name}" for name in goes)
    assert list(removable(BLUE, ROLES, declared=declared, placed=placed, all_known=False)) == []


def test_other_names_and_roles_of_users_never_go_with_it() -> None:
    odd = {"monitoring", "searchaccess.blue", "searchaccess.bluer.a@x", "searchaccess.blue.shop/orders.1.0000000a"}
    assert removable(BLUE, odd, declared=(), placed=(), all_known=True) == []


def test_its_mappings_go_last_and_only_those_of_its_names() -> None:
    mappings = {"searchaccess.blue", "searchaccess.blue.a@x", "people"}
    assert list(removable_mappings(BLUE, ROLES, mappings)) == []
    left = {"searchaccess.blue.shop/orders.1.0000000a", "monitoring"}
    assert list(removable_mappings(BLUE, left, mappings)) == ["searchaccess.blue", "searchaccess.blue.a@x"]


def test_what_others_have_is_grouped_and_counted() -> None:
    roles = {
        "searchaccess.default.a@x": stamp(FORMER),
        "searchaccess.default.b@x": stamp(FORMER),
        "searchaccess.default.c@x": stamp(OWN),
        "searchaccess.default.shop/orders.1.0000000a": stamp(FORMER),
        "searchaccess.blue.a@x": stamp(BLUE),
        "superuser": {"metadata": {"_reserved": True}},
        "odd": {"metadata": "x"},
    }
    found: dict[Installation, Belongings] = {}
    for name, role in roles.items():
        note_belonging(found, OWN, "roles", name, role)
    for name, mapping in {"searchaccess.default": stamp(FORMER), "people": {}}.items():
        note_belonging(found, OWN, "mappings", name, mapping)
    summary = summarized(found, ["a@x"])
    assert [item.to_json() for item in summary] == [
        {"instance": "blue", "controller": "here", "roles": 1, "undeclared": 0, "mappings": 0, "keys": 0, "users": 0},
        {
            "instance": "default",
            "controller": "gone",
            "roles": 2,
            "undeclared": 1,
            "mappings": 1,
            "keys": 0,
            "users": 0,
        },
    ]
    both = with_issued(summary, {(FORMER, Auth.API_KEY): 3, (Installation("default", "third"), Auth.PASSWORD): 2})
    assert [(item.controller, item.keys, item.users) for item in both] == [
        ("here", 0, 0),
        ("gone", 3, 0),
        ("third", 0, 2),
    ]
    assert counted(both) == 1 + 3 + 3 + 2
    found[FORMER].without({"searchaccess.default.a@x", "searchaccess.default.b@x"}, {"searchaccess.default"})
    assert [item.instance for item in summarized(found, [])] == ["blue"]


def other(installation: Installation, **counts: int) -> OtherStatus:
    return OtherStatus.model_validate(
        {
            "instance": installation.instance,
            "controller": installation.controller,
            "roles": 1,
            "undeclared": 0,
            "mappings": 0,
        }
        | counts
    )


def test_the_message_has_the_line_to_write_and_when_not_to() -> None:
    text = described((other(FORMER, undeclared=1),), OWN, ())
    assert "instance default of controller gone has 1 role here" in text
    assert "spec.takeOver: [{controller: gone}]" in text
    assert "Do not do this if it still runs" in text
    assert "1 of the roles for principals that no SearchAccess here names" in text
    assert "spec.takeOver: [{controller: here, instance: blue}]" in described((other(BLUE),), OWN, ())
    assert "spec.takeOver lists it" in described((other(FORMER),), OWN, {FORMER})
    assert described((), OWN, ()) == ""


def test_many_others_are_bounded() -> None:
    many = tuple(other(Installation(f"i{number}", "x")) for number in range(30))
    assert "; and 27 more" in described(many, OWN, ())
    found = shown(many)
    assert found
    assert len(found) == OTHERS_LIMIT
    assert shown(()) is None
