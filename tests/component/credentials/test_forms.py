"""Secrets of Kubernetes with one key for each part."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.core.credentials.payload import held_key
from searchaccess.ports.errors import Unreachable
from tests.component.credentials.common import (
    PLACE,
    READY,
    STORES,
    begin,
    live,
    overlap_passes,
    read,
    rotate,
    store,
    with_key,
    with_password,
)
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.memory.store import SIDE

KEYS: list[dict[str, Any]] = [{"name": "main", "kubernetes": {"format": "Keys"}}]


def declare(stage: Stage, stores: list[dict[str, Any]]) -> None:
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=stores))


def held(stage: Stage) -> dict[str, Any]:
    value = store(stage).newest(PLACE)
    assert value
    return dict(json.loads(value))


@on_stage
async def test_each_rotation_changes_the_value_and_its_parts_together(stage: Stage) -> None:
    stage.apply(search_cluster(secretStores=KEYS), with_key())
    await stage.quiet()
    first = held(stage)
    await rotate(stage)
    await stage.quiet()
    parts, value = store(stage).parts(PLACE), held(stage)
    assert value["id"] != first["id"]
    assert parts["ELASTICSEARCH_API_KEY"] == value["encoded"]
    assert parts["ELASTICSEARCH_API_KEY_ID"] == value["id"]
    assert parts["ELASTICSEARCH_URL"] == value["url"]


@on_stage
async def test_another_form_is_written_at_once_and_no_key_is_made_for_it(stage: Stage) -> None:
    await begin(stage, with_key())
    value = held(stage)
    assert store(stage).parts(PLACE) == {}
    for stores, names in ((KEYS, 4), (STORES, 0), (KEYS, 4)):
        declare(stage, stores)
        await stage.quiet()
        assert held(stage) == value
        assert len(store(stage).parts(PLACE)) == names
    assert stage.ready("orders") == READY
    assert stage.notes("orders") == ["CredentialIssued"]
    assert not await stage.reconcile_all()


@pytest.mark.parametrize("make", [with_key, with_password])
def test_another_format_is_a_rotation_with_an_overlap(make: Callable[..., dict[str, Any]]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, make())
        first = read(stage)
        stage.apply(make(credential={"format": "Encoded"}))
        await stage.quiet()
        value = store(stage).newest(PLACE)
        assert value
        assert not value.startswith("{")
        assert held_key(value) != first
        assert {held_key(value), first} == {*stage.elasticsearch.users_now, *(one["id"] for one in live(stage))}
        assert stage.ready("orders") == READY
        assert not await stage.reconcile_all()

    play()


@on_stage
async def test_a_password_has_its_user_beside_it(stage: Stage) -> None:
    stage.apply(search_cluster(secretStores=KEYS), with_password())
    await stage.quiet()
    value = held(stage)
    assert store(stage).parts(PLACE) == {
        "ELASTICSEARCH_URL": value["url"],
        "ELASTICSEARCH_USERNAME": value["username"],
        "ELASTICSEARCH_PASSWORD": value["password"],
    }


@on_stage
async def test_a_store_that_does_not_answer_is_asked_again(stage: Stage) -> None:
    await begin(stage, with_key())
    value = held(stage)
    stage.faults.fail(SIDE, Unreachable("no answer"), "rewrite")
    declare(stage, KEYS)
    await stage.sleep(60)
    assert stage.ready("orders")[1] == "StoreUnavailable"
    assert held(stage) == value, "consumers read it all the time"
    stage.faults.heal(SIDE)
    await stage.sleep(300)
    await stage.quiet()
    assert (held(stage), len(store(stage).parts(PLACE))) == (value, 4)
    assert stage.ready("orders") == READY


@on_stage
async def test_a_secret_stays_that_two_stores_have_in_the_same_place(stage: Stage) -> None:
    await begin(stage, with_key())
    declare(stage, [*STORES, {"name": "other", "kubernetes": {}}])
    # Secrets of Kubernetes are in the namespace of their SearchAccess, whichever store they are of.
    stage.stores.by_name["other"] = store(stage)
    before = store(stage).kept[PLACE].secret.identity
    stage.amend("orders", credential=with_key(credential={"store": "other"})["spec"]["credential"])
    await stage.quiet()
    await rotate(stage)
    await stage.quiet()
    value = held(stage)
    await overlap_passes(stage, 3)
    assert [key["id"] for key in live(stage)] == [value["id"]]
    assert held(stage) == value
    assert store(stage).kept[PLACE].secret.identity == before
