"""State in, state out: API keys, what holds them, and what statuses say of both."""

import base64
import json

from searchaccess.api.constants import FINALIZER
from searchaccess.engine.credentials.reconcile import STORE_EVERY
from searchaccess.ports.errors import Unreachable
from searchaccess.ports.stores import Place
from tests.component.credentials.common import (
    HOUR,
    PLACE,
    READY,
    begin,
    credential,
    days_pass,
    live,
    overlap_passes,
    read,
    rotate,
    said,
    store,
    with_key,
)
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import store as memory_store
from tests.support.worlds.world import access, account, condition_in, grant


@on_stage
async def test_a_key_is_created_and_stored_and_reported(stage: Stage) -> None:
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
    assert await stage.reconcile_all() == []


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
    await begin(stage, with_key(credential={"rotateEvery": "12h"}))
    first = read(stage)
    await stage.sleep(13 * HOUR)
    second = read(stage)
    assert second != first
    assert {key["id"] for key in live(stage)} in ({first, second}, {second})
    await overlap_passes(stage)
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
    await overlap_passes(stage)
    assert {key["id"] for key in live(stage)} == {second, read(stage)}
    assert credential(stage)["rotationRequest"] == "again"
    await overlap_passes(stage)
    assert [key["id"] for key in live(stage)] == [read(stage)]


@on_stage
async def test_an_overlap_that_is_not_declared_is_a_day(stage: Stage) -> None:
    silent = with_key()
    del silent["spec"]["credential"]["overlap"]
    await begin(stage, silent)
    first = read(stage)
    await rotate(stage)
    both = {first, read(stage)}
    await days_pass(stage, 0.95)
    assert {key["id"] for key in live(stage)} == both != {first}
    await days_pass(stage, 0.1)
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
    stage.amend("orders", credential=with_key(credential={"name": "renamed"})["spec"]["credential"])
    await stage.quiet()
    renamed = Place("shop", "renamed")
    assert read(stage, renamed) not in {"", first}
    assert {key["id"] for key in live(stage)} == {first, read(stage, renamed)}
    assert read(stage) == first, "it works until the overlap is over"
    await overlap_passes(stage)
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
async def test_at_rest_nothing_is_asked_but_for_the_secret_now_and_then(stage: Stage) -> None:
    await begin(stage, with_key())
    await stage.sleep(STORE_EVERY)
    before = len(stage.faults.calls)
    await stage.sleep(10 * STORE_EVERY)
    asked = [call.method for call in stage.faults.calls[before:]]
    assert asked.count("find") <= 11
    assert asked.count("keys") <= 22
    assert not [call for call in stage.faults.calls[before:] if call.write]


@on_stage
async def test_without_keys_nothing_is_asked_for_them_once_none_is_left_over(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    before = len(stage.faults.calls)
    await stage.sleep(1000)
    assert {call.method for call in stage.faults.calls[before:]} >= {"probe", "roles"}, "there were sweeps"
    assert not [call for call in stage.faults.calls[before:] if call.method in {"keys", "login"}]


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


@on_stage
async def test_a_rotation_costs_six_requests(stage: Stage) -> None:
    await begin(stage, with_key())
    assert await rotate(stage) == [
        "keys", "find", "lacks", "create_key", "add", "find", "note_key"
    ]  # fmt: skip


@on_stage
async def test_each_sweep_limits_keys_by_what_the_login_may_now(stage: Stage) -> None:
    await begin(stage, with_key(), with_key("other"), with_key("observed", mode="Observe"))
    await stage.reconcile_all()
    [call] = [call for call in stage.faults.calls if call.method == "refresh_keys"]
    assert set(call.names) == {key["id"] for key in live(stage)}
