"""Approvals at admission: what lacks one is stored with a warning, and what would be refused with one is refused."""

from typing import Any

import pytest

from searchaccess.engine.inventory.inventory import Inventory
from tests.support.loop.clocks import SettableClock
from tests.unit.webhook.scene import ONLY_SHOP, a_policy, knowing, reads, ruled

RULE: dict[str, Any] = {"require": {"approval": {"by": {"users": ["bob"]}, "for": "1h"}}}
BY_ANN = {"searchaccess.dev/requested-by": "ann"}


@pytest.fixture
def inventory() -> Inventory:
    made = knowing(a_policy(**ONLY_SHOP), a_policy("people", **RULE), clock=SettableClock(1000))
    made.approvals.keep(set(), frozenset())
    return made


def test_what_needs_an_approval_is_stored_with_a_warning(inventory: Inventory) -> None:
    found = ruled(inventory, reads("shop-1", annotations=BY_ANN))
    assert found.allowed
    [said] = found.warnings
    assert said.startswith("it gets no rights until another person approves it: ann requests it")


def test_who_does_not_say_who_requests_it_is_told_what_to_write(inventory: Inventory) -> None:
    [said] = ruled(inventory, reads("shop-1")).warnings
    assert "add the annotation searchaccess.dev/requested-by with your own name" in said


def test_what_would_be_refused_with_an_approval_is_refused_at_once(inventory: Inventory) -> None:
    found = ruled(inventory, reads("orders-1", annotations=BY_ANN))
    assert not found.allowed
    assert found.message.startswith("SearchAccessPolicy limits: grants[0]: ")
