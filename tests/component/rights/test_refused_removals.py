"""A role out of which a small login cannot take what a deleted SearchAccess had: tried again rarely, and reported."""

from searchaccess.api.conditions.reasons import Reason
from tests.component.common import ORDERS, begin, granted
from tests.component.rights.test_logins import FULL, ROLES, tried, write_mapping
from tests.support.loop.stage import OPERATOR, Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant


async def begin_with_shared_role(stage: Stage) -> None:
    """Have a role shared by two SearchAccesses, of which the login may write only what one has, and delete that one."""
    stage.elasticsearch.rights_now = FULL
    write_mapping(stage, metadata=OPERATOR.stamp())
    await begin(
        stage,
        access("old", grant("invoices"), principal=ORDERS),
        access("orders", grant("orders-*"), principal=ORDERS),
    )
    stage.elasticsearch.rights_now = ROLES
    stage.elasticsearch.sequence += 1
    await stage.sleep(5)
    stage.delete("orders")
    await stage.sleep(120)


@on_stage
async def test_it_is_tried_again_ever_more_rarely_and_the_status_says_why(stage: Stage) -> None:
    await begin_with_shared_role(stage)
    await stage.sleep(600)
    before = len(stage.faults.calls)
    await stage.sleep(1200)
    assert 1 <= len(tried(stage, before)) <= 12, "with each sweep, and about as often in between"
    assert stage.ready("orders") == stage.cluster_ready() == ("False", Reason.REJECTED)
    assert "more than was delegated to the operator's login" in condition_in(stage.get("orders"), "Ready")["message"]


@on_stage
async def test_another_login_takes_it_out_at_once(stage: Stage) -> None:
    await begin_with_shared_role(stage)
    await stage.sleep(600)
    stage.elasticsearch.rights_now = FULL
    stage.elasticsearch.sequence += 1
    await stage.sleep(15)
    assert not stage.get("orders")
    assert granted(stage) == {"invoices"}


@on_stage
async def test_another_declaration_takes_it_out_at_once(stage: Stage) -> None:
    await begin_with_shared_role(stage)
    await stage.sleep(600)
    stage.delete("old")
    await stage.sleep(5)
    assert not stage.get("orders")
    assert not stage.role(ORDERS)
