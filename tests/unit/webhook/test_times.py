"""Time boxes at admission: what is over is warned of, and what is only proposed changes no time that is in force."""

from typing import Any

import pytest

from searchaccess.core.model.timeboxes.timebox import Term
from searchaccess.engine.inventory.inventory import Inventory
from tests.support.loop.clocks import SettableClock, rfc3339
from tests.unit.webhook.scene import ONLY_SHOP, a_policy, knowing, reads, ruled

SOON, LATER, OVER = rfc3339(1100), rfc3339(9000), rfc3339(900)


@pytest.fixture
def inventory() -> Inventory:
    return knowing(a_policy(**ONLY_SHOP), clock=SettableClock(1000))


def test_what_is_over_already_is_stored_with_a_warning(inventory: Inventory) -> None:
    found = ruled(inventory, reads("shop-1", validUntil=OVER))
    assert found.allowed
    assert [text for text in found.warnings if "its rights ended" in text] == list(found.warnings) != []
    assert not ruled(inventory, reads("shop-1", validUntil=SOON)).warnings


@pytest.mark.parametrize("more", [{"validUntil": "tomorrow"}, {"validFrom": LATER, "validUntil": SOON}])
def test_times_that_cannot_be_are_refused(inventory: Inventory, more: dict[str, Any]) -> None:
    found = ruled(inventory, reads("shop-1", **more))
    assert not found.allowed
    assert "valid" in found.message


def test_what_is_proposed_leaves_the_times_of_the_stored_one(inventory: Inventory) -> None:
    stored = reads("shop-1", validUntil=SOON)
    inventory.see_access(stored)
    for proposed in (reads("shop-1", validUntil=LATER), reads("shop-1"), reads("orders-*", validUntil=OVER)):
        ruled(inventory, proposed, stored)
    ruled(inventory, reads("shop-1", uid="another", validUntil=SOON))
    [(uid, (box, validity))] = inventory.time_boxes._known.items()
    assert (uid, box.ends, validity.term) == ("uid-orders", inventory.accesses[uid].access.time_box.ends, Term.IN_FORCE)
    assert validity.changes_at == box.ends


def test_what_is_refused_may_not_be_narrowed_and_last_longer(inventory: Inventory) -> None:
    old = reads("orders-*", "bills-*", validUntil=SOON)
    assert ruled(inventory, reads("orders-1", validUntil=SOON), old).allowed
    assert not ruled(inventory, reads("orders-1", validUntil=LATER), old).allowed


CLOSED = {"schedule": {"cron": "0 0 1 1 *", "timeZone": "UTC", "duration": "1m"}}


@pytest.mark.parametrize("more", [{"validFrom": SOON}, CLOSED], ids=["not yet", "outside of its windows"])
def test_what_is_refused_once_its_time_comes_is_refused_at_once(inventory: Inventory, more: dict[str, Any]) -> None:
    assert ruled(inventory, reads("shop-1", **more)).allowed
    found = ruled(inventory, reads("orders-1", **more))
    assert not found.allowed
    assert found.message.startswith("SearchAccessPolicy limits: grants[0]: ")
    assert ruled(inventory, reads("orders-1", suspend=True, **more), reads("orders-1", **more)).allowed


A_MINUTE: dict[str, Any] = {"require": {"validUntil": "1m"}}


def test_a_new_one_is_judged_as_if_it_were_created_now() -> None:
    inventory = knowing(a_policy(**A_MINUTE), clock=SettableClock(1000))
    found = ruled(inventory, reads("shop-1", validUntil=rfc3339(1061)))
    assert not found.allowed
    assert f"write {rfc3339(1060)} or an earlier time" in found.message
    assert ruled(inventory, reads("shop-1", validUntil=rfc3339(1060))).allowed


def test_one_that_is_stored_counts_from_its_creation() -> None:
    inventory = knowing(a_policy(**A_MINUTE), clock=SettableClock(1000))
    stored, later = reads("shop-1", validUntil=rfc3339(960)), reads("shop-1", validUntil=rfc3339(1060))
    for raw in (stored, later):
        raw["metadata"]["creationTimestamp"] = rfc3339(900)
    assert f"write {rfc3339(960)} or" in ruled(inventory, later, stored).message


def test_what_ends_too_late_may_end_earlier_and_not_later() -> None:
    inventory = knowing(a_policy(**A_MINUTE), clock=SettableClock(1000))
    old = reads("shop-1", validUntil=LATER)
    assert ruled(inventory, reads("shop-1", validUntil=rfc3339(8000)), old).allowed
    assert ruled(inventory, reads("shop-1", validUntil=rfc3339(8000)), reads("shop-1")).allowed
    assert not ruled(inventory, reads("shop-1", validUntil=rfc3339(9001)), old).allowed
    assert not ruled(inventory, reads("shop-1"), old).allowed


@pytest.mark.parametrize("index", ["Upper", "Other"], ids=["with the same fault", "with another one"])
def test_what_is_invalid_may_end_earlier_and_not_later(inventory: Inventory, index: str) -> None:
    old = reads("Upper", validUntil=rfc3339(8000))
    assert ruled(inventory, reads(index, validUntil=rfc3339(8000)), old).allowed
    assert ruled(inventory, reads(index, validUntil=rfc3339(7000)), old).allowed
    assert not ruled(inventory, reads(index, validUntil=LATER), old).allowed
    assert not ruled(inventory, reads(index), old).allowed
