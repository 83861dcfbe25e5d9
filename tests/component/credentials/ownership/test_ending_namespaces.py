"""State in, state out: the namespace is deleted, and the operator may not touch its Secrets any more."""

from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.ports.errors import ExternalError, NamespaceEnds, PermissionDenied, Unreachable
from tests.component.credentials.common import HOUR, PLACE, begin, live, store, with_key, with_password
from tests.support.failures.faults import Fault
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory import store as memory_store
from tests.support.runs.effort import places

ENDS = NamespaceEnds("the API server answered 403: forbidden")


@pytest.mark.parametrize("make", [with_key, with_password], ids=["key", "user"])
@pytest.mark.parametrize("methods", [(), ("find",), ("remove",)], ids=["all", "find", "remove"])
def test_a_namespace_that_ends_takes_its_secrets_along(
    make: Callable[[], dict[str, Any]], methods: tuple[str, ...]
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, make())
        stage.faults.fail(memory_store.SIDE, ENDS, *methods)
        stage.delete("orders")
        await stage.sleep(3)
        assert not stage.get("orders")
        assert not live(stage)
        assert not stage.elasticsearch.users_now

    play()


@pytest.mark.parametrize("error", [PermissionDenied("403"), Unreachable("away")])
def test_a_store_that_only_refuses_is_waited_for(error: ExternalError) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        stage.faults.fail(memory_store.SIDE, error)
        stage.delete("orders")
        await stage.sleep(HOUR)
        assert stage.get("orders")
        assert not live(stage)
        stage.faults.fail(memory_store.SIDE, ENDS)
        await stage.sleep(HOUR)
        assert not stage.get("orders")

    play()


@on_stage
async def test_keys_are_confirmed_all_the_same(stage: Stage) -> None:
    await begin(stage, with_key())
    stage.faults.fail(memory_store.SIDE, ENDS)
    stage.faults.fail(memory_elasticsearch.SIDE, Unreachable("away"), "revoke_keys")
    stage.delete("orders")
    await stage.sleep(60)
    assert stage.get("orders")
    stage.faults.heal(memory_elasticsearch.SIDE)
    await stage.sleep(HOUR)
    assert not stage.get("orders")
    assert not live(stage)


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("number", places(4))
def test_interrupted_anywhere_it_ends(number: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        stage.faults.fail(memory_store.SIDE, ENDS)
        stage.faults.at_write(number, fault)
        stage.delete("orders")
        await stage.sleep(1)
        await stage.quiet()
        assert not stage.get("orders")
        assert not live(stage)

    play()


@on_stage
async def test_a_secret_of_a_former_name_is_not_waited_for_either(stage: Stage) -> None:
    await begin(stage, with_key())
    stage.amend("orders", credential={"store": "main", "name": "another"})
    await stage.quiet()
    assert store(stage).newest(PLACE)
    stage.faults.fail(memory_store.SIDE, ENDS)
    stage.delete("orders")
    await stage.sleep(3)
    assert not stage.get("orders")
    assert not live(stage)
