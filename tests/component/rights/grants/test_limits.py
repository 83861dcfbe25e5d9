"""Limits of callers: refused where no gateway enforces them, and reported where one does."""

from typing import Any

from tests.component.common import ORDERS, begin, granted
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, grant

GATEWAY: dict[str, Any] = {
    "gateway": {
        "audience": "https://es.example.com",
        "url": "https://gateway.example.com",
        "namespace": "search",
        "limits": {"requestsPerSecond": 50},
    }
}
SLOW = {"requestsPerSecond": 5, "apis": ["Search"]}


def _limited(raw: dict[str, Any], limits: dict[str, Any] | None) -> dict[str, Any]:
    spec = {key: value for key, value in raw["spec"].items() if key != "limits"}
    return raw | {"spec": spec | ({"limits": limits} if limits else {})}


def _set_limits(stage: Stage, limits: dict[str, Any] | None, namespace: str = "shop") -> None:
    [key] = [key for key in stage.kubernetes.objects if key[1:] == (namespace, "orders")]
    stage.kubernetes.change(key, lambda raw: raw.update(_limited(raw, limits)))


@on_stage
async def test_without_a_gateway_nothing_new_is_granted_and_what_was_granted_stays(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert granted(stage) == {"orders-*"}

    def widen(raw: dict[str, Any]) -> None:
        raw["spec"] |= {"limits": SLOW, "grants": [grant("orders-*"), grant("bills-*")]}

    [key] = [key for key in stage.kubernetes.objects if key[1:] == ("shop", "orders")]
    stage.kubernetes.change(key, widen)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "LimitsNotSupported")
    assert granted(stage) == {"orders-*"}
    conditions = {item["type"]: item for item in stage.get("orders")["status"]["conditions"]}
    assert conditions["Stalled"]["status"] == "True"
    assert conditions["Ready"]["message"].startswith("limits need identity.gateway, which SearchCluster prod does not")
    assert "limits" not in stage.get("orders")["status"]

    _set_limits(stage, None)
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert granted(stage) == {"orders-*", "bills-*"}


@on_stage
async def test_with_a_gateway_the_limits_in_force_are_reported_on_all_that_share_a_caller(stage: Stage) -> None:
    mine = _limited(access("orders", grant("orders-*")), {"requestsPerSecond": 20, "maxBody": "1Mi"})
    await begin(stage, mine, identity=GATEWAY)
    own = {"requestsPerSecond": 20, "burst": 40, "maxBody": "1Mi"}
    assert stage.get("orders")["status"]["limits"] == own

    theirs = _limited(access("orders", grant("x-*"), principal=ORDERS, namespace="evil"), SLOW)
    stage.apply(theirs)
    await stage.quiet()
    both = {"requestsPerSecond": 5, "burst": 10, "maxBody": "1Mi", "apis": ["Search"]}
    shown = _status(stage, "shop")
    assert shown["limits"] == both | {"limitedBy": ["evil/orders"], "limits": ["evil/orders"]}
    assert _status(stage, "evil")["limits"] == both | {"limitedBy": ["shop/orders"], "limits": ["shop/orders"]}
    [message] = [item["message"] for item in shown["conditions"] if item["type"] == "LimitedElsewhere"]
    assert message == (
        f"evil/orders limits {ORDERS} more than this object does: 5 requests in a second, 10 at once; bodies up to "
        "1Mi; apis Search"
    )
    assert await stage.reconcile_all() == [], "nothing is written again"

    _set_limits(stage, {"requestsPerSecond": 30, "maxBody": "2Mi"}, "evil")
    await stage.quiet()
    assert _status(stage, "shop")["limits"] == own | {"limits": ["evil/orders"]}
    assert "LimitedElsewhere" not in {item["type"] for item in _status(stage, "shop")["conditions"]}


@on_stage
async def test_limits_that_allow_nothing_together_are_named(stage: Stage) -> None:
    mine = _limited(access("orders", grant("orders-*")), {"apis": ["Documents"]})
    theirs = _limited(access("orders", grant("x-*"), principal=ORDERS, namespace="evil"), {"apis": ["Sql"]})
    await begin(stage, mine, theirs, identity=GATEWAY)
    assert _status(stage, "shop")["limits"]["apis"] == []
    [message] = [item["message"] for item in _status(stage, "shop")["conditions"] if item["type"] == "LimitedElsewhere"]
    assert message.endswith("no part of the API, so nothing at all")


def _status(stage: Stage, namespace: str) -> dict[str, Any]:
    [raw] = [raw for key, raw in stage.kubernetes.objects.items() if key[1:] == (namespace, "orders")]
    status: dict[str, Any] = raw["status"]
    return status


@on_stage
async def test_a_label_alone_limits_an_agent_and_the_other_one_sees_it(stage: Stage) -> None:
    theirs = access("orders", grant("x-*"), principal=ORDERS, namespace="evil")
    await begin(stage, access("orders", grant("orders-*")), theirs, identity=GATEWAY)
    assert "apis" not in _status(stage, "shop")["limits"]
    [key] = [key for key in stage.kubernetes.objects if key[1:] == ("evil", "orders")]
    stage.kubernetes.change(key, lambda raw: raw["metadata"].update(labels={"searchaccess.dev/workload": "ai-agent"}))
    await stage.quiet()
    shown = _status(stage, "shop")["limits"]
    assert (shown["apis"], shown["limitedBy"]) == (["Documents", "Search"], ["evil/orders"])

    stage.kubernetes.delete(key)
    await stage.quiet()
    assert "apis" not in _status(stage, "shop")["limits"]
