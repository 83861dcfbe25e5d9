"""Limits reach the gateway's configuration before rights, where somebody wants that."""

from typing import Any

import pytest

from searchaccess.core.gateway.objects import LISTENERS
from searchaccess.core.model.timeboxes.timebox import LEAD
from searchaccess.ports.errors import PermissionDenied
from tests.component.common import ORDERS
from tests.component.gateway.common import PLACE, begin, condition
from tests.component.timeboxes.common import at
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


def limited(**spec: Any) -> dict[str, Any]:
    raw = access("orders", grant("orders-*"))
    raw["spec"] |= {"limits": {"requestsPerSecond": 5}, **spec}
    return raw


def limits(stage: Stage) -> bool:
    """Give whether the gateway's configuration limits the caller."""
    return ORDERS in stage.gateways.objects[PLACE.config].data[LISTENERS]


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessPolicy",
        "metadata": {"name": "limits"},
        "spec": spec,
    }


@pytest.mark.parametrize("how", ["refused", "expired"])
def test_a_caller_keeps_its_limits_until_its_rights_are_gone(how: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        ends = {"validUntil": at(stage, 60)} if how == "expired" else {}
        stage.apply(limited(**ends))
        await stage.quiet()
        assert stage.role(ORDERS)["indices"]
        assert limits(stage)
        stage.faults.fail("elasticsearch", PermissionDenied("not allowed"), "delete_roles")
        if how == "refused":
            stage.apply(policy(deny=[{"indices": ["orders-*"]}]))
        await stage.sleep(120)
        assert stage.role(ORDERS)["indices"], "it could not be revoked"
        assert limits(stage)
        stage.faults.heal("elasticsearch")
        await stage.sleep(120)
        await stage.quiet()
        assert not stage.role(ORDERS)
        assert not limits(stage)

    play()


@on_stage
async def test_a_caller_keeps_its_limits_while_policies_cannot_be_asked(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(policy(allow=[{"indices": ["orders-*"], "can": ["read"]}]))
    stage.apply(limited())
    await stage.quiet()
    said = stage.get("orders")["status"]["limits"]
    assert said["requestsPerSecond"] == 5
    stage.amend("orders", clusterCan="?")
    await stage.quiet()
    assert stage.ready("orders") == ("False", "InvalidSpec")
    assert stage.role(ORDERS)["indices"]
    assert limits(stage)
    assert stage.get("orders")["status"]["limits"] == said
    await stage.restart()
    await stage.quiet()
    assert limits(stage)


@on_stage
async def test_what_is_invalid_from_the_beginning_limits_nobody(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(policy(allow=[{"indices": ["orders-*"], "can": ["read"]}]))
    await stage.quiet()
    stage.apply(limited(clusterCan="?"))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "InvalidSpec")
    assert not limits(stage)


@on_stage
async def test_what_is_refused_from_the_beginning_limits_nobody(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(policy(deny=[{"indices": ["orders-*"]}]))
    await stage.quiet()
    stage.apply(limited())
    await stage.quiet()
    assert stage.ready("orders") == ("False", "PolicyViolation")
    assert not limits(stage)


@on_stage
async def test_limits_reach_the_gateway_before_rights_begin(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited(validFrom=at(stage, 2 * LEAD)))
    await stage.quiet()
    assert not limits(stage), "it would limit others of the same caller"
    await stage.sleep(LEAD + 15)
    await stage.quiet()
    assert limits(stage)
    assert not stage.role(ORDERS)
    assert stage.ready("orders") == ("False", "NotYetValid")
    await stage.sleep(LEAD)
    await stage.quiet()
    assert stage.role(ORDERS)["indices"]
    assert limits(stage)
