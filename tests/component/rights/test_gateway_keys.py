"""API keys of others behind a gateway: what happens to them resets no password of a caller."""

from tests.component.rights.test_gateway import MINE, behind
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import account

ROLE = f"searchaccess.default.{account('orders')}"


def resets(stage: Stage) -> int:
    return stage.notes("prod").count("PasswordsReset")


def reads(stage: Stage) -> int:
    return sum(call.method == "every_key" for call in stage.faults.calls)


@on_stage
async def test_an_update_resets_no_password(stage: Stage) -> None:
    await behind(stage, MINE)
    server = stage.elasticsearch
    before = server.write_key("before", "a", "native", {})
    await stage.sleep(30)
    assert reads(stage) == 1, "what was there before"
    after = server.write_key("after", "a", "native", {})
    await stage.sleep(30)
    assert reads(stage) == 1, "a new one alone explains its write"
    server.update_key(after, one={"cluster": ["all"]})
    await stage.sleep(1000)
    assert reads(stage) == 1, "a recent one is read anyway"
    for number, key in enumerate((before, after, before)):
        server.update_key(key, one={"cluster": [f"monitor{number}"]})
        await stage.sleep(30)
    assert reads(stage) == 3, "one of the two keys was read already when it was recent"
    assert resets(stage) == 0
    await stage.sleep(3600)
    assert reads(stage) == 3, "nothing is to be explained"


@on_stage
async def test_an_update_hides_no_password(stage: Stage) -> None:
    await behind(stage, MINE)
    server = stage.elasticsearch
    key = server.write_key("theirs", "a", "native", {})
    await stage.sleep(30)
    server.update_key(key, one={"cluster": ["monitor"]})
    server.set_password(ROLE)
    await stage.sleep(30)
    assert server.passwords == {}
    assert resets(stage) == 1


@on_stage
async def test_what_elasticsearch_removes_resets_no_password(stage: Stage) -> None:
    await behind(stage, MINE)
    server = stage.elasticsearch
    keys = [server.write_key(f"theirs-{number}", "a", "native", {}) for number in range(3)]
    await stage.sleep(30)
    server.invalidate_keys(keys[:2])
    await stage.sleep(30)
    for key in keys[:2]:
        server.forget_key(key)
    await stage.sleep(30)
    assert resets(stage) == 0
    server.forget_key(keys[2])
    await stage.sleep(30)
    assert resets(stage) == 1, "that worked"


@on_stage
async def test_keys_that_cannot_be_compared_reset_passwords_as_before(stage: Stage) -> None:
    await behind(stage, MINE)
    server = stage.elasticsearch
    key = server.write_key("theirs", "a", "native", {})
    await stage.sleep(30)
    server.reads_others = False
    server.update_key(key, one={"cluster": ["monitor"]})
    await stage.sleep(30)
    assert resets(stage) == 1
