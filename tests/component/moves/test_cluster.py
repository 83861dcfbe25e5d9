"""State in, state out: a SearchAccess names another SearchCluster. What it has stays until it has it there."""

from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.ports.errors import Unreachable
from searchaccess.ports.stores import Place
from tests.component.credentials.common import HOUR, PLACE, READY, STORES, store, with_key, with_password
from tests.component.moves.common import (
    NEW,
    NEW_KEY,
    ORDERS,
    begin,
    held,
    held_message,
    key_in_secret,
    move,
    names_in,
    new,
    new_cluster,
    no_gap,
    old,
    works,
)
from tests.support.failures.faults import Fault
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.runs.effort import places
from tests.support.worlds.world import access, account, condition_in, grant

ELASTICSEARCH = memory_elasticsearch.SIDE


def orders() -> dict[str, Any]:
    return access("orders", grant("orders-*"))


@on_stage
async def test_a_name_that_is_wrong_costs_nothing_and_is_reported(stage: Stage) -> None:
    await begin(stage, orders())
    move(stage, "prd")
    await stage.sleep(700)
    assert names_in(old(stage)) == {"orders-*"}
    assert stage.ready("orders") == ("False", "ClusterNotFound")
    assert held(stage) == ("True", "ClusterNotFound")
    assert ORDERS in held_message(stage)
    assert "SearchCluster prod" in held_message(stage)
    move(stage, "prod")
    await stage.quiet()
    assert held(stage) == ("", "")
    stage.check()


@on_stage
async def test_held_says_since_when(stage: Stage) -> None:
    await begin(stage, orders())
    before = stage.clock.now()
    move(stage, "prd")
    await stage.quiet()
    since = condition_in(stage.get("orders"), "Held")["lastTransitionTime"]
    await stage.restart()
    await stage.sleep(700)
    assert condition_in(stage.get("orders"), "Held")["lastTransitionTime"] == since >= before


@pytest.mark.parametrize("make", [with_key, with_password], ids=["key", "user"])
def test_a_name_that_is_wrong_leaves_a_credential_in_force(make: Callable[[], dict[str, Any]]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, make())
        before = store(stage).newest(PLACE)
        move(stage, "prd")
        await stage.restart()
        await stage.sleep(700)
        assert store(stage).newest(PLACE) == before
        assert old(stage).live_keys() or old(stage).users_now
        assert held(stage) == ("True", "ClusterNotFound")

    play()


@on_stage
async def test_a_place_that_is_ready_takes_over_and_the_old_one_is_given_up(stage: Stage) -> None:
    await begin(stage, orders(), new_cluster())
    move(stage, "new")
    await stage.quiet()
    assert names_in(new(stage)) == {"orders-*"}
    assert not names_in(old(stage))
    assert stage.ready("orders") == READY
    assert held(stage) == ("", "")


@on_stage
async def test_nothing_goes_in_the_old_place_before_it_is_there_in_the_new_one(stage: Stage) -> None:
    await begin(stage, orders(), new_cluster())
    async with no_gap(stage, ORDERS):
        for name in ("new", "prod", "new"):
            move(stage, name)
            await stage.quiet()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({"allowedNamespaces": {"names": ["other"]}}, "NamespaceNotAllowed", id="does not allow it"),
        pytest.param({"identity": {"jwtRealm": {"name": "no", "audience": "x"}}}, "RealmMismatch", id="wrong realm"),
    ],
)
def test_a_place_that_refuses_holds_the_old_one(spec: dict[str, Any], reason: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(), new_cluster(**spec))
        move(stage, "new")
        await stage.sleep(700)
        assert names_in(old(stage)) == {"orders-*"}
        assert held(stage) == ("True", reason)
        await stage.restart()
        await stage.sleep(700)
        assert names_in(old(stage)) == {"orders-*"}
        stage.apply(new_cluster())
        await stage.quiet()
        assert not names_in(old(stage))
        assert names_in(new(stage)) == {"orders-*"}
        assert held(stage) == ("", "")

    play()


@on_stage
async def test_a_license_that_is_not_enough_holds_the_old_place(stage: Stage) -> None:
    new(stage).license = "basic"
    await begin(stage, access("orders", grant("orders-*", where={"term": {"a": "b"}})))
    new(stage).license = "basic"
    stage.apply(new_cluster())
    move(stage, "new")
    await stage.sleep(700)
    assert names_in(old(stage)) >= {"orders-*"}
    assert held(stage)[0] == "True"


@on_stage
async def test_what_the_old_place_refuses_is_not_held(stage: Stage) -> None:
    await begin(stage, orders())
    move(stage, "prd")
    await stage.quiet()
    stage.apply(search_cluster(secretStores=STORES, allowedNamespaces={"names": ["other"]}))
    await stage.quiet()
    assert not names_in(old(stage))
    assert held(stage) == ("", "")


@on_stage
async def test_a_key_works_for_the_overlap_after_a_move(stage: Stage) -> None:
    await begin(stage, with_key(credential={"overlap": "2h"}), new_cluster())
    before = key_in_secret(stage)
    move(stage, "new")
    await stage.quiet()
    assert stage.ready("orders") == READY
    after = key_in_secret(stage)
    assert works(new(stage), after)
    assert works(old(stage), before), "consumers read the secret again within the overlap"
    await stage.restart()
    await stage.sleep(1.9 * HOUR)
    assert works(old(stage), before)
    await stage.sleep(0.2 * HOUR)
    assert not works(old(stage), before)
    assert works(new(stage), key_in_secret(stage))


@on_stage
async def test_a_key_with_rights_that_are_not_declared_any_more_has_no_overlap(stage: Stage) -> None:
    await begin(stage, with_key(), new_cluster())
    before = key_in_secret(stage)
    stage.amend("orders", cluster="new", grants=[grant("less-*")])
    await stage.quiet()
    assert works(new(stage), key_in_secret(stage))
    assert not works(old(stage), before)


@on_stage
async def test_a_secret_of_another_name_is_removed_with_the_last_key_in_the_old_place(stage: Stage) -> None:
    await begin(stage, with_key(credential={"overlap": "1h"}), new_cluster())
    stage.amend("orders", cluster="new", credential={"store": "main", "name": "another", "overlap": "1h"})
    await stage.quiet()
    assert store(stage).newest(PLACE) is not None
    await stage.sleep(1.1 * HOUR)
    await stage.quiet()
    assert not old(stage).live_keys()
    assert PLACE not in store(stage).kept


@on_stage
async def test_a_secret_that_another_owns_in_the_new_place_holds_the_old_key(stage: Stage) -> None:
    await begin(stage, with_key(), new_cluster())
    before = key_in_secret(stage)
    store(stage).put(Place("shop", "another"), "x", owner="b4a1c2d3-0000-4000-8000-000000000000")
    stage.amend("orders", cluster="new", credential={"store": "main", "name": "another"})
    await stage.sleep(700)
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert works(old(stage), before)
    assert held(stage) == ("True", "OwnershipConflict")


# Deletion


@on_stage
async def test_what_is_deleted_while_it_is_held_is_let_go_when_it_is_gone_in_both_places(stage: Stage) -> None:
    await begin(stage, orders())
    move(stage, "prd")
    await stage.quiet()
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not names_in(old(stage))


@on_stage
async def test_a_credential_that_is_deleted_while_it_is_held_is_revoked(stage: Stage) -> None:
    await begin(stage, with_key())
    move(stage, "prd")
    await stage.quiet()
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not old(stage).live_keys()
    assert PLACE not in store(stage).kept


@on_stage
async def test_a_deleted_one_waits_for_the_place_that_it_left(stage: Stage) -> None:
    await begin(stage, orders())
    move(stage, "prd")
    await stage.quiet()
    stage.faults.fail(ELASTICSEARCH, Unreachable("away"))
    await stage.restart()
    stage.delete("orders")
    await stage.sleep(120)
    assert FINALIZER in stage.get("orders")["metadata"]["finalizers"]
    assert stage.ready("orders") == ("False", "Revoking")
    assert "SearchCluster prod" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.faults.heal(ELASTICSEARCH)
    await stage.quiet()
    assert not stage.get("orders")
    assert not names_in(old(stage))


@on_stage
async def test_one_that_is_deleted_during_the_overlap_loses_both_keys(stage: Stage) -> None:
    await begin(stage, with_key(), new_cluster())
    move(stage, "new")
    await stage.quiet()
    assert old(stage).live_keys()
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not old(stage).live_keys()
    assert not new(stage).live_keys()


@on_stage
async def test_the_old_search_cluster_stays_while_something_is_held_in_it(stage: Stage) -> None:
    await begin(stage, orders())
    move(stage, "new")
    await stage.quiet()
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(100)
    assert stage.cluster_ready() == ("False", "InUse")
    assert names_in(old(stage)) == {"orders-*"}
    assert OPERATOR.mapping_name in old(stage).mappings_now
    stage.apply(new_cluster())
    await stage.quiet()
    assert names_in(new(stage)) == {"orders-*"}
    assert not stage.cluster()
    assert not old(stage).roles_now


# A SearchCluster that is renamed


async def _renamed(stage: Stage, *, restart: bool) -> None:
    """Apply the new one for the same Elasticsearch, move everybody, then delete the old one."""
    stage.apply(new_cluster("https://one:9200"))
    await stage.sleep(3)
    move(stage, "new")
    await stage.sleep(10)
    if restart:
        await stage.restart()
        await stage.sleep(10)
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(1)
    if restart:
        await stage.restart()
    await stage.quiet()


@pytest.mark.parametrize("restart", [False, True])
def test_a_search_cluster_that_is_renamed_revokes_nothing(*, restart: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders())
        role = dict(old(stage).roles_now)
        for method in ("delete_roles", "delete_mapping"):
            stage.faults.fail(ELASTICSEARCH, Unreachable("must not be"), method)
        await _renamed(stage, restart=restart)
        assert not stage.cluster()
        assert stage.ready("orders") == READY
        assert stage.cluster_ready("new") == ("True", "InSync")
        assert old(stage).roles_now == role
        assert OPERATOR.mapping_name in old(stage).mappings_now
        await stage.reconcile_all()
        assert old(stage).roles_now == role

    play()


@pytest.mark.parametrize("restart", [False, True])
def test_a_search_cluster_that_is_renamed_keeps_keys(*, restart: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        before = key_in_secret(stage)
        await _renamed(stage, restart=restart)
        assert not stage.cluster()
        assert stage.ready("orders") == READY
        assert key_in_secret(stage) == before
        assert works(old(stage), before)

    play()


@on_stage
async def test_a_renamed_search_cluster_says_that_the_old_one_holds(stage: Stage) -> None:
    await begin(stage, orders())
    stage.apply(new_cluster("https://one:9200"))
    await stage.sleep(3)
    move(stage, "new")
    await stage.sleep(20)
    assert stage.ready("orders") == ("False", "DuplicateCluster")
    assert held(stage) == ("True", "DuplicateCluster")
    assert "SearchCluster prod" in held_message(stage)


@on_stage
async def test_both_search_clusters_of_one_elasticsearch_can_be_deleted_together(stage: Stage) -> None:
    await begin(stage, orders())
    stage.apply(new_cluster("https://one:9200"))
    await stage.sleep(3)
    move(stage, "new")
    await stage.sleep(10)
    stage.delete("orders")
    stage.kubernetes.delete(CLUSTER_KEY)
    stage.kubernetes.delete(NEW_KEY)
    await stage.quiet()
    assert not stage.cluster()
    assert not stage.cluster("new")
    assert not old(stage).roles_now
    assert not old(stage).mappings_now


@on_stage
async def test_the_successor_cannot_go_between_the_two(stage: Stage) -> None:
    await begin(stage, orders())
    stage.apply(new_cluster("https://one:9200"))
    await stage.sleep(3)
    move(stage, "new")
    await stage.sleep(10)
    stage.kubernetes.delete(CLUSTER_KEY)
    for _ in range(100):
        await stage.sleep(0.1)
        if not stage.cluster():
            break
    stage.delete("orders")
    stage.kubernetes.delete(NEW_KEY)
    await stage.quiet()
    assert not stage.cluster()
    assert not stage.cluster("new")
    assert not old(stage).roles_now
    assert not old(stage).mappings_now


# Interruptions


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("number", places(6))
def test_a_move_that_is_interrupted_anywhere_comes_to_its_end_without_a_gap(number: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(), new_cluster())
        async with no_gap(stage, ORDERS):
            stage.faults.at_write(number, fault)
            move(stage, "new")
            await stage.quiet()
        assert names_in(new(stage)) == {"orders-*"}
        assert not names_in(old(stage))
        assert stage.ready("orders") == READY

    play()


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("number", places(8))
def test_a_key_that_moves_interrupted_anywhere_comes_to_its_end(number: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(credential={"overlap": "1h"}), new_cluster())
        before = key_in_secret(stage)
        stage.faults.at_write(number, fault)
        move(stage, "new")
        await stage.sleep(600)
        await stage.quiet()
        assert works(old(stage), before)
        assert works(new(stage), key_in_secret(stage))
        await stage.sleep(HOUR)
        await stage.quiet()
        assert not old(stage).live_keys()
        assert [key["id"] for key in new(stage).live_keys()] == [key_in_secret(stage)]

    play()


@on_stage
async def test_others_in_the_role_that_is_left_are_as_declared(stage: Stage) -> None:
    other = access("other", grant("other-*"), principal=ORDERS)
    await begin(stage, orders(), other)
    move(stage, "prd")
    await stage.quiet()
    assert names_in(old(stage)) == {"orders-*", "other-*"}
    stage.amend("other", grants=[grant("changed-*")])
    await stage.quiet()
    assert names_in(old(stage)) == {"orders-*", "changed-*"}
    stage.delete("other")
    await stage.quiet()
    assert names_in(old(stage)) == {"orders-*"}
    stage.apply(search_cluster("prd", NEW))
    await stage.quiet()
    assert names_in(new(stage)) == {"orders-*"}
    assert not names_in(old(stage))


@on_stage
async def test_subject_and_cluster_changed_together(stage: Stage) -> None:
    await begin(stage, orders())
    stage.amend("orders", cluster="new", subject={"serviceAccount": account("heir")})
    await stage.sleep(700)
    assert names_in(old(stage)) == {"orders-*"}
    stage.apply(new_cluster())
    await stage.quiet()
    assert names_in(new(stage), account("heir")) == {"orders-*"}
    assert not old(stage).roles_now


@on_stage
async def test_nothing_is_written_while_something_is_held(stage: Stage) -> None:
    await begin(stage, orders(), with_key("keyed"))
    move(stage, "prd")
    move(stage, "prd", "keyed")
    await stage.quiet()
    assert await stage.reconcile_all() == []


@pytest.mark.parametrize("make", [orders, with_key, with_password], ids=["role", "key", "user"])
def test_one_that_is_deleted_right_after_a_move_is_not_let_go_before_it_has_nothing_left(
    make: Callable[[], dict[str, Any]],
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, make())

        def has_rights() -> bool:
            return bool(names_in(old(stage)) or old(stage).live_keys() or old(stage).users_now)

        assert has_rights()
        move(stage, "prd")
        stage.delete("orders")
        while stage.get("orders"):
            await stage.sleep(0.01)
        assert not has_rights()

    play()


@on_stage
async def test_a_key_has_no_overlap_in_an_old_place_that_refuses_its_namespace(stage: Stage) -> None:
    await begin(stage, with_key(credential={"overlap": "2h"}), new_cluster())
    before = key_in_secret(stage)
    move(stage, "new")
    await stage.quiet()
    assert works(old(stage), before)
    stage.apply(search_cluster(secretStores=STORES, allowedNamespaces={"names": ["other"]}))
    await stage.quiet()
    assert not works(old(stage), before)
    assert works(new(stage), key_in_secret(stage))
    assert stage.ready("orders") == READY
