"""Two namespaces that grant rights to the same account: reported on both, as long as both do."""

from typing import Any

from searchaccess.ports.errors import Unreachable
from tests.component.common import ORDERS, begin
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, grant

MINE = access("orders", grant("orders-*"))
THEIRS = access("everything", grant("*", can=["read", "write"]), principal=ORDERS, namespace="evil")


def _reported(stage: Stage) -> dict[str, str]:
    found: dict[str, str] = {}
    for (_, namespace, name), raw in stage.kubernetes.objects.items():
        for item in raw.get("status", {}).get("conditions", []):
            if item["type"] == "GrantedElsewhere":
                assert (item["status"], item["reason"]) == ("True", "GrantedElsewhere")
                found[f"{namespace}/{name}"] = item["message"]
    return found


@on_stage
async def test_it_is_reported_on_both_and_no_longer_when_one_goes(stage: Stage) -> None:
    await begin(stage, MINE)
    assert _reported(stage) == {}
    stage.apply(THEIRS)
    await stage.quiet()
    assert _reported(stage) == {
        "shop/orders": f"{ORDERS} also has rights from evil/everything (rw *)",
        "evil/everything": f"{ORDERS} also has rights from shop/orders (r orders-*)",
    }
    assert stage.ready("orders") == ("True", "InSync"), "it is a warning"
    assert await stage.reconcile_all() == [], "nothing is written again"
    stage.delete("orders")
    await stage.quiet()
    assert _reported(stage) == {}


@on_stage
async def test_what_the_other_gives_is_reported_as_it_is_now(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS)

    def narrow(raw: dict[str, Any]) -> None:
        raw["spec"]["grants"] = [grant("bills-*")]

    [key] = [key for key in stage.kubernetes.objects if key[1] == "evil"]
    stage.kubernetes.change(key, narrow)
    await stage.quiet()
    assert _reported(stage)["shop/orders"].endswith("evil/everything (r bills-*)")


@on_stage
async def test_many_others_are_counted(stage: Stage) -> None:
    others = [access(f"a{number}", grant("x-*"), principal=ORDERS, namespace="evil") for number in range(5)]
    await begin(stage, MINE, *others)
    message = _reported(stage)["shop/orders"]
    assert message == f"{ORDERS} also has rights from evil/a0 (r x-*), evil/a1 (r x-*), evil/a2 (r x-*) and 2 more"


@on_stage
async def test_its_own_namespace_and_what_gives_nothing_are_not_reported(stage: Stage) -> None:
    await begin(
        stage,
        MINE,
        access("more", grant("bills-*"), principal=ORDERS),
        access("observed", grant("*"), principal=ORDERS, namespace="evil", mode="Observe"),
        access("invalid", grant("Upper"), principal=ORDERS, namespace="evil"),
        access("keyed", grant("*"), namespace="evil"),
    )
    assert [name for name in _reported(stage) if name.startswith("shop/")] == []


@on_stage
async def test_what_was_granted_and_is_only_observed_now_is_reported(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS)
    [key] = [key for key in stage.kubernetes.objects if key[1] == "evil"]
    stage.kubernetes.change(key, lambda raw: raw["spec"].update(mode="Observe"))
    await stage.quiet()
    assert list(_reported(stage)) == ["shop/orders", "evil/everything"]


@on_stage
async def test_it_stays_told_while_the_cluster_is_away(stage: Stage) -> None:
    await begin(stage, MINE, THEIRS)
    before = _reported(stage)
    stage.faults.fail("elasticsearch", Unreachable("away"))
    await stage.sleep(300)
    assert _reported(stage) == before
