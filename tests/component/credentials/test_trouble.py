"""State in, state out: what goes wrong with API keys and their stores, and what people do to them."""

from dataclasses import replace

import pytest

from searchaccess.api.stores.credentials import SecretStoreSpec
from searchaccess.engine.credentials.reconcile import STORE_EVERY
from searchaccess.ports.errors import ExternalError, PermissionDenied, Rejected, Throttled, Unreachable
from searchaccess.ports.stores import Place
from tests.component.credentials.common import (
    HOUR,
    PLACE,
    READY,
    STORES,
    begin,
    change_is_noticed,
    credential,
    live,
    overlap_passes,
    read,
    said,
    store,
    with_key,
)
from tests.support.failures.faults import Fault
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import store as memory_store
from tests.support.memory.store import MemoryStore
from tests.support.runs.effort import places
from tests.support.worlds.world import access, condition_in, grant


@pytest.mark.parametrize("error", [Unreachable("away"), PermissionDenied("403 Forbidden"), Throttled("429")])
@pytest.mark.parametrize("method", ["find", "add"])
def test_a_store_that_is_away_is_reported_and_then_it_goes_on(error: ExternalError, method: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.faults.fail(memory_store.SIDE, error, method)
        stage.apply(search_cluster(secretStores=STORES), with_key())
        await stage.sleep(5)
        assert stage.ready("orders")[1] == "StoreUnavailable"
        assert error.message in condition_in(stage.get("orders"), "CredentialReady")["message"]
        await stage.sleep(HOUR)
        assert len(live(stage)) <= 1
        assert len(stage.elasticsearch.keys_now) < 30, "it backs off"
        stage.faults.heal(memory_store.SIDE)
        await stage.sleep(HOUR)
        await stage.quiet()
        assert stage.ready("orders") == READY
        assert [key["id"] for key in live(stage)] == [read(stage)]

    play()


@on_stage
async def test_a_store_that_is_away_leaves_the_key_in_force(stage: Stage) -> None:
    await begin(stage, with_key())
    key_id = read(stage)
    stage.faults.fail(memory_store.SIDE, Unreachable("away"))
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await overlap_passes(stage, 2)
    assert [key["id"] for key in live(stage)] == [key_id]
    assert said(stage) == ("Unknown", "StoreUnavailable")
    assert credential(stage)["keyId"] == key_id, "what is known of it stays to be seen"
    stage.faults.heal(memory_store.SIDE)
    await stage.sleep(HOUR)
    await stage.quiet()
    assert read(stage) != key_id
    assert stage.ready("orders") == READY


@on_stage
async def test_what_elasticsearch_refuses_is_reported_and_not_tried_again(stage: Stage) -> None:
    stage.faults.fail(memory_elasticsearch.SIDE, Rejected("no such query"), "create_key")
    await begin(stage, with_key())
    assert stage.ready("orders") == ("False", "RejectedByElasticsearch")
    tried = len([call for call in stage.faults.calls if call.method == "create_key"])
    await stage.sleep(HOUR)
    assert len([call for call in stage.faults.calls if call.method == "create_key"]) == tried
    stage.faults.heal(memory_elasticsearch.SIDE)
    stage.amend("orders", grants=[grant("invoices-*")])
    await stage.quiet()
    assert stage.ready("orders") == READY


@on_stage
async def test_a_login_by_api_key_that_cannot_issue_keys_is_reported_with_the_reason(stage: Stage) -> None:
    stage.elasticsearch.me = replace(stage.elasticsearch.me, by_api_key=True)
    await begin(stage, with_key(), access("token", grant("token-*")))
    assert stage.ready("orders") == ("False", "LoginCannotIssue")
    assert stage.ready("token") == READY, "roles can be written"
    assert not live(stage)


@on_stage
async def test_what_the_login_lacks_is_reported_before_a_key_is_made(stage: Stage) -> None:
    stage.elasticsearch.out_of_reach.add("orders-*")
    await begin(stage, with_key())
    assert stage.ready("orders") == ("False", "PermissionDenied")
    assert "read on orders-*" in condition_in(stage.get("orders"), "Ready")["message"]
    assert not live(stage)
    stage.elasticsearch.out_of_reach.clear()
    await stage.sleep(HOUR)
    await stage.quiet()
    assert stage.ready("orders") == READY


@on_stage
async def test_what_the_login_lacks_keeps_nobody_from_taking_a_grant_away(stage: Stage) -> None:
    await begin(stage, with_key(granted=grant("orders-*")))
    both = [grant("orders-*"), grant("payroll-*")]
    stage.amend("orders", grants=both)
    await stage.quiet()
    stage.elasticsearch.out_of_reach.add("orders-*")
    stage.amend("orders", grants=both[:1])
    await stage.quiet()
    [key] = live(stage)
    assert [entry["names"] for entry in key["role_descriptors"]["searchaccess"]["indices"]] == [["orders-*"]]
    assert stage.ready("orders") == READY


@on_stage
async def test_a_foreign_secret_is_never_touched(stage: Stage) -> None:
    stage.apply(search_cluster(secretStores=STORES))
    await stage.quiet()
    (await stage.stores.open(SecretStoreSpec.model_validate(STORES[0]))).put(PLACE, "somebody else's")
    stage.apply(with_key())
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert said(stage) == ("False", "OwnershipConflict")
    assert "orders-elasticsearch" in condition_in(stage.get("orders"), "Ready")["message"]
    assert store(stage).newest(PLACE) == "somebody else's"
    assert not live(stage)
    stage.delete("orders")
    await stage.quiet()
    assert store(stage).newest(PLACE) == "somebody else's"
    assert not stage.get("orders")


@on_stage
async def test_a_store_that_is_not_declared_is_reported(stage: Stage) -> None:
    await begin(stage, with_key(credential={"store": "nowhere"}))
    assert stage.ready("orders") == ("False", "StoreNotFound")
    assert not live(stage)
    stage.kubernetes.change(
        CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=[*STORES, {"name": "nowhere", "kubernetes": {}}])
    )
    await stage.quiet()
    assert stage.ready("orders") == READY


@on_stage
async def test_keys_of_a_searchaccess_that_is_gone_are_taken_away(stage: Stage) -> None:
    await begin(stage, with_key())
    await stage.stop()
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[]))
    stage.delete("orders")
    stage.start()
    await stage.quiet()
    assert not live(stage)
    assert not store(stage).kept, "its secret is of no use to anybody"


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", places(6))
def test_a_former_secret_goes_wherever_that_is_cut_off(fault: Fault, number: int) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        stage.amend("orders", credential={"store": "main", "name": "renamed", "rotateEvery": "24h", "overlap": "1h"})
        await stage.quiet()
        assert {place.name for place in store(stage).kept} == {"orders-elasticsearch", "renamed"}
        stage.faults.at_write(number, fault)
        for _ in range(2):
            await stage.sleep(2 * HOUR)
            await stage.quiet()
        assert {place.name for place in store(stage).kept} == {"renamed"}
        assert [key["id"] for key in live(stage)] == [read(stage, Place("shop", "renamed"))]

        declared = access("orders", grant("orders-*"))["spec"]
        stage.faults.at_write(number, fault)
        stage.kubernetes.change(access_key("orders"), lambda raw: raw.update(spec=declared))
        await stage.quiet()
        await stage.sleep(HOUR)
        await stage.quiet()
        assert not live(stage)
        assert not store(stage).kept, "no secret without a working key stays"
        assert stage.ready("orders") == READY

    play()


@on_stage
async def test_foreign_keys_stay(stage: Stage) -> None:
    await begin(stage, with_key())
    foreign = {**live(stage)[0], "id": "foreign", "metadata": {"managed_by": "hand"}}
    stage.elasticsearch.keys_now["foreign"] = foreign
    stage.delete("orders")
    await stage.quiet()
    assert [key["id"] for key in live(stage)] == ["foreign"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", places(8))
def test_it_may_be_cut_off_at_any_write(fault: Fault, number: int) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.faults.at_write(number, fault)
        await begin(stage, with_key())
        await stage.sleep(HOUR)
        await stage.quiet()
        assert [key["id"] for key in live(stage)] == [read(stage)]
        assert stage.ready("orders") == READY
        stage.delete("orders")
        await stage.quiet()
        assert not live(stage)
        assert not store(stage).kept

    play()


@on_stage
async def test_what_somebody_does_to_a_key_is_drift_and_is_healed(stage: Stage) -> None:
    await begin(stage, with_key())
    key_id = read(stage)
    stage.elasticsearch.keys_now[key_id]["role_descriptors"] = {"searchaccess": {"cluster": ["all"]}}
    await change_is_noticed(stage)
    [key] = live(stage)
    assert key["role_descriptors"]["searchaccess"]["cluster"] == []
    [item] = stage.get("orders")["status"]["drift"]["items"]
    assert (item["object"], item["path"], item["action"]) == (f"api_key/{key_id}", "role_descriptors", "Corrected")
    assert {"DriftDetected", "DriftCorrected"} <= set(stage.notes("orders"))

    stage.elasticsearch.invalidate_keys([key_id])
    await stage.sleep(5)
    await stage.quiet()
    assert [key["id"] for key in live(stage)] == [read(stage)] != [key_id]
    items = stage.get("orders")["status"]["drift"]["items"]
    assert items[0]["object"] == "secret/orders-elasticsearch"
    assert stage.ready("orders") == READY


@pytest.mark.parametrize("how", ["deleted", "overwritten"])
def test_a_secret_that_somebody_changes_is_written_again_and_who_holds_the_old_key_keeps_it(how: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        old = read(stage)
        if how == "deleted":
            del store(stage).kept[PLACE]
        else:
            kept = store(stage).kept[PLACE]
            store(stage).kept[PLACE] = replace(kept, values=dict.fromkeys(kept.values, "mine"))
        await stage.sleep(STORE_EVERY + 10)
        await stage.quiet()
        assert read(stage) not in {"", old}
        assert {key["id"] for key in live(stage)} == {old, read(stage)}
        await overlap_passes(stage)
        assert [key["id"] for key in live(stage)] == [read(stage)]

    play()


@on_stage
async def test_deleting_takes_the_rights_although_the_store_is_away(stage: Stage) -> None:
    await begin(stage, with_key())
    stage.faults.fail(memory_store.SIDE, Unreachable("away"))
    stage.delete("orders")
    await stage.sleep(5)
    assert not live(stage)
    assert stage.get("orders"), "its secret is still there"
    assert "away" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.faults.heal(memory_store.SIDE)
    await stage.sleep(600)
    await stage.quiet()
    assert not stage.get("orders")
    assert not store(stage).kept


@on_stage
async def test_many_credentials_at_rest_are_looked_at_together(stage: Stage) -> None:
    names = [f"orders-{number}" for number in range(40)]
    await begin(stage, *map(with_key, names))
    await stage.sleep(2 * STORE_EVERY)
    before = len(stage.faults.calls)
    await stage.sleep(10 * STORE_EVERY)
    asked = [call.method for call in stage.faults.calls[before:]]
    assert 350 <= asked.count("find") <= 450
    assert asked.count("keys") <= 40, "each reads the keys of all"


@on_stage
async def test_keys_are_revoked_though_their_store_cannot_be_opened(stage: Stage) -> None:
    await begin(stage, with_key())
    opened = stage.stores.open

    async def locked(_spec: SecretStoreSpec) -> MemoryStore:
        raise Unreachable("no login at the store")

    stage.stores.open = locked  # type: ignore[method-assign,assignment]
    stage.delete("orders")
    await stage.sleep(60)
    assert not live(stage)
    assert stage.ready("orders")[0] != "True"
    assert store(stage).kept, "its finalizer stays while its secret does"
    stage.stores.open = opened  # type: ignore[method-assign]
    await stage.sleep(HOUR)
    await stage.quiet()
    assert not stage.get("orders")
    assert not store(stage).kept


@on_stage
async def test_a_login_that_may_not_read_keys_serves_where_none_is_declared(stage: Stage) -> None:
    stage.faults.fail(memory_elasticsearch.SIDE, PermissionDenied("403 Forbidden"), "keys")
    stage.apply(search_cluster(), access("token", grant("token-*")))
    await stage.quiet()
    assert stage.ready("token") == READY
    assert stage.cluster_ready() == READY
    asked = len([call for call in stage.faults.calls if call.method == "keys"])
    await stage.sleep(HOUR)
    assert len([call for call in stage.faults.calls if call.method == "keys"]) == asked, "it is not asked again"

    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=STORES))
    stage.apply(with_key())
    await stage.quiet()
    assert stage.ready("orders") == ("False", "PermissionDenied")
