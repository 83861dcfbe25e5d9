"""State in, state out: what the probes say."""

import asyncio

from searchaccess.engine.health import STUCK_AFTER
from searchaccess.ports.errors import Unreachable
from tests.support.loop.stage import Stage, on_stage, search_cluster
from tests.support.memory.kubernetes import SIDE
from tests.support.worlds.world import access, grant


@on_stage
async def test_ready_when_what_is_declared_is_listed_and_watched(stage: Stage) -> None:
    assert stage.process is not None
    host = stage.process.host
    stage.faults.fail(SIDE, Unreachable("away"), "list_page")
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.sleep(30)
    assert host.health.unready() == "the API server has not been listed yet"
    stage.faults.heal(SIDE)
    await stage.sleep(60)
    assert host.health.unready() == "the API server is not watched yet"
    host.watch_started()
    await stage.quiet()
    assert host.health.unready() == ""
    stage.faults.fail(SIDE, Unreachable("away"), "list_page")
    await stage.sleep(600)
    assert host.health.unready() == "", "statuses may be old, but not very"
    await stage.sleep(600)
    assert host.health.unready().startswith("the API server could not be listed for ")
    stage.faults.heal(SIDE)
    await stage.sleep(600)
    assert host.health.unready() == ""
    assert host.health.stuck() == "", "what cannot be reached is no reason to restart"


@on_stage
async def test_live_while_looks_come_to_an_end(stage: Stage) -> None:
    assert stage.process is not None
    host = stage.process.host
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    await stage.sleep(2 * STUCK_AFTER)
    assert host.health.stuck() == "", "at rest nothing is answered"

    async def never() -> None:
        await asyncio.sleep(10 * STUCK_AFTER)

    stage.elasticsearch.probe = never  # type: ignore[method-assign]
    await stage.sleep(STUCK_AFTER + 120)
    assert "SearchCluster" in host.health.stuck()
    assert "nothing was answered for" in host.health.stuck()
    reconciler = next(iter(host.reconcilers().values()))

    def just_now(cluster: str) -> float:
        del cluster
        return stage.clock.monotonic() - 1

    reconciler._context.meter.answered = just_now  # type: ignore[method-assign]
    assert host.health.stuck() == "", "it is slow, but goes on"
