"""State in, state out: an end comes while callers still get roles by old names, or while nobody knows new ones."""

from typing import Any

import pytest

from tests.component.common import begin
from tests.component.identities.common import OLD, have_roles, switch_to_ids
from tests.component.timeboxes.common import EXPIRED, SOON, at
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, account, grant

UNKNOWN = account("billing")
"""Its unique id is not known."""


@pytest.mark.parametrize("ending", ["orders", "billing"], ids=["of the one who has moved", "of the one who is unknown"])
def test_old_names_do_not_keep_rights_past_their_end(ending: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        ids = {email: stage.google.state.add_account(email) for email in (OLD, UNKNOWN, account("stays"))}
        ends: dict[str, Any] = {ending: {"validUntil": at(stage, 120)}}
        orders = access("orders", grant("orders-*"), principal=OLD, **ends.get("orders", {}))
        billing = access("billing", grant("billing-*"), **ends.get("billing", {}))
        # While anybody needs the mapping, it is not switched to the new names.
        await begin(stage, orders, billing, access("stays", grant("stays-*")))
        await switch_to_ids(stage, UNKNOWN)
        await stage.reconcile_all()
        stay = {account("stays"), ids[account("stays")]}
        assert have_roles(stage) == {OLD, UNKNOWN, ids[OLD], *stay}
        await stage.sleep(120 - 60)
        await stage.sleep(60 + SOON)
        gone = {OLD, ids[OLD]} if ending == "orders" else {UNKNOWN}
        assert have_roles(stage) == {OLD, UNKNOWN, ids[OLD], *stay} - gone
        await stage.quiet()
        assert stage.ready(ending) == EXPIRED

    play()
