"""A privilege that the release of Elasticsearch lacks is refused before it is tried, until there is a newer one."""

from searchaccess.engine.loop.schedule import CHECK_EVERY
from tests.component.common import begin
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant


@on_stage
async def test_it_is_named_and_granted_after_an_upgrade(stage: Stage) -> None:
    stage.elasticsearch.version = "8.19.0"
    await begin(stage, access("orders", grant("orders-*"), clusterCan=["monitor_esql"]), access("others", grant("a-*")))
    assert stage.ready("orders") == ("False", "VersionUnsupported")
    message = condition_in(stage.get("orders"), "Ready")["message"]
    assert message.startswith("Elasticsearch 8.19 has no cluster privilege monitor_esql, which came with 9.1: ")
    assert stage.ready("others") == ("True", "InSync")
    put = [name for call in stage.faults.writes if call.method == "put_roles" for name in call.names]
    assert not [name for name in put if "orders" in name]

    stage.elasticsearch.version = "9.1.0"
    await stage.sleep(2 * CHECK_EVERY)
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    stage.check()


@on_stage
async def test_what_was_granted_before_stays(stage: Stage) -> None:
    stage.elasticsearch.version = "8.19.0"
    await begin(stage, access("orders", grant("orders-*")))
    before = dict(stage.elasticsearch.roles_now)
    stage.amend("orders", clusterCan=["monitor_esql"])
    await stage.quiet()
    assert stage.ready("orders") == ("False", "VersionUnsupported")
    assert stage.elasticsearch.roles_now == before
