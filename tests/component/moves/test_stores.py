"""State in, state out: a store is removed from a SearchCluster while SearchAccesses use it."""

import pytest

from tests.component.credentials.common import (
    HOUR,
    PLACE,
    READY,
    STORES,
    begin,
    live,
    read,
    store,
    with_key,
    with_password,
)
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.worlds.world import condition_in

OTHERS = [{"name": "another", "kubernetes": {}}]
LEFT = "SecretLeftBehind"


async def removed(stage: Stage) -> None:
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=OTHERS))
    await stage.quiet()


def reported(stage: Stage, name: str) -> list[str]:
    return [note.message for ref, note in stage.kubernetes.events if ref.name == name and note.reason == LEFT]


@on_stage
async def test_it_is_reported_before_anything_is_lost(stage: Stage) -> None:
    await begin(stage, with_key())
    key_id = read(stage)
    assert condition_in(stage.cluster(), "StoreMissing") == {}
    await removed(stage)
    found = condition_in(stage.cluster(), "StoreMissing")
    assert (found["status"], found["reason"]) == ("True", "StoreNotFound")
    assert "main (used by shop/orders)" in found["message"]
    assert stage.ready("orders") == ("False", "StoreNotFound")
    assert "their secret stays behind" in condition_in(stage.get("orders"), "Ready")["message"]
    assert [key["id"] for key in live(stage)] == [key_id], "and the key works"
    await stage.sleep(HOUR)
    stage.apply(search_cluster(secretStores=STORES))
    await stage.quiet()
    assert condition_in(stage.cluster(), "StoreMissing") == {}
    assert stage.ready("orders") == READY
    assert read(stage) == key_id


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("make", [with_key, with_password], ids=["key", "user"])
def test_a_secret_that_cannot_be_reached_is_not_left_without_a_word(make: object, *, restart: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, make())  # type: ignore[operator]
        await removed(stage)
        if restart:
            await stage.restart()
            await stage.quiet()
        stage.delete("orders")
        await stage.quiet()
        assert not stage.get("orders")
        assert not live(stage)
        assert not stage.elasticsearch.users_now
        assert store(stage).newest(PLACE), "it stays"
        for name in ("orders", "prod"):
            (message,) = reported(stage, name)
            assert PLACE.name in message
            assert "main" in message
            assert "shop/orders" in message
        assert condition_in(stage.cluster(), "StoreMissing") == {}
        await stage.reconcile_all()
        assert len(reported(stage, "prod")) == 1

    play()


@on_stage
async def test_a_secret_whose_keys_had_ended_is_reported_too(stage: Stage) -> None:
    await begin(stage, with_key())
    await removed(stage)
    for key in live(stage):
        key["invalidated"] = True
    stage.elasticsearch.sequence += 1
    await stage.sleep(10)
    stage.delete("orders")
    await stage.quiet()
    assert len(reported(stage, "prod")) == 1


@on_stage
async def test_one_that_was_let_go_while_the_operator_was_away_is_reported(stage: Stage) -> None:
    await begin(stage, with_key())
    await stage.stop()
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=OTHERS))
    stage.kubernetes.change(("searchaccesses", "shop", "orders"), lambda raw: raw["metadata"].update(finalizers=[]))  # type: ignore[arg-type]
    stage.delete("orders")
    stage.start()
    await stage.quiet()
    assert not live(stage)
    assert len(reported(stage, "prod")) == 1
