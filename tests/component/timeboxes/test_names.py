"""State in, state out: an end comes while callers still get roles by old names, or while nobody knows new ones."""

from typing import Any

import pytest

from searchaccess.ports.errors import PermissionDenied
from tests.component.common import begin
from tests.component.identities.common import OLD, have_roles
from tests.component.identities.test_by_sub import by_sub
from tests.component.timeboxes.common import EXPIRED, SOON, at
from tests.support.memory_google import SIDE
from tests.support.stage import CLUSTER_KEY, Stage, on_stage
from tests.support.world import access, account, grant

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
        healthy = stage.google.get_account

        async def forbidden(email: str) -> Any:
            if email == UNKNOWN:
                raise PermissionDenied("403")
            return await healthy(email)

        stage.google.get_account = forbidden  # type: ignore[method-assign]
        stage.faults.fail(SIDE, PermissionDenied("403"), "list_accounts")
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw.update(spec=by_sub()["spec"]))
        await stage.quiet()
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
