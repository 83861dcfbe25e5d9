"""State in, state out: users with passwords, what holds them, and what statuses say of both."""

import base64
import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from searchaccess.core.credentials.payload import held_key
from searchaccess.ports.errors import PermissionDenied, Rejected, Unreachable
from searchaccess.ports.stores import Place
from tests.component.credentials.common import (
    HOUR,
    PLACE,
    READY,
    begin,
    change_is_noticed,
    credential,
    days_pass,
    live,
    overlap_passes,
    read,
    rotate,
    said,
    store,
    with_key,
    with_password,
)
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import store as memory_store
from tests.support.worlds.world import access, account, condition_in, grant


def users(stage: Stage) -> dict[str, dict[str, Any]]:
    return stage.elasticsearch.users_now


def roles(stage: Stage) -> dict[str, dict[str, Any]]:
    return stage.elasticsearch.roles_now


@on_stage
async def test_a_user_is_created_and_stored_and_reported(stage: Stage) -> None:
    await begin(stage, with_password())
    [name] = users(stage)
    assert name.startswith("searchaccess.default.shop/orders.1.")
    assert users(stage)[name]["roles"] == [name] == list(roles(stage))
    assert roles(stage)[name]["indices"][0]["names"] == ["orders-*"]
    assert stage.ready("orders") == READY
    assert said(stage) == ("True", "CredentialActive")
    assert condition_in(stage.get("orders"), "CredentialReady")["message"].startswith(f"user {name} is version 1")
    found = credential(stage)
    assert (found["username"], found["version"], found["phase"]) == (name, 1, "Active")
    assert "keyId" not in found
    assert "expires" not in found, "users do not end by themselves"
    assert found["issued"] < found["nextRotation"]
    assert stage.notes("orders") == ["CredentialIssued"]
    assert not live(stage)
    assert not stage.elasticsearch.mappings_now, "no token gets the role"
    assert await stage.reconcile_all() == []


@on_stage
async def test_what_consumers_read(stage: Stage) -> None:
    await begin(stage, with_password(), with_password("plain", credential={"format": "Encoded"}))
    document = json.loads(store(stage).newest(PLACE) or "")
    assert set(document) == {"username", "password", "encoded", "url"}
    assert base64.b64decode(document["encoded"]).decode() == f"{document['username']}:{document['password']}"
    assert document["username"] == credential(stage)["username"]
    plain = store(stage).newest(Place("shop", "plain-elasticsearch")) or ""
    assert held_key(plain) == credential(stage, "plain")["username"]


@on_stage
async def test_a_rotation_overlaps_and_then_the_old_user_ends(stage: Stage) -> None:
    await begin(stage, with_password())
    first = read(stage)
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.quiet()
    second = read(stage)
    assert set(users(stage)) == set(roles(stage)) == {first, second}
    assert roles(stage)[first]["indices"] == roles(stage)[second]["indices"]
    assert said(stage) == ("True", "CredentialOverlap")
    await overlap_passes(stage)
    assert set(users(stage)) == set(roles(stage)) == {second}
    assert stage.ready("orders") == READY


@on_stage
async def test_other_grants_change_the_role_in_place(stage: Stage) -> None:
    await begin(stage, with_password())
    name = read(stage)
    stage.amend("orders", grants=[grant("invoices-*")])
    await stage.quiet()
    assert set(users(stage)) == {name} == {read(stage)}
    assert roles(stage)[name]["indices"][0]["names"] == ["invoices-*"]
    assert stage.ready("orders") == READY
    assert "DriftDetected" not in stage.notes("orders")


@pytest.mark.parametrize("restarted", [False, True])
def test_deleting_takes_the_role_the_user_and_the_secret(*, restarted: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_password())
        if restarted:
            await stage.restart()
            await stage.quiet()
        before = len(stage.faults.writes)
        stage.delete("orders")
        await stage.quiet()
        assert not users(stage)
        assert not roles(stage)
        assert not store(stage).kept
        assert not stage.get("orders")
        done = [call.method for call in stage.faults.writes[before:] if call.side != "kubernetes"]
        assert done == ["delete_roles", "delete_user", "remove"]

    play()


@on_stage
async def test_observe_says_what_would_be_done(stage: Stage) -> None:
    await begin(stage, with_password(mode="Observe"))
    assert not users(stage)
    assert stage.ready("orders") == ("False", "ChangesPending")
    assert not [call for call in stage.faults.writes if call.side == memory_elasticsearch.SIDE]


@on_stage
async def test_passwords_need_no_license_and_no_rights_of_the_login_itself(stage: Stage) -> None:
    stage.elasticsearch.license = "basic"
    stage.elasticsearch.me = replace(stage.elasticsearch.me, by_api_key=True)
    stage.elasticsearch.out_of_reach.add("orders-*")
    restricted = grant("orders-*", where={"term": {"a": 1}})
    await begin(stage, with_password(), with_password("restricted", granted=restricted), with_key("key"))
    assert stage.ready("orders") == READY
    assert stage.ready("restricted") == ("False", "LicenseInsufficient")
    assert stage.ready("key") == ("False", "LoginCannotIssue")
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.quiet()
    assert len(users(stage)) == 2


def _declare(spec: dict[str, Any], raw: dict[str, Any]) -> None:
    raw["spec"] = spec


@on_stage
async def test_from_token_to_password_to_key_and_back(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    for spec, present in (
        (with_password()["spec"], (0, 1, 0)),
        (with_key()["spec"], (0, 0, 1)),
        (with_password()["spec"], (0, 1, 0)),
        (access("orders", grant("orders-*"))["spec"], (1, 0, 0)),
    ):
        before = credential(stage) and read(stage)
        stage.kubernetes.change(access_key("orders"), partial(_declare, spec))
        await stage.quiet()
        if before and "credential" in spec:
            assert before in {*users(stage), *(key["id"] for key in live(stage))}, "it works for the overlap"
            assert read(stage) != before
            await overlap_passes(stage)
        assert bool(stage.role(account("orders"))) == present[0]
        assert (len(users(stage)), len(live(stage))) == present[1:]
        assert len(roles(stage)) == present[0] + present[1]
        assert stage.ready("orders") == READY
    assert not store(stage).kept
    assert not credential(stage)


@on_stage
async def test_what_somebody_does_to_a_user_is_drift_and_is_healed(stage: Stage) -> None:
    await begin(stage, with_password())
    name = read(stage)
    wanted = roles(stage)[name]["indices"]
    for change in (
        partial(users(stage)[name].update, roles=[name, "superuser"]),
        partial(stage.elasticsearch.write_role, name, {"cluster": ["all"]}),
        partial(stage.elasticsearch.remove_role, name),
    ):
        change()
        await change_is_noticed(stage)
        assert set(users(stage)) == {name} == set(roles(stage))
        assert users(stage)[name]["roles"] == [name]
        assert roles(stage)[name]["indices"] == wanted
        assert roles(stage)[name]["cluster"] == []
        item = stage.get("orders")["status"]["drift"]["items"][0]
        assert (item["object"], item["path"], item["action"]) == (f"user/{name}", "roles", "Corrected")
        assert stage.ready("orders") == READY


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_who_is_deleted_or_disabled_by_hand_is_replaced_and_never_enabled_again(how: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_password())
        name = read(stage)
        if how == "deleted":
            stage.elasticsearch.remove_user(name)
        else:
            users(stage)[name]["enabled"] = False
        await change_is_noticed(stage)
        assert read(stage) != name
        assert set(users(stage)) == {read(stage)} == set(roles(stage)), "nothing of the old one stays"
        assert users(stage)[read(stage)]["enabled"]
        assert stage.get("orders")["status"]["drift"]["items"][0]["object"] == "secret/orders-elasticsearch"
        assert stage.ready("orders") == READY

    play()


@on_stage
async def test_somebody_elses_user_is_not_touched(stage: Stage) -> None:
    for name, metadata in (
        ("searchaccess.default.shop/orders.1.0", {}),
        ("searchaccess.default.shop/old.1.0", {"managed_by": "searchaccess", "instance": "another", "controller": ""}),
        ("orders", {}),
    ):
        raw = {"username": name, "roles": ["superuser"], "metadata": metadata, "enabled": True}
        users(stage)[name] = raw
        stage.elasticsearch.write_role(name, {"cluster": ["all"], "metadata": metadata})
    before = json.dumps([users(stage), roles(stage)])
    await begin(stage, with_password())
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert json.dumps([users(stage), roles(stage)]) == before


@on_stage
async def test_what_elasticsearch_refuses_leaves_no_user_behind(stage: Stage) -> None:
    stage.faults.fail(memory_elasticsearch.SIDE, Rejected("no such query"), "replace_roles")
    await begin(stage, with_password())
    assert stage.ready("orders") == ("False", "RejectedByElasticsearch")
    assert not users(stage)
    await stage.sleep(HOUR)
    assert stage.elasticsearch.made_users == 1, "it is not tried again"


@on_stage
async def test_a_store_that_is_away_leaves_the_user_in_force(stage: Stage) -> None:
    await begin(stage, with_password(credential={"rotateEvery": "6h"}))
    name = read(stage)
    stage.faults.fail(memory_store.SIDE, Unreachable("away"))
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await days_pass(stage, 1)
    assert set(users(stage)) == {name}, "it does not end by itself"
    assert said(stage) == ("Unknown", "StoreUnavailable")
    stage.faults.heal(memory_store.SIDE)
    await stage.sleep(HOUR)
    await stage.quiet()
    assert read(stage) != name
    assert stage.ready("orders") == READY


@on_stage
async def test_a_rotation_costs_six_requests_after_reading_users_and_none_for_keys(stage: Stage) -> None:
    await begin(stage, with_password())
    assert await rotate(stage) == [
        "users", "roles", "find", "create_user", "replace_roles", "add", "find", "note_user"
    ]  # fmt: skip
    assert len([call for call in stage.faults.calls if call.method == "keys"]) == 1, "once, at the start"
    assert "secret" not in json.dumps(stage.get("orders")["status"]["conditions"])


@on_stage
async def test_a_login_that_may_write_no_more_keeps_what_is_right_as_it_is(stage: Stage) -> None:
    await begin(stage, with_password(), with_key("key"))
    orphan = "searchaccess.default.shop/gone.1.0"
    stage.elasticsearch.write_role(orphan, {"metadata": roles(stage)[read(stage)]["metadata"]})
    for method in ("refresh_keys", "delete_roles"):
        stage.faults.fail(memory_elasticsearch.SIDE, PermissionDenied("403"), method)
    await stage.reconcile_all()
    assert (stage.ready("orders"), stage.ready("key")) == (READY, READY)
    stage.faults.heal(memory_elasticsearch.SIDE)
    await stage.reconcile_all()
    assert orphan not in roles(stage), "what is of no use to anybody goes when it can"
