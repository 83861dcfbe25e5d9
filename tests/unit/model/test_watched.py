"""What absence says, by namespace."""

import pytest

from searchaccess.core.model.watched import EVERYWHERE, Watched
from searchaccess.engine.inventory.inventory import Inventory
from tests.unit.builders import a_search_access

SHOP = Watched(frozenset({"shop", "billing"}))


@pytest.mark.parametrize(
    ("watched", "namespace", "sees"),
    [
        pytest.param(EVERYWHERE, "shop", True, id="all are watched"),
        pytest.param(SHOP, "shop", True, id="it is in the list"),
        pytest.param(SHOP, "legacy", False, id="it is not in the list"),
        pytest.param(SHOP, "", False, id="which it is, is not known"),
        pytest.param(SHOP.without(["shop"]), "shop", False, id="it is in the list and could not be read"),
        pytest.param(SHOP.without(["shop"]), "billing", True, id="another could not be read"),
        pytest.param(SHOP.without(["shop"]).without([]), "shop", True, id="it can be read again"),
        pytest.param(Watched(frozenset()), "shop", False, id="the list is empty"),
    ],
)
def test_absence_says_something_about_namespaces_that_are_watched(
    watched: Watched, namespace: str, *, sees: bool
) -> None:
    assert watched.sees(namespace) is sees
    assert Inventory(watched=watched).is_unseen(namespace, "some-uid") is not sees


def test_who_is_known_is_seen_wherever_a_role_says_it_is() -> None:
    inventory = Inventory(watched=SHOP)
    raw = a_search_access()
    inventory.see_access(raw)
    assert not inventory.is_unseen("legacy", raw["metadata"]["uid"])
    assert inventory.is_unseen("legacy", "another")


def test_which_can_be_read() -> None:
    assert EVERYWHERE.readable is None
    assert SHOP.without(["shop"]).readable == ["billing"]
