"""API keys' names and metadata, and what is read back of them whoever wrote it."""

from typing import Any

import pytest

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


@pytest.mark.parametrize(
    "metadata",
    [{"owner": "x"}, {"owner": {"uid": 3}}, {"sequence": "x", "secret": 3, "version": True}, {"requested": None}],
)
def test_metadata_that_somebody_changed_reads_as_absent(metadata: dict[str, Any]) -> None:
    key = key_from_json(raw(metadata=OPERATOR.stamp() | metadata), OPERATOR, LOGIN)
    assert key is not None
    assert (key.owner, key.sequence, key.slot, key.requested) == ("", 0, NOWHERE, "")


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
