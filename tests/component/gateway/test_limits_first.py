"""Limits reach the gateway's configuration before rights, where somebody wants that."""

from searchaccess.core.gateway.objects import LISTENERS
from tests.component.common import ORDERS
from tests.component.gateway.common import PLACE, begin, condition
from tests.support.stage import Stage, on_stage
from tests.support.world import access, grant


@on_stage
async def test_a_suspended_search_access_limits_its_caller_before_it_has_rights(stage: Stage) -> None:
    await begin(stage, "pod-a")
    agent = access("orders", grant("orders-*"))
    agent["metadata"]["labels"] = {"searchaccess.dev/workload": "ai-agent"}
    agent["spec"]["suspend"] = True
    stage.apply(agent)
    await stage.quiet()
    assert ORDERS in stage.gateways.objects[PLACE.config].data[LISTENERS]
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")
    assert stage.role(ORDERS) == {}
    stage.amend("orders", suspend=False)
    await stage.quiet()
    assert stage.role(ORDERS)["indices"]
    assert stage.ready("orders") == ("True", "InSync")
