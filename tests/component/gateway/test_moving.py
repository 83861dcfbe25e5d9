"""A SearchCluster moves from a realm to a gateway: its callers keep the realm until the gateway serves them."""

import asyncio

from searchaccess.core.gateway.objects import LISTENERS, VERSION
from searchaccess.core.gateway.proof import Answer
from searchaccess.engine.gateway.proving import PROVE_AGAIN
from searchaccess.engine.rights.formermappings import GRACE_PERIOD
from searchaccess.ports.errors import PermissionDenied
from tests.component.common import MAPPING, ORDERS
from tests.component.gateway.common import PLACE, answers_slowly, busy_until, condition, declare, drifted
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.worlds.world import access, condition_in, grant


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
    await stage.sleep(GRACE_PERIOD / 2)
    assert condition(stage, "GatewayInSync") == ("False", "GatewayMissing")
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(20)
    assert stage.elasticsearch.mappings_now == {}


@on_stage
async def test_it_stays_while_elasticsearch_refuses_the_gateways_login(stage: Stage) -> None:
    stage.elasticsearch.run_as_works = False
    await _moves(stage)
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(120)
    assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync")
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}, "its pods run, and serve nobody"
    stage.elasticsearch.run_as_works = True
    await stage.sleep(2 * PROVE_AGAIN)
    assert stage.elasticsearch.mappings_now == {}


def _message(stage: Stage) -> str:
    return str(condition_in(stage.cluster(), "GatewayInSync")["message"])


@on_stage
async def test_it_does_not_stay_for_ever_and_the_status_says_how_long(stage: Stage) -> None:
    await _moves(stage)
    text = f"; callers of the realm keep the role mapping {MAPPING} until all pods of the gateway serve them, at the"
    assert text in _message(stage)
    await stage.sleep(GRACE_PERIOD - 60)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    await stage.sleep(80)
    assert stage.elasticsearch.mappings_now == {}
    assert text not in _message(stage)


@on_stage
async def test_a_pass_about_another_caller_does_not_keep_it_until_the_next_sweep(stage: Stage) -> None:
    await _moves(stage)
    answered = asyncio.Event()

    async def slowly(*_: object) -> Answer:
        # The pods have said by now that they have loaded the configuration.
        answered.set()
        await asyncio.sleep(20)
        return Answer(401)

    stage.gateways.call = slowly  # type: ignore[assignment, method-assign]
    stage.gateways.run(PLACE, "pod-a")
    await answered.wait()
    stage.apply(access("more", grant("more-*")))
    await stage.sleep(40)
    assert stage.ready("more") == ("True", "InSync")
    assert stage.elasticsearch.mappings_now == {}


@on_stage
async def test_configurations_that_overtake_each_other_do_not_keep_it(stage: Stage) -> None:
    await _moves(stage)
    stage.gateways.follows = False
    stage.gateways.run(PLACE, "pod-a")
    former = ""
    for number in range(1, 10):
        # A kubelet always brings the one before.
        written = stage.gateways.objects[PLACE.config].observed.annotations[VERSION]
        stage.gateways.running["gateways", PLACE.name]["pod-a"] = former
        former = written
        stage.amend("orders", limits={"requestsPerSecond": number})
        await stage.sleep(20)
    assert stage.elasticsearch.mappings_now == {}


@on_stage
async def test_pods_with_a_configuration_for_another_audience_do_not_serve_callers(stage: Stage) -> None:
    await _moves(stage)
    stage.gateways.follows = False
    stage.gateways.run(PLACE, "pod-a")
    written = stage.gateways.objects[PLACE.config].observed.annotations[VERSION]
    declare(stage, replicas=1, audience="https://other.example.com")
    await stage.quiet()
    stage.gateways.running["gateways", PLACE.name]["pod-a"] = written
    await stage.sleep(GRACE_PERIOD / 2)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}


@on_stage
async def test_it_stays_until_all_users_are_written_and_no_longer(stage: Stage) -> None:
    stage.faults.fail("elasticsearch", PermissionDenied("not this one"), "put_user")
    await _moves(stage)
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(GRACE_PERIOD)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    assert f"until the users of all callers have been written: that of {ORDERS} is not" in _message(stage)
    stage.faults.heal("elasticsearch")
    await stage.sleep(90)
    assert stage.ready("orders") == ("True", "InSync")
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
    await stage.sleep(GRACE_PERIOD + 400)
    assert stage.elasticsearch.mappings_now == {}
    realm = search_cluster()["spec"]["identity"]
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity=realm))
    await stage.quiet()
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    declare(stage, replicas=1)
    await stage.sleep(GRACE_PERIOD / 2)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}


@on_stage
async def test_pods_that_served_before_the_realm_do_not_serve_with_the_login_that_is_gone(stage: Stage) -> None:
    await _moves(stage)
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(60)
    assert stage.elasticsearch.mappings_now == {}
    stage.gateways.follows = False
    realm = search_cluster()["spec"]["identity"]
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity=realm))
    await stage.sleep(120)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}
    assert not stage.gateways.objects
    declare(stage, replicas=1)
    await stage.sleep(GRACE_PERIOD / 2)
    assert set(stage.elasticsearch.mappings_now) == {MAPPING}, "the pod has files of before"
    assert drifted(stage) == [], "nobody deleted what the operator did"
    written = stage.gateways.objects[PLACE.config].observed.annotations[VERSION]
    stage.gateways.running["gateways", PLACE.name]["pod-a"] = written
    await stage.sleep(60)
    assert stage.elasticsearch.mappings_now == {}


@on_stage
async def test_what_somebody_changes_about_the_gateway_is_said_where_there_was_a_realm_before(stage: Stage) -> None:
    await _moves(stage)
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(60)
    data = stage.gateways.objects[PLACE.config].data
    stage.gateways.store(PLACE.config, data | {LISTENERS: "accept: everybody"})
    await stage.sleep(70)
    assert stage.gateways.objects[PLACE.config].data == data
    assert drifted(stage) == [f"configmap/gateways/{PLACE.name}-config data[{LISTENERS}]"]
    assert stage.notes("prod").count("DriftDetected") == 1


@on_stage
async def test_it_goes_while_pods_are_being_marked(stage: Stage) -> None:
    await _moves(stage)

    async def slowly(*_: object) -> None:
        await asyncio.sleep(600)

    stage.gateways.mark_pod = slowly  # type: ignore[assignment, method-assign]
    stage.gateways.run(PLACE, "pod-a")
    await stage.sleep(60)
    assert stage.elasticsearch.mappings_now == {}


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


@on_stage
async def test_a_run_that_ends_by_itself_asks_pods_before_it_leaves_a_role_mapping(stage: Stage) -> None:
    await _moves(stage)
    await stage.stop()
    stage.gateways.run(PLACE, "pod-a")
    asked = answers_slowly(stage)
    stage.start()
    await busy_until(stage, asked)
    await stage.quiet()
    assert stage.elasticsearch.mappings_now == {}
