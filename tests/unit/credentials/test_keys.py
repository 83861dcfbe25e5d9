"""API keys' names and metadata, and what is read back of them whoever wrote it."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.clusters.ownership import TakeOver
from searchaccess.core.credentials.credential import NOWHERE, Slot
from searchaccess.core.credentials.keys import NAME_LIMIT, Login, key_from_json, key_metadata, key_name, names_of_keys
from tests.unit.builders import OPERATOR, an_access

LOGIN = Login("operator", "native", by_api_key=False)


def raw(**more: Any) -> dict[str, Any]:
    return {
        "id": "key-1",
        "creation": 1_700_000_000_000,
        "expiration": 1_700_000_060_000,
        "invalidated": False,
        "username": "operator",
        "realm": "native",
        "metadata": key_metadata(OPERATOR, an_access(), 3, "asked", Slot("s1", 7)),
        "role_descriptors": {"searchaccess": {"cluster": ["monitor"], "indices": []}},
    } | more


def test_what_is_written_is_read_back() -> None:
    key = key_from_json(raw(), OPERATOR, LOGIN)
    assert key is not None
    assert (key.owner, key.sequence, key.requested, key.slot) == (an_access().uid, 3, "asked", Slot("s1", 7))
    assert (key.created, key.expires) == (1_700_000_000, 1_700_000_060)
    assert key.ours
    assert key.rights.cluster == ("monitor",)


@pytest.mark.parametrize("login", [Login("operator", "jwt", by_api_key=False), Login("x", "native", by_api_key=False)])
def test_another_logins_key_is_not_to_be_changed(login: Login) -> None:
    key = key_from_json(raw(), OPERATOR, login)
    assert key is not None
    assert not key.ours


@pytest.mark.parametrize(
    "more",
    [{"invalidated": True}, {"metadata": None}, {"metadata": {}}, {"metadata": OPERATOR.stamp() | {"instance": "x"}}],
    ids=["invalidated", "no metadata", "empty metadata", "another installation"],
)
def test_what_is_not_ours(more: dict[str, Any]) -> None:
    assert key_from_json(raw(**more), OPERATOR, LOGIN) is None


OWNER = {"namespace": "shop", "name": "orders", "uid": "uid-orders"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"sequence": "x", "secret": 3, "version": True},
        {"sequence": -1, "secret": "", "requested": None},
        {"sequence": 10**19, "secret": ["s"], "requested": ["now"]},
        {"sequence": 1.0, "secret": "\ud800", "requested": "\ud800"},
        {"sequence": 0, "secret": "s" * 100_000, "requested": "r" * 1_000_000},
    ],
)
def test_metadata_that_somebody_changed_reads_as_absent(metadata: dict[str, Any]) -> None:
    key = key_from_json(raw(metadata=OPERATOR.stamp() | {"owner": OWNER} | metadata), OPERATOR, LOGIN)
    assert key is not None
    assert (key.owner, key.sequence, key.slot, key.requested) == (OWNER["uid"], 0, NOWHERE, "")


@pytest.mark.parametrize(
    "owner",
    [
        "x",
        {"uid": 3},
        {},
        OWNER | {"namespace": "../../shop"},
        OWNER | {"namespace": "shop/secrets"},
        OWNER | {"namespace": "Shop"},
        OWNER | {"namespace": "shop\n"},
        OWNER | {"namespace": "a" * 64},
        OWNER | {"namespace": "kube.system"},
        OWNER | {"name": ".."},
        OWNER | {"name": "a..b"},
        OWNER | {"name": "orders?watch=true"},
        OWNER | {"name": "a" * 254},
        OWNER | {"uid": "../x"},
        OWNER | {"uid": ""},
        OWNER | {"uid": "u" * 200},
    ],
    ids=str,
)
def test_a_key_whose_owner_is_no_name_of_kubernetes_is_not_ours(owner: Any) -> None:
    """Whoever may make keys can write our metadata: what it names must never be a part of a path."""
    assert (
        key_from_json(raw(metadata=key_metadata(OPERATOR, an_access(), 1, "") | {"owner": owner}), OPERATOR, LOGIN)
        is None
    )


@pytest.mark.parametrize(
    "place", [("main", "../../x"), ("main", "a..b"), ("../x", "orders"), ("main", 3), (None, "orders")]
)
def test_a_place_that_is_no_name_is_none(place: tuple[Any, Any]) -> None:
    metadata = key_metadata(OPERATOR, an_access(), 1, "") | {"store": place[0], "name": place[1]}
    key = key_from_json(raw(metadata=metadata), OPERATOR, LOGIN)
    assert key is not None
    assert key.place == ("", "")


def test_a_request_is_read_back_however_long_it_is() -> None:
    """Else it would ask for another key forever."""
    asked = "r" * 250_000
    key = key_from_json(raw(metadata=key_metadata(OPERATOR, an_access(), 1, asked)), OPERATOR, LOGIN)
    assert key is not None
    assert key.requested == asked


@pytest.mark.parametrize("moment", ["soon", -5, 10**30, 1e400, True])
def test_a_moment_that_cannot_be_is_long_ago(moment: Any) -> None:
    key = key_from_json(raw(creation=moment, expiration=moment), OPERATOR, LOGIN)
    assert key is not None
    assert (key.created, key.expires) == (0, 0)


@pytest.mark.parametrize(
    "descriptors", [None, {}, {"other": {}}, {"searchaccess": {}, "other": {}}, {"searchaccess": 3}]
)
def test_other_descriptors_are_rights_that_nobody_declares(descriptors: Any) -> None:
    key = key_from_json(raw(role_descriptors=descriptors), OPERATOR, LOGIN)
    assert key is not None
    assert key.rights.description, "no declaration has one"


def test_names() -> None:
    assert key_name(OPERATOR, "shop", "orders", 3) == "searchaccess.default.shop/orders.3"
    assert names_of_keys(OPERATOR) == "searchaccess.default.*"
    long = key_name(OPERATOR, "n" * 63, "o" * 253, 1234)
    assert len(long) == NAME_LIMIT
    assert long.endswith(".1234")


def test_a_key_of_a_predecessor_says_who_issued_it_and_to_whom() -> None:
    theirs = replace(OPERATOR, controller="before").stamp() | {"owner": OWNER}
    assert key_from_json(raw(metadata=theirs), OPERATOR, LOGIN) is None
    heir = OPERATOR.successor_of([TakeOver(controller="before")])
    key = key_from_json(raw(metadata=theirs), heir, LOGIN)
    assert key is not None
    assert (key.former, key.namespace, key.name, key.owner) == ("before", "shop", "orders", "uid-orders")
    own = key_from_json(raw(), heir, LOGIN)
    assert own is not None
    assert (own.former, own.name) == ("", "")
