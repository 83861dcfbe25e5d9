"""Nobody gets rights that some pod does not limit yet, whatever else happens at that time."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from searchaccess.core.gateway.facts import GRACE, Pod
from searchaccess.core.gateway.objects import LISTENERS, VERSION, Place
from tests.component.common import ORDERS
from tests.component.gateway.common import PLACE, answers_slowly, begin, busy_until, condition, declare
from tests.component.gateway.test_limits_first import limited, loads
from tests.component.timeboxes.common import at
from tests.support.failures.faults import Call
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, grant


@on_stage
async def test_a_restart_does_not_believe_that_pods_loaded_what_was_written_long_ago(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.gateways.follows = False
    stage.apply(limited())
    await stage.sleep(2 * GRACE)
    version_of = stage.gateways.version_of

    async def slowly(pod: Pod) -> str:
        await asyncio.sleep(10)
        return await version_of(pod)

    stage.gateways.version_of = slowly  # type: ignore[method-assign]
    granted: list[Call] = []
    stage.faults.on_call = lambda call: granted.extend([call] if call.method == "put_roles" else ())
    await stage.restart()
    await stage.sleep(GRACE)
    assert granted == []
    assert stage.role(ORDERS) == {}
    loads(stage, "pod-a")
    await stage.sleep(40)
    assert stage.role(ORDERS)["indices"]


@on_stage
async def test_a_restart_lifts_no_limits_of_who_moved_away(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited())
    await stage.quiet()
    stage.amend("orders", cluster="nowhere")
    await stage.quiet()
    without: list[str] = []

    def look(call: Call) -> None:
        if call.method == "write" and ORDERS not in stage.gateways.objects[PLACE.config].data[LISTENERS]:
            without.append(stage.gateways.objects[PLACE.config].observed.annotations[VERSION])

    stage.faults.on_call = look
    await stage.restart()
    await stage.sleep(60)
    assert stage.role(ORDERS)["indices"]
    assert without == []


@on_stage
async def test_limits_that_are_declared_in_the_middle_of_a_pass_are_waited_for(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(access("orders", grant("orders-*"), validUntil=at(stage, 60)))
    await stage.sleep(120)
    assert stage.role(ORDERS) == {}
    stage.gateways.follows = False
    roles = stage.elasticsearch.roles

    async def slowly(names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        found = await roles(names)
        if any(ORDERS in name for name in names or ()):
            stage.elasticsearch.roles = roles  # type: ignore[method-assign]
            stage.amend("orders", validUntil=at(stage, 10_000), limits={"requestsPerSecond": 5})
            await asyncio.sleep(2)
        return found

    stage.elasticsearch.roles = slowly  # type: ignore[method-assign]
    stage.apply(access("more", grant("more-*"), principal=ORDERS))
    await stage.quiet()
    assert "orders-*" not in str(stage.role(ORDERS))
    assert stage.ready("orders") == ("False", "Pending")
    loads(stage, "pod-a")
    await stage.sleep(40)
    assert "orders-*" in str(stage.role(ORDERS))


@on_stage
async def test_rights_wait_until_a_former_gateway_serves_nobody(stage: Stage) -> None:
    await begin(stage, "pod-a")
    there = Place("elsewhere", PLACE.name)
    declare(stage, replicas=1, namespace=there.namespace)
    await stage.quiet()
    stage.apply(limited())
    await stage.sleep(2 * GRACE)
    assert ORDERS in stage.gateways.objects[there.config].data[LISTENERS]
    assert ORDERS not in stage.gateways.objects[PLACE.config].data[LISTENERS]
    assert stage.role(ORDERS) == {}, "the former gateway serves, and does not limit it"
    stage.gateways.run(there, "pod-b")
    await stage.sleep(60)
    assert PLACE.config not in stage.gateways.objects
    assert stage.role(ORDERS)["indices"]


@on_stage
async def test_answers_of_pods_at_a_former_place_say_nothing_about_the_new_one(stage: Stage) -> None:
    await begin(stage, "pod-a")
    version_of, asked = stage.gateways.version_of, asyncio.Event()

    async def slowly(pod: Pod) -> str:
        found = await version_of(pod)
        asked.set()
        await asyncio.sleep(10)
        return found

    stage.gateways.version_of = slowly  # type: ignore[method-assign]
    await asked.wait()
    declare(stage, replicas=1, namespace="elsewhere")
    await stage.sleep(120)
    assert PLACE.config in stage.gateways.objects, "no pod runs at the new place"
    assert condition(stage, "GatewayInSync") == ("False", "GatewayMissing")


@on_stage
async def test_the_status_stays_as_it_is_while_the_operator_starts(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(access("orders", grant("orders-*")), access("bills", grant("bills-*")))
    await stage.quiet()
    counts = stage.cluster()["status"]["counts"]
    assert counts["ready"] == 2
    roles = stage.elasticsearch.roles

    async def slowly(names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        await asyncio.sleep(10)
        return await roles(names)

    seen: list[dict[str, Any]] = []
    stage.faults.on_call = lambda _call: seen.append(dict(stage.cluster()["status"]["counts"]))
    stage.elasticsearch.roles = slowly  # type: ignore[method-assign]
    await stage.restart()
    await stage.sleep(60)
    assert seen
    assert [each for each in seen if each != counts] == []


@on_stage
async def test_a_run_that_ends_by_itself_asks_pods_before_it_leaves_rights_pending(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(limited(suspend=True))
    await stage.quiet()
    asked = answers_slowly(stage)
    await stage.stop()
    stage.amend("orders", suspend=False)
    stage.start()
    await busy_until(stage, asked)
    await stage.quiet()
    assert stage.role(ORDERS)["indices"]
    assert stage.process is not None
    host = stage.process.host
    # Probes go on.
    later = [host.is_busy() for _ in range(50) if await asyncio.sleep(0.1, result=True)]
    assert not all(later)
