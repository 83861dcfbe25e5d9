"""Limits reach the gateway's configuration before rights, where somebody wants that."""

from collections import Counter
from typing import Any

import pytest

from searchaccess.core.gateway.facts import GRACE
from searchaccess.core.gateway.loading import WAITS
from searchaccess.core.gateway.objects import LISTENERS, VERSION, Observed, Target, Wanted
from searchaccess.core.model.timeboxes.timebox import LEAD
from searchaccess.ports.errors import PermissionDenied, Unreachable
from tests.component.common import ORDERS
from tests.component.gateway.common import PLACE, answers_slowly, begin, condition, declare, drifted, gateway
from tests.component.timeboxes.common import at
from tests.support.loop.stage import Stage, access_key, on_stage, search_cluster
from tests.support.worlds.world import access, condition_in, grant


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


def loads(stage: Stage, *pods: str) -> None:
    """Have pods load what is written, as the kubelet does a while later."""
    written = stage.gateways.objects[PLACE.config].observed.annotations[VERSION]
    stage.gateways.running["gateways", PLACE.name] |= dict.fromkeys(pods, written)


@on_stage
async def test_rights_begin_when_all_pods_have_the_limits(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b")
    stage.gateways.follows = False
    free = access("bills", grant("bills-*"))
    stage.apply(limited(), free)
    await stage.quiet()
    assert limits(stage), "the configuration is written"
    assert stage.role(ORDERS) == {}
    assert stage.ready("orders") == ("False", "Pending")
    assert WAITS in condition_in(stage.get("orders"), "Ready")["message"]
    assert stage.ready("bills") == ("True", "InSync"), "the default is what it has anyway"
    loads(stage, "pod-a")
    await stage.sleep(10 * GRACE)
    assert stage.role(ORDERS) == {}, "one pod would let it send more"
    loads(stage, "pod-b")
    await stage.sleep(40)
    assert stage.role(ORDERS)["indices"]
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_what_a_caller_has_stays_and_narrows_while_stricter_limits_are_on_their_way(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited(), access("more", grant("more-*"), principal=ORDERS))
    await stage.quiet()
    stage.gateways.follows = False
    stage.amend("orders", limits={"requestsPerSecond": 2}, grants=[grant("orders-1")])
    stage.apply(access("late", grant("late-*"), principal=ORDERS))
    await stage.quiet()
    assert indices(stage) == {"orders-1", "more-*"}
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.ready("late") == ("False", "Pending")
    loads(stage, "pod-a")
    await stage.sleep(40)
    assert indices(stage) == {"orders-1", "more-*", "late-*"}


@on_stage
async def test_pods_that_cannot_be_asked_are_given_their_time(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.gateways.running["gateways", PLACE.name]["pod-a"] = "!"
    stage.apply(limited())
    await stage.sleep(GRACE / 2)
    assert stage.role(ORDERS) == {}
    await stage.sleep(GRACE)
    assert stage.role(ORDERS)["indices"]


@on_stage
async def test_a_restart_forgets_no_limits_that_are_on_their_way(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.gateways.follows = False
    stage.apply(limited())
    await stage.quiet()
    await stage.restart()
    await stage.sleep(GRACE)
    assert stage.role(ORDERS) == {}
    loads(stage, "pod-a")
    await stage.sleep(40)
    assert stage.role(ORDERS)["indices"]


@on_stage
async def test_who_moves_away_limits_its_caller_while_its_rights_are_here(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited())
    await stage.quiet()
    stage.amend("orders", cluster="nowhere")
    await stage.quiet()
    assert stage.role(ORDERS)["indices"]
    assert limits(stage)


def indices(stage: Stage) -> set[str]:
    """Return what the caller may reach."""
    return {name for entry in stage.role(ORDERS)["indices"] for name in entry["names"]}


def limits(stage: Stage) -> bool:
    """Return whether the gateway's configuration limits the caller."""
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


@pytest.mark.parametrize("again", [{}, {"requestsPerSecond": 5}, {"requestsPerSecond": 9}, {"requestsPerSecond": 2}])
def test_one_that_is_created_again_is_served_within_seconds(again: dict[str, int]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        stage.gateways.follows, stage.gateways.hears = False, True
        stage.apply(limited())
        await stage.quiet()
        assert stage.role(ORDERS)["indices"]
        stage.delete("orders")
        await stage.quiet()
        assert not limits(stage)
        raw = access("orders", grant("orders-*"))
        raw["spec"] |= {"limits": again} if again else {}
        stage.apply(raw)
        await stage.sleep(10)
        assert stage.role(ORDERS)["indices"]
        assert stage.ready("orders") == ("True", "InSync")

    play()


@on_stage
async def test_a_version_that_a_pod_had_before_does_not_count_as_the_present_one(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited())
    await stage.quiet()
    stage.gateways.follows = False
    loads(stage, "pod-a")
    stage.delete("orders")
    await stage.quiet()
    # The pod has the first version with these limits, and its kubelet the one without them on its way.
    stage.apply(limited())
    await stage.sleep(2 * GRACE)
    assert stage.role(ORDERS) == {}
    loads(stage, "pod-a")
    await stage.sleep(40)
    assert stage.role(ORDERS)["indices"]


@on_stage
async def test_a_configuration_whose_write_was_not_answered_may_still_arrive(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited(suspend=True))
    await stage.quiet()
    stage.gateways.follows = False
    loads(stage, "pod-a")
    write = stage.gateways.write

    async def unanswered(wanted: Wanted, known: Observed | None) -> Observed:
        stage.gateways.write = write  # type: ignore[method-assign]
        await write(wanted, known)
        stage.amend("orders", limits={"requestsPerSecond": 5}, suspend=False)
        raise Unreachable("no answer in time")

    stage.gateways.write = unanswered  # type: ignore[method-assign]
    stage.amend("orders", limits={"requestsPerSecond": 50})
    await stage.sleep(2 * GRACE)
    assert limits(stage)
    assert stage.role(ORDERS) == {}, "the pod has the same as before, and its kubelet the other one on its way"
    assert drifted(stage) == []
    loads(stage, "pod-a")
    await stage.sleep(40)
    assert stage.role(ORDERS)["indices"]


async def has_looser_limits(stage: Stage) -> None:
    """Have a caller with looser limits than the default, which all pods have loaded, and will not change."""
    await begin(stage, "pod-a", "pod-b", limits={"requestsPerSecond": 2})
    stage.apply(limited())
    await stage.quiet()
    stage.gateways.follows = False
    loads(stage, "pod-a", "pod-b")


def loses_limits(stage: Stage) -> None:
    """Take them from its only SearchAccess, so that it has the default."""
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["spec"].pop("limits"))


@pytest.mark.parametrize("stopped", [False, True], ids=["while the operator runs", "while it does not"])
def test_looser_limits_of_before_a_restart_are_waited_for_until_no_pod_has_them(*, stopped: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await has_looser_limits(stage)
        if not stopped:
            loses_limits(stage)
            await stage.quiet()
            assert not limits(stage)
        await stage.stop()
        if stopped:
            loses_limits(stage)
        stage.apply(access("late", grant("late-*"), principal=ORDERS))
        stage.start()
        await stage.sleep(2 * GRACE)
        assert not limits(stage)
        assert indices(stage) == {"orders-*"}, "it keeps what it had"
        assert stage.ready("late") == ("False", "Pending")
        assert WAITS in condition_in(stage.get("late"), "Ready")["message"]
        loads(stage, "pod-a")
        await stage.sleep(40)
        assert indices(stage) == {"orders-*"}, "one pod would let it send more"
        loads(stage, "pod-b")
        await stage.sleep(40)
        assert indices(stage) == {"orders-*", "late-*"}
        assert stage.ready("late") == ("True", "InSync")

    play()


@on_stage
async def test_pods_that_cannot_be_asked_after_a_restart_are_given_their_time(stage: Stage) -> None:
    await has_looser_limits(stage)
    stage.gateways.running["gateways", PLACE.name] |= dict.fromkeys(("pod-a", "pod-b"), "!")
    await stage.stop()
    loses_limits(stage)
    stage.apply(access("late", grant("late-*"), principal=ORDERS))
    stage.start()
    await stage.sleep(GRACE / 2)
    assert indices(stage) == {"orders-*"}
    await stage.sleep(GRACE)
    assert indices(stage) == {"orders-*", "late-*"}


@on_stage
async def test_a_restart_where_all_pods_have_the_configuration_delays_nobody(stage: Stage) -> None:
    await has_looser_limits(stage)
    stage.apply(*(access(f"app-{number}", grant(f"app-{number}-*")) for number in range(20)))
    await stage.quiet()
    await stage.stop()
    calls, writes = len(stage.faults.calls), len(stage.faults.writes)
    stage.apply(access("late", grant("late-*")))
    stage.start()
    await stage.quiet()
    assert stage.ready("late") == ("True", "InSync")
    made = Counter(call.method for call in stage.faults.calls[calls:] if call.side == "gateway")
    assert made["pods"] == 1
    assert made["version_of"] == 2
    assert made["read"] == 2, "the ConfigMap and the login, whatever the number of callers"
    touched = {name for call in stage.faults.writes[writes:] for name in call.names if "app-" in name}
    assert {call.method for call in stage.faults.writes[writes:] if touched & set(call.names)} <= {"put_user"}


@on_stage
async def test_a_first_gateway_has_nothing_to_wait_for(stage: Stage) -> None:
    stage.runs_gateways = True
    await stage.restart()
    stage.gateways.follows = False
    stage.gateways.run(PLACE, "pod-a")
    stage.apply(search_cluster(identity={"gateway": gateway()}), access("bills", grant("bills-*")))
    await stage.sleep(10)
    assert stage.ready("bills") == ("True", "InSync")
    stage.gateways.running["gateways", PLACE.name]["pod-a"] = "of somebody's"
    await stage.sleep(60)
    stage.apply(access("late", grant("late-*")))
    await stage.sleep(10)
    assert stage.ready("late") == ("False", "Pending"), "nobody knows which limits these are"


@pytest.mark.parametrize("mute", [False, True])
def test_a_pod_that_is_being_deleted_is_waited_for_while_it_may_serve(*, mute: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a", "pod-b", replicas=1)
        stage.gateways.ending["pod-b"], marked = at(stage, 60), stage.gateways.marks["pod-b"]
        if mute:
            stage.gateways.running["gateways", PLACE.name]["pod-b"] = "!"
        stage.apply(limited(), access("bills", grant("bills-*")))
        await stage.sleep(50)
        assert condition(stage, "GatewayInSync") == ("True", "GatewayInSync"), "all that stay have the limits"
        assert stage.role(ORDERS) == {}
        assert stage.ready("bills") == ("True", "InSync")
        if not mute:
            await stage.sleep(100)
            assert stage.role(ORDERS) == {}, "it still answers"
            del stage.gateways.running["gateways", PLACE.name]["pod-b"]
        await stage.sleep(40)
        assert stage.role(ORDERS)["indices"]
        assert stage.gateways.marks["pod-b"] == marked, "its kubelet writes nothing into it any more"

    play()


@on_stage
async def test_a_rollout_of_pods_that_have_the_limits_delays_nobody(stage: Stage) -> None:
    await begin(stage, "pod-a", "pod-b", replicas=1)
    stage.apply(limited(suspend=True))
    await stage.quiet()
    stage.gateways.ending["pod-b"] = at(stage, 60)
    await stage.sleep(40)
    stage.gateways.running["gateways", PLACE.name]["pod-b"] = "!"
    await stage.sleep(7)
    stage.amend("orders", suspend=False)
    await stage.sleep(10)
    assert stage.role(ORDERS)["indices"], "it does not answer any more, and has loaded nothing else"


@on_stage
async def test_pods_of_the_former_place_say_nothing_about_the_limits_at_another_one(stage: Stage) -> None:
    await has_looser_limits(stage)
    stage.gateways.follows = True
    stage.gateways.running["edge", PLACE.name] = {"pod-c": ""}
    declare(stage, namespace="edge", limits={"requestsPerSecond": 2})
    await stage.sleep(300)
    assert PLACE.config not in stage.gateways.objects
    loses_limits(stage)
    await stage.sleep(60)
    stage.gateways.follows = False
    declare(stage, limits={"requestsPerSecond": 2}, replicas=2)
    stage.apply(access("late", grant("late-*"), principal=ORDERS))
    await stage.sleep(100)
    assert indices(stage) == {"orders-*"}, "the pods have what they had"
    loads(stage, "pod-a", "pod-b")
    await stage.sleep(300)
    assert indices(stage) == {"orders-*", "late-*"}


@on_stage
async def test_a_question_about_what_was_before_that_is_not_answered_delays_no_revocation(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited())
    await stage.quiet()
    read = stage.gateways.read

    async def hangs(target: Target) -> Observed | None:
        await stage.sleep(30)
        return await read(target)

    stage.gateways.read = hangs  # type: ignore[method-assign]
    declare(stage, namespace="edge")
    stage.delete("orders")
    await stage.sleep(15)
    assert not stage.role(ORDERS)


@on_stage
async def test_a_configuration_that_somebody_deleted_before_a_restart_may_still_be_in_pods(stage: Stage) -> None:
    await has_looser_limits(stage)
    await stage.stop()
    del stage.gateways.objects[PLACE.config]
    answers_slowly(stage)
    loses_limits(stage)
    stage.apply(access("late", grant("late-*"), principal=ORDERS))
    stage.start()
    await stage.sleep(GRACE)
    assert indices(stage) == {"orders-*"}
    loads(stage, "pod-a", "pod-b")
    await stage.sleep(40)
    assert indices(stage) == {"orders-*", "late-*"}
