"""A SearchCluster moves from a realm to a gateway: its callers keep the realm until the gateway serves them."""

from searchaccess.engine.rights.oldway import OLD_WAY
from tests.component.common import MAPPING, ORDERS
from tests.component.gateway.common import PLACE, condition, declare
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.worlds.world import access, grant


async def _moves(stage: Stage) -> None:
    """Have callers of a realm, and then declare a gateway whose pods are not there yet."""
    stage.runs_gateways = True
    await stage.restart()
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    declare(stage, replicas=1)
    await stage.quiet()


@on_stage
async def test_the_role_mapping_stays_until_the_pods_serve(stage: Stage) -> None:
    await _moves(stage)
    assert set(stage.elasticsearch.users_now) > {f"{MAPPING}.{ORDERS}"}
    await stage.sleep(OLD_WAY / 2)
    assert condition(stage, "GatewayInSync") == ("False", "GatewayMissing")
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(20)
    assert stage.elasticsearch.mappings_now == {}


@on_stage
async def test_it_does_not_stay_for_ever(stage: Stage) -> None:
    await _moves(stage)
    await stage.sleep(OLD_WAY + 400)
    assert stage.elasticsearch.mappings_now == {}


@on_stage
async def test_pods_that_end_later_bring_no_role_mapping_back(stage: Stage) -> None:
    await _moves(stage)
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(400)
    stage.gateways.running.clear()
    declare(stage, replicas=1, limits={"maxBody": "1Mi"})
    await stage.sleep(400)
    assert condition(stage, "GatewayInSync") == ("False", "GatewayMissing")
    assert stage.elasticsearch.mappings_now == {}
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_who_goes_back_to_the_realm_and_tries_again_has_as_much_time(stage: Stage) -> None:
    await _moves(stage)
    await stage.sleep(OLD_WAY + 400)
    assert stage.elasticsearch.mappings_now == {}
    realm = search_cluster()["spec"]["identity"]
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity=realm))
    await stage.quiet()
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    declare(stage, replicas=1)
    await stage.sleep(OLD_WAY / 2)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}


@on_stage
async def test_pods_that_come_and_go_do_not_keep_it_for_ever(stage: Stage) -> None:
    await _moves(stage)
    # They never live long enough to load what is written.
    stage.gateways.follows = False
    for number in range(60):
        stage.gateways.run(PLACE, "pod-a")
        await stage.sleep(20)
        stage.apply(access("orders", grant(f"orders-{number}*")))
        await stage.sleep(10)
        stage.gateways.running.clear()
        if number == 20:
            assert set(stage.elasticsearch.mappings_now) == {MAPPING}
        await stage.sleep(30)
    await stage.sleep(400)
    assert stage.elasticsearch.mappings_now == {}
