"""Runs that change nothing: what they say is what the operator then does."""

import asyncio
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.changes import Action, Change, change_of_mapping, change_of_role
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.rights.mapping import build_template_mapping, mapping_of
from searchaccess.core.rights.ownership import Role
from tests.component.credentials.common import HOUR, STORES, begin, credential, with_key, with_password
from tests.component.timeboxes.common import at
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import REALM, MemoryElasticsearch
from tests.support.runs.effort import examples
from tests.support.worlds.world import CLUSTER, access, account, grant

PRINCIPALS = tuple(account(name) for name in ("one", "two", "three"))
NAMES = ("a", "b", "c", "d")


def roles_of(server: MemoryElasticsearch) -> dict[str, Role]:
    return {
        name: Role(name, role_from_json(raw), dict(raw.get("metadata") or {}))
        for name, raw in copy.deepcopy(server.roles_now).items()
    }


def what_became(server: MemoryElasticsearch, before: dict[str, Role], mappings: dict[str, Any]) -> set[Change]:
    after = roles_of(server)
    found = {change_of_role(CLUSTER, name, before.get(name), after.get(name)) for name in before | after}
    for name in mappings | server.mappings_now:
        one, other = (mapping_of(name, raw[name]) if name in raw else None for raw in (mappings, server.mappings_now))
        found.add(change_of_mapping(CLUSTER, name, one, other))
    return {change for change in found if change is not None}


@on_stage
async def test_a_login_that_only_reads_predicts_what_another_one_does(stage: Stage) -> None:
    stage.elasticsearch.rights_now = LoginRights("observer")
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.stop()
    changes = await stage.dry_run()
    assert {change.object.partition("/")[0] for change in changes} == {"role", "role_mapping"}


@on_stage
async def test_a_role_mapping_that_a_person_wrote_as_desired_is_no_conflict(stage: Stage) -> None:
    stage.elasticsearch.rights_now = LoginRights("observer")
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.stop()
    wanted = build_template_mapping(OPERATOR, REALM, PrincipalClaim.EMAIL).body.to_json()
    stage.elasticsearch.write_mapping(OPERATOR.mapping_name, wanted)
    assert {change.object.partition("/")[0] for change in await stage.dry_run()} == {"role"}

    stage.elasticsearch.write_mapping(OPERATOR.mapping_name, wanted | {"enabled": False})
    assert not await stage.dry_run(), "one that differs is a conflict"


declarations = st.builds(
    lambda name, principal, index, can, mode, policy: (
        "declare",
        access(name, grant(index, can=[can]), principal=principal, mode=mode, deletionPolicy=policy),
    ),
    st.sampled_from(NAMES),
    st.sampled_from(PRINCIPALS),
    st.sampled_from(["x-*", "y", "z-*"]),
    st.sampled_from(["read", "write"]),
    st.sampled_from(["Enforce", "Enforce", "Observe"]),
    st.sampled_from(["Delete", "Orphan", "Disable"]),
)
deletions = st.tuples(st.just("delete"), st.sampled_from(NAMES))
losses = st.tuples(st.just("lose"), st.sampled_from(NAMES))
damages: st.SearchStrategy[tuple[Any, ...]] = st.tuples(
    st.just("damage"),
    st.sampled_from(PRINCIPALS),
    st.sampled_from([None, {"cluster": ["all"]}, {"indices": []}, {"description": "mine"}, {"metadata": {}}]),
)
mappings = st.tuples(st.just("mapping"), st.booleans())


def act(stage: Stage, step: tuple[Any, ...]) -> None:
    match step:
        case ("declare", raw):
            known = stage.get(raw["metadata"]["name"])
            if not known or not known["metadata"].get("deletionTimestamp"):
                stage.apply(raw)
        case ("delete", name) if stage.get(name):
            stage.delete(name)
        case ("lose", name) if stage.get(name):
            stage.kubernetes.objects.pop(next(key for key in stage.kubernetes.objects if key[2] == name))
        case ("damage", principal, damage) if stage.role(principal):
            if damage is None:
                stage.elasticsearch.remove_role(OPERATOR.role_name(principal))
            else:
                stage.elasticsearch.write_role(OPERATOR.role_name(principal), stage.role(principal) | damage)
        case ("mapping", gone) if OPERATOR.mapping_name in stage.elasticsearch.mappings_now:
            if gone:
                stage.elasticsearch.remove_mapping(OPERATOR.mapping_name)
            else:
                known = stage.elasticsearch.mappings_now[OPERATOR.mapping_name]
                stage.elasticsearch.write_mapping(OPERATOR.mapping_name, known | {"enabled": False})


steps = st.lists(st.one_of(declarations, declarations, deletions, losses, damages, mappings), max_size=6)


@settings(max_examples=examples(80))
@given(first=st.lists(declarations, min_size=1, max_size=5), then=steps, allowed=st.booleans())
def test_it_says_what_the_operator_then_does(
    first: list[tuple[Any, ...]], then: list[tuple[Any, ...]], *, allowed: bool
) -> None:
    async def play() -> None:
        stage = Stage()
        stage.start()
        stage.apply(search_cluster(orphans={"allowed": allowed}))
        for step in first:
            act(stage, step)
        await stage.quiet()
        await stage.stop()
        for step in then:
            act(stage, step)
        before, mapped = roles_of(stage.elasticsearch), copy.deepcopy(stage.elasticsearch.mappings_now)
        said = await stage.dry_run()
        stage.start()
        await stage.quiet()
        await stage.stop()
        assert set(said) == what_became(stage.elasticsearch, before, mapped)
        assert await stage.dry_run() == (), "after it, nothing is left to do"

    run_virtually(play())


def words(changes: tuple[Change, ...]) -> list[tuple[str, Action, list[str]]]:
    return [(item.object, item.action, [field.want or field.have for field in item.differences]) for item in changes]


@on_stage
async def test_credentials_are_looked_at_and_left(stage: Stage) -> None:
    await stage.stop()
    rotates = with_key(credential={"rotateEvery": "8h"})
    stage.apply(search_cluster(secretStores=STORES), rotates, with_password("more"))
    first = await stage.dry_run()
    assert [(name, action) for name, action, _ in words(first)] == [
        ("credential/shop/more", Action.CREATE), ("credential/shop/orders", Action.CREATE)
    ]  # fmt: skip
    assert "create and store a new one" in words(first)[0][2][0]
    stage.start()
    await begin(stage)
    await stage.stop()
    assert await stage.dry_run() == ()

    key = credential(stage)["keyId"]
    stage.elasticsearch.keys_now[key]["invalidated"] = True
    await asyncio.sleep(10)
    stage.delete("more")
    reported = {item.object: item.action for item in await stage.dry_run()}
    assert reported == {"credential/shop/orders": Action.CREATE, "credential/shop/more": Action.DELETE}
    stage.start()
    await stage.quiet()
    assert credential(stage)["keyId"] != key
    await stage.sleep(4 * HOUR)
    await stage.stop()
    await asyncio.sleep(4 * HOUR)
    assert "credential/shop/orders" in {item.object for item in await stage.dry_run()}, "it is time for another one"
    stage.start()


@on_stage
async def test_a_manifest_takes_the_place_of_what_is_there(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    await stage.quiet()
    await stage.stop()
    [change] = await stage.dry_run(access("orders", grant("orders-*", can=["write"])))
    assert (change.action, [item.path for item in change.differences]) == (
        Action.CHANGE, ["indices[orders-*].privileges"]
    )  # fmt: skip
    [change] = await stage.dry_run(access("new", grant("new-*")))
    assert (change.action, change.owners) == (Action.CREATE, ("shop/new",))
    assert await stage.dry_run(access("orders", grant("orders-*"))) == ()
    stage.start()


@on_stage
async def test_that_a_held_key_would_be_cut_short_is_said_and_not_done(stage: Stage) -> None:
    await begin(stage, with_key())
    key = credential(stage)["keyId"]
    before = stage.elasticsearch.keys_now[key]["expiration"]
    await stage.stop()
    stage.amend("orders", suspend=True, validUntil=at(stage, HOUR))
    assert {change.object: change.action for change in await stage.dry_run()} == {
        "credential/shop/orders": Action.CHANGE
    }
    assert stage.elasticsearch.keys_now[key]["expiration"] == before
    stage.start()
    await stage.quiet()
    assert stage.elasticsearch.keys_now[key]["expiration"] < before
    await stage.stop()
    assert not await stage.dry_run()
    stage.start()
