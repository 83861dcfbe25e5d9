"""Two SearchAccesses of one account, in two namespaces, never show more together than each of them."""

from tests.e2e.rights.test_access import fill, found
from tests.support.worlds.world import World, access, account, condition_in, grant

LIMITED = grant("widen-*", where={"term": {"region.keyword": "eu"}})


def test_the_newer_of_two_that_would_widen_each_other_waits_for_the_older_one(world: World) -> None:
    fill(world, "widen-1")
    world.namespace("widen-team")
    world.apply(access("widen", LIMITED))
    world.until_ready("widen")
    caller = world.caller("widen")
    newer = access("slim", grant("widen-1", fields={"include": ["region"]}), principal=account("widen"))
    newer["metadata"]["namespace"] = "widen-team"
    world.apply(newer)
    refused = world.until_reason("slim", "RestrictionsWouldWiden", status="False", namespace="widen-team")
    assert "SearchAccess shop/widen (widen-*)" in condition_in(refused, "Ready")["message"]
    world.until_ready("widen")
    assert {item["region"] for item in found(caller, "widen-1")} == {"eu"}

    world.delete("widen")
    world.until_ready("slim", namespace="widen-team")
    assert found(caller, "widen-1") == [{"region": "eu"}, {"region": "eu"}, {"region": "us"}]
    world.delete("slim", namespace="widen-team")
