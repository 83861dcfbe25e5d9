"""Keys, users and secrets of a former installation: reported, and ended where the new one has its own."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.credentials.payload import held_key
from tests.component.common import FORMER, former_installation
from tests.component.credentials.common import (
    DAY,
    PLACE,
    STORES,
    begin,
    overlap_passes,
    rotate,
    store,
    with_key,
    with_password,
)
from tests.support.failures.faults import Fault
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.memory.store import MemoryStore
from tests.support.runs.effort import places
from tests.support.worlds.world import condition_in, grant


async def live_before(stage: Stage, *objects: dict[str, Any]) -> None:
    """Have a former installation of the operator issue credentials into the stage's Elasticsearch and stores."""
    left, here = (
        await former_installation(stage, FORMER, search_cluster(secretStores=STORES), *objects),
        stage.elasticsearch,
    )
    here.keys_now |= left.keys_now
    here.users_now |= left.users_now
    here.made_users += left.made_users
    for name, raw in left.roles_now.items():
        here.write_role(name, raw)


def others(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.cluster()["status"].get("others", [])
    return found


@on_stage
async def test_keys_and_users_of_another_controller_are_counted(stage: Stage) -> None:
    await live_before(stage, with_key("orders"), with_key("billing"), with_password("search"))
    await begin(stage, with_key("mail"))
    [other] = others(stage)
    assert (other["controller"], other["keys"], other["users"], other["roles"]) == (FORMER.controller, 2, 1, 0)
    message = condition_in(stage.cluster(), "OthersPresent")["message"]
    assert "2 API keys, 1 user here, which stay in force" in message
    assert len(stage.elasticsearch.live_keys()) == 3


def decide(stage: Stage, **more: str) -> None:
    """Let a person write the decision into the SearchCluster."""
    line = {"controller": FORMER.controller} | more
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(takeOver=[line]))


def works(stage: Stage) -> set[str]:
    """Return the keys and users that work."""
    server = stage.elasticsearch
    return {raw["id"] for raw in server.live_keys()} | {
        name for name, raw in server.users_now.items() if raw["enabled"]
    }


def read(stage: Stage) -> str:
    """Return the key or user that a consumer reads."""
    return held_key(store(stage).newest(PLACE) or "")


@pytest.mark.parametrize("versions", [True, False])
@pytest.mark.parametrize("declared", [with_key, with_password])
def test_a_secret_of_a_former_installation_is_taken_over_with_an_overlap(*, declared: Any, versions: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.stores.by_name["main"] = MemoryStore(stage.faults, versions=versions)
        await live_before(stage, declared())
        old = read(stage)
        await begin(stage, declared())
        assert stage.ready("orders") == ("False", "OwnershipConflict")
        assert works(stage) == {old}
        decide(stage)
        await stage.quiet()
        assert stage.ready("orders") == ("True", "InSync")
        new = read(stage)
        assert new != old
        assert works(stage) == {old, new}, "who still has the old one keeps it for the overlap"
        assert store(stage).kept[PLACE].secret.owner == stage.get("orders")["metadata"]["uid"]
        await overlap_passes(stage, 2)
        assert works(stage) == {new}
        assert others(stage) == []
        await rotate(stage)
        assert stage.ready("orders") == ("True", "InSync")
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].pop("takeOver"))
        await stage.quiet()
        assert stage.ready("orders") == ("True", "InSync"), "the line is needed no more"
        stage.delete("orders")
        await stage.quiet()
        assert works(stage) == set()
        assert PLACE not in store(stage).kept

    play()


@on_stage
async def test_a_former_user_that_was_dated_by_another_clock_ends_after_the_overlap(stage: Stage) -> None:
    await live_before(stage, with_password())
    old = read(stage)
    stage.elasticsearch.users_now[old]["metadata"]["created"] += 366 * DAY * 1000
    await begin(stage, with_password())
    decide(stage)
    await stage.quiet()
    assert works(stage) == {old, read(stage)}
    await overlap_passes(stage, 2)
    assert works(stage) == {read(stage)}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("write", places(7))
def test_a_takeover_of_a_secret_that_is_cut_off_goes_on(write: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await live_before(stage, with_key())
        old = read(stage)
        await begin(stage, with_key())
        stage.faults.at_write(write, fault)
        decide(stage)
        await stage.quiet()
        await stage.sleep(60)
        await stage.quiet()
        assert stage.ready("orders") == ("True", "InSync")
        assert read(stage) in works(stage) - {old}
        assert works(stage) == {old, read(stage)}, "nobody loses the old one before the overlap is over"

    play()


@on_stage
async def test_a_former_key_ends_after_the_overlap_where_the_new_one_is_in_another_secret(stage: Stage) -> None:
    await live_before(stage, with_key())
    old = read(stage)
    await begin(stage, with_key(credential={"name": "another"}))
    assert stage.ready("orders") == ("True", "InSync")
    decide(stage)
    await stage.quiet()
    assert old in works(stage)
    await overlap_passes(stage, 2)
    assert old not in works(stage)
    assert read(stage) == old, "its secret is nobody's to delete"


@on_stage
async def test_what_no_search_access_declares_is_reported_and_left(stage: Stage) -> None:
    await live_before(stage, with_key(), with_password("search"))
    await begin(stage, with_key("mail"))
    before = works(stage)
    decide(stage)
    await stage.quiet()
    await overlap_passes(stage, 2)
    assert before <= works(stage)
    [other] = others(stage)
    assert (other["keys"], other["users"]) == (1, 1)


@on_stage
async def test_what_no_search_access_declares_ends_where_a_person_says_so(stage: Stage) -> None:
    await live_before(stage, with_key(), with_password("search"), with_key("mail"))
    mail = next(raw["id"] for raw in stage.elasticsearch.live_keys() if "mail" in raw["name"])
    await begin(stage, with_key("mail"))
    here = works(stage)
    decide(stage, credentials="Revoke")
    await stage.quiet()
    assert mail in works(stage), "it has an heir, and an overlap"
    assert len(here - works(stage)) == 2
    assert not stage.elasticsearch.users_now
    assert not [name for name in stage.elasticsearch.roles_now if "search." in name]
    assert not [place for place in store(stage).kept if place.name != PLACE.name and "mail" not in place.name]
    await overlap_passes(stage, 2)
    assert mail not in works(stage)
    assert not others(stage)


@on_stage
async def test_a_key_of_another_login_proves_nothing_about_a_secret(stage: Stage) -> None:
    """Whoever may create keys can give one the metadata of a former installation and the uid of another object."""
    await live_before(stage, with_key())
    old = read(stage)
    stage.elasticsearch.keys_now[old]["username"] = "mallory"
    await begin(stage, with_key())
    decide(stage)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert read(stage) == old
    assert old in works(stage)


@on_stage
async def test_the_secret_of_a_search_access_of_this_life_is_never_taken_over(stage: Stage) -> None:
    await live_before(stage, with_key())
    old = read(stage)
    await begin(stage, with_key("mail"))
    uid = stage.get("mail")["metadata"]["uid"]
    kept = store(stage).kept
    kept[PLACE] = replace(kept[PLACE], secret=replace(kept[PLACE].secret, owner=uid))
    stage.elasticsearch.keys_now[old]["metadata"]["owner"]["uid"] = uid
    stage.apply(with_key())
    decide(stage)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert kept[PLACE].secret.owner == uid


@pytest.mark.parametrize("declared", [with_key, with_password])
def test_a_former_key_has_no_more_than_is_declared_now(*, declared: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await live_before(stage, declared())
        old = read(stage)
        await begin(stage, declared(granted=grant("new-*")))
        decide(stage)
        await stage.quiet()
        assert stage.ready("orders") == ("True", "InSync")
        assert works(stage) == {old, read(stage)}
        server = stage.elasticsearch
        for name in works(stage):
            found = server.roles_now[name] if name in server.users_now else server.keys_now[name]["role_descriptors"]
            assert "new-*" in str(found)
            assert "orders-*" not in str(found)
        await overlap_passes(stage, 2)
        assert works(stage) == {read(stage)} != {old}

    play()
