"""What a policy refuses has no rights left where it had them before either."""

from typing import Any

import pytest

from tests.component.common import begin, granted
from tests.component.policies.test_policies import ONLY_LOGS, SOON, policy
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, account, grant


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param({"cluster": "ghost"}, id="to a SearchCluster that is not there"),
        pytest.param({"subject": {"serviceAccount": account("other")}}, id="to another account"),
        pytest.param(
            {"subject": {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "ghost"}}},
            id="to a workload that is not there",
        ),
    ],
)
def test_rights_do_not_stay_where_they_were_before_a_move(moved: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        assert granted(stage)
        stage.amend("orders", **moved)
        await stage.sleep(30)
        stage.apply(policy(**ONLY_LOGS))
        await stage.sleep(SOON + 30)
        await stage.quiet()
        assert not granted(stage)
        assert not granted(stage, account("other"))

    play()


def test_nor_if_the_move_is_what_is_refused() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(
            stage, policy(subjects=[{"serviceAccounts": [account("orders")]}]), access("orders", grant("orders-*"))
        )
        assert granted(stage)
        stage.amend("orders", subject={"serviceAccount": account("other")})
        await stage.sleep(SOON + 30)
        await stage.quiet()
        assert not granted(stage)
        assert not granted(stage, account("other"))

    play()
