"""State in, state out: API keys, what holds them, and what statuses say of both."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.api.credentials import SecretStoreSpec
from searchaccess.core.payload import held_key
from searchaccess.engine.keeper import STORE_EVERY
from searchaccess.ports.errors import ExternalError, PermissionDenied, Rejected, Throttled, Unreachable
from searchaccess.ports.stores import Place
from tests.support import memory_elasticsearch, memory_store
from tests.support.faults import Fault
from tests.support.memory_store import MemoryStore
from tests.support.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.world import access, account, condition_in, grant

HOUR, DAY = 3600, 86400
PLACE = Place("shop", "orders-elasticsearch")
STORES = [{"name": "main", "kubernetes": {}}]
READY = ("True", "InSync")


def with_key(name: str = "orders", **more: Any) -> dict[str, Any]:
    credential = {"store": "main", "name": f"{name}-elasticsearch"} | more.pop("credential", {})
    return access(name, more.pop("granted", grant(f"{name}-*")), auth="ApiKey", credential=credential, **more)


async def begin(stage: Stage, *objects: dict[str, Any]) -> None:
    stage.apply(search_cluster(secretStores=STORES), *objects)
    await stage.quiet()


async def days_pass(stage: Stage, days: float) -> None:
    """Let days pass in which nobody looks for changes all the time."""
    before = stage.cluster()["spec"].get("drift", {})
    rare = {"probeEvery": "1h", "sweepEvery": "24h"}
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(drift=rare))
    await stage.sleep(days * DAY)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(drift=before))
    await stage.quiet()


def store(stage: Stage) -> MemoryStore:
    return stage.stores.by_name["main"]


def live(stage: Stage) -> list[dict[str, Any]]:
    return stage.elasticsearch.live_keys()


def read(stage: Stage, place: Place = PLACE) -> str:
    """Give the id of the key that consumers read."""
    return held_key(store(stage).newest(place) or "")


def credential(stage: Stage, name: str = "orders") -> dict[str, Any]:
    return dict(stage.get(name)["status"].get("credential") or {})


def said(stage: Stage, name: str = "orders") -> tuple[str, str]:
    found = condition_in(stage.get(name), "CredentialReady")
    return found.get("status", ""), found.get("reason", "")


@on_stage
async def test_a_key_is_made_and_stored_and_told(stage: Stage) -> None:
    await begin(stage, with_key())
    [key] = live(stage)
    assert read(stage) == key["id"]
    assert key["role_descriptors"]["searchaccess"]["indices"][0]["names"] == ["orders-*"]
    assert key["name"] == "searchaccess.default.shop/orders.1"
    assert key["metadata"]["version"] == 1
    assert stage.ready("orders") == READY
    assert said(stage) == ("True", "CredentialActive")
    found = credential(stage)
    assert (found["store"], found["name"], found["version"]) == ("main", "orders-elasticsearch", 1)
    assert found["keyId"] == key["id"]
    assert found["issued"] < found["nextRotation"] < found["expires"]
    assert FINALIZER in stage.get("orders")["metadata"]["finalizers"]
    assert stage.notes("orders") == ["CredentialIssued"]
    assert not stage.elasticsearch.roles_now, "its rights are the key's alone"
    assert not stage.elasticsearch.mappings_now
    assert await stage.look_at_everything() == []


@on_stage
async def test_what_consumers_read(stage: Stage) -> None:
    await begin(stage, with_key(), with_key("plain", credential={"format": "Encoded"}))
    document = json.loads(store(stage).newest(PLACE) or "")
    assert set(document) == {"id", "api_key", "encoded", "url", "expires"}
    assert base64.b64decode(document["encoded"]).decode() == f"{document['id']}:{document['api_key']}"
    assert document["url"] == "https://one:9200"
    assert document["expires"] == credential(stage)["expires"]
    plain = store(stage).newest(Place("shop", "plain-elasticsearch")) or ""
    assert base64.b64decode(plain).decode().startswith(credential(stage, "plain")["keyId"] + ":")


@on_stage
async def test_a_rotation_overlaps_and_then_the_old_key_ends(stage: Stage) -> None:
    await begin(stage, with_key())
    first = read(stage)
    await days_pass(stage, 30.5)
    second = read(stage)
    assert second != first
    assert {key["id"] for key in live(stage)} in ({first, second}, {second})
    await days_pass(stage, 1)
    assert [key["id"] for key in live(stage)] == [read(stage)]
    assert stage.ready("orders") == READY
    assert stage.notes("orders").count("CredentialIssued") == 2


@on_stage
async def test_somebody_asks_for_a_rotation(stage: Stage) -> None:
    await begin(stage, with_key())
    first = read(stage)
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.quiet()
    second = read(stage)
    assert second != first
    assert {key["id"] for key in live(stage)} == {first, second}
    assert said(stage) == ("True", "CredentialOverlap")
    assert credential(stage)["phase"] == "Overlap"
    assert credential(stage)["rotationRequest"] == "now"
    assert stage.ready("orders") == READY

    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "again")
    await stage.quiet()
    assert {key["id"] for key in live(stage)} == {first, second}, "never three at a time"
    assert "when the overlap is over" in condition_in(stage.get("orders"), "CredentialReady")["message"]
    await days_pass(stage, 1.1)
    assert {key["id"] for key in live(stage)} == {second, read(stage)}
    assert credential(stage)["rotationRequest"] == "again"
    await days_pass(stage, 1.1)
    assert [key["id"] for key in live(stage)] == [read(stage)]


@on_stage
async def test_other_grants_change_the_key_in_place(stage: Stage) -> None:
    await begin(stage, with_key())
    key_id = read(stage)
    stage.amend("orders", grants=[grant("invoices-*")])
    await stage.quiet()
    [key] = live(stage)
    assert key["id"] == key_id == read(stage)
    assert key["role_descriptors"]["searchaccess"]["indices"][0]["names"] == ["invoices-*"]
    assert stage.ready("orders") == READY
    assert "DriftDetected" not in stage.notes("orders")


@on_stage
async def test_what_somebody_does_to_a_key_is_drift_and_is_healed(stage: Stage) -> None:
    await begin(stage, with_key())
    key_id = read(stage)
    stage.elasticsearch.keys_now[key_id]["role_descriptors"] = {"searchaccess": {"cluster": ["all"]}}
    stage.elasticsearch.sequence += 1
    await stage.sleep(5)
    await stage.quiet()
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
        await days_pass(stage, 1.1)
        assert [key["id"] for key in live(stage)] == [read(stage)]

    play()


@on_stage
async def test_deleting_takes_the_key_and_then_the_secret(stage: Stage) -> None:
    await begin(stage, with_key(mode="Observe"), with_key("other", deletionPolicy="Disable"))
    stage.amend("orders", mode="Enforce")
    await stage.quiet()
    before = len(stage.faults.writes)
    stage.delete("orders")
    stage.delete("other")
    await stage.quiet()
    assert not live(stage)
    assert not store(stage).kept
    assert not stage.get("orders")
    assert not stage.get("other")
    done = [call.method for call in stage.faults.writes[before:] if call.method in {"revoke_keys", "remove"}]
    assert done.index("revoke_keys") < done.index("remove")


@on_stage
async def test_observe_says_what_would_be_done(stage: Stage) -> None:
    await begin(stage, with_key(mode="Observe"))
    assert not live(stage)
    assert stage.ready("orders") == ("False", "ChangesPending")
    assert not [call for call in stage.faults.writes if call.side == memory_elasticsearch.SIDE]
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")


@on_stage
async def test_a_foreign_secret_is_never_touched(stage: Stage) -> None:
    stage.apply(search_cluster(secretStores=STORES))
    await stage.quiet()
    stage.stores.open(SecretStoreSpec.model_validate(STORES[0])).put(PLACE, "somebody else's")
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
async def test_a_store_that_is_not_declared_is_told(stage: Stage) -> None:
    await begin(stage, with_key(credential={"store": "nowhere"}))
    assert stage.ready("orders") == ("False", "StoreNotFound")
    assert not live(stage)
    stage.kubernetes.change(
        CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=[*STORES, {"name": "nowhere", "kubernetes": {}}])
    )
    await stage.quiet()
    assert stage.ready("orders") == READY


@pytest.mark.parametrize("error", [Unreachable("away"), PermissionDenied("403 Forbidden"), Throttled("429")])
@pytest.mark.parametrize("method", ["look", "add"])
def test_a_store_that_is_away_is_told_and_then_it_goes_on(error: ExternalError, method: str) -> None:
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
    await days_pass(stage, 2)
    assert [key["id"] for key in live(stage)] == [key_id]
    assert said(stage) == ("Unknown", "StoreUnavailable")
    assert credential(stage)["keyId"] == key_id, "what is known of it stays to be seen"
    stage.faults.heal(memory_store.SIDE)
    await stage.sleep(HOUR)
    await stage.quiet()
    assert read(stage) != key_id
    assert stage.ready("orders") == READY


@on_stage
async def test_what_elasticsearch_refuses_is_told_and_not_tried_again(stage: Stage) -> None:
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
async def test_a_login_by_api_key_is_told_why_it_cannot(stage: Stage) -> None:
    stage.elasticsearch.me = replace(stage.elasticsearch.me, by_api_key=True)
    await begin(stage, with_key(), access("token", grant("token-*")))
    assert stage.ready("orders") == ("False", "LoginCannotIssue")
    assert stage.ready("token") == READY, "roles can be written"
    assert not live(stage)


@on_stage
async def test_what_the_login_lacks_is_told_before_a_key_is_made(stage: Stage) -> None:
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
async def test_keys_do_not_need_the_jwt_realm(stage: Stage) -> None:
    stage.elasticsearch.license = "basic"
    restricted = grant("orders-*", where={"term": {"a": 1}})
    await begin(stage, with_key(), with_key("restricted", granted=restricted), access("token", grant("x")))
    assert stage.ready("orders") == READY
    assert stage.ready("restricted") == ("False", "LicenseInsufficient")
    assert stage.ready("token") == ("False", "LicenseInsufficient")


@on_stage
async def test_from_token_to_key_and_back(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.role(account("orders"))
    spec = with_key()["spec"]
    stage.kubernetes.change(access_key("orders"), lambda raw: raw.update(spec=spec))
    await stage.quiet()
    assert not stage.role(account("orders"))
    assert len(live(stage)) == 1
    assert stage.ready("orders") == READY
    stage.kubernetes.change(
        access_key("orders"), lambda raw: raw.update(spec=access("orders", grant("orders-*"))["spec"])
    )
    await stage.quiet()
    assert not live(stage)
    assert not store(stage).kept
    assert stage.role(account("orders"))
    assert stage.ready("orders") == READY
    assert not credential(stage)


@on_stage
async def test_another_name_moves_the_key_with_an_overlap(stage: Stage) -> None:
    await begin(stage, with_key())
    first = read(stage)
    stage.amend("orders", credential={"store": "main", "name": "renamed"})
    await stage.quiet()
    renamed = Place("shop", "renamed")
    assert read(stage, renamed) not in {"", first}
    assert {key["id"] for key in live(stage)} == {first, read(stage, renamed)}
    assert read(stage) == first, "it works until the overlap is over"
    await days_pass(stage, 1.1)
    assert [key["id"] for key in live(stage)] == [read(stage, renamed)]
    assert PLACE not in store(stage).kept


@on_stage
async def test_suspended_nothing_is_rotated(stage: Stage) -> None:
    await begin(stage, with_key())
    key_id = read(stage)
    stage.amend("orders", suspend=True)
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.quiet()
    assert read(stage) == key_id
    stage.amend("orders", suspend=False)
    await stage.quiet()
    assert read(stage) != key_id


@on_stage
async def test_a_namespace_that_is_not_allowed_loses_its_key(stage: Stage) -> None:
    await begin(stage, with_key())
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(allowedNamespaces={"names": ["billing"]}))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "NamespaceNotAllowed")
    assert not live(stage)
    assert not store(stage).kept
    assert not credential(stage)


@on_stage
async def test_keys_of_a_searchaccess_that_is_gone_are_taken_away(stage: Stage) -> None:
    await begin(stage, with_key())
    await stage.stop()
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(finalizers=[]))
    stage.delete("orders")
    stage.start()
    await stage.quiet()
    assert not live(stage)


@on_stage
async def test_foreign_keys_stay(stage: Stage) -> None:
    await begin(stage, with_key())
    foreign = {**live(stage)[0], "id": "foreign", "metadata": {"managed_by": "hand"}}
    stage.elasticsearch.keys_now["foreign"] = foreign
    stage.delete("orders")
    await stage.quiet()
    assert [key["id"] for key in live(stage)] == ["foreign"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", range(8))
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
async def test_at_rest_nothing_is_asked_but_for_the_secret_now_and_then(stage: Stage) -> None:
    await begin(stage, with_key())
    await stage.sleep(STORE_EVERY)
    before = len(stage.faults.calls)
    await stage.sleep(10 * STORE_EVERY)
    asked = [call.method for call in stage.faults.calls[before:]]
    assert asked.count("look") <= 11
    assert asked.count("keys") <= 22
    assert not [call for call in stage.faults.calls[before:] if call.write]


@on_stage
async def test_without_keys_nothing_is_asked_for_them(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    await stage.look_at_everything()
    assert not [call for call in stage.faults.calls if call.method in {"keys", "login"}]


@on_stage
async def test_no_secret_value_is_in_anything_that_people_read(stage: Stage) -> None:
    await begin(stage, with_key())
    value = json.loads(store(stage).newest(PLACE) or "")["api_key"]
    stage.faults.fail(memory_store.SIDE, Unreachable("away"), "add")
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.sleep(60)
    everything = json.dumps([stage.get("orders"), stage.cluster()]) + str(stage.kubernetes.events) + str(stage.logs)
    assert value not in everything
    assert "secret-of-" not in everything
