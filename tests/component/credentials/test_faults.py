"""Faults of our own, and keys that others forge: each costs one SearchAccess alone."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.credentials.credential import Key
from searchaccess.core.credentials.keys import key_from_json
from searchaccess.engine.credentials import observe
from searchaccess.engine.credentials.steps import Credentials, Job, Outcome
from searchaccess.ports.errors import PermissionDenied
from searchaccess.ports.stores import Place
from tests.component.credentials.common import (
    HOUR,
    READY,
    STORES,
    begin,
    change_is_noticed,
    live,
    read,
    said,
    store,
    with_key,
)
from tests.support.failures.faults import Call, Faults
from tests.support.loop.stage import Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.memory.store import SIDE, MemoryStore
from tests.support.worlds.world import condition_in

NAMES = [f"orders-{number}" for number in range(20)]
QUOTED = "quoted from a secret"


class Broken:
    """Makes what the store does with one secret be what our code does not expect.

    Args:
        patch: puts it in place.
        method: of the store.
        name: of the SearchAccess.
    """

    def __init__(self, patch: pytest.MonkeyPatch, method: str, name: str = "orders-7") -> None:
        self.met = 0
        self.is_broken = True
        perform = Faults.perform

        async def broken(faults: Faults, call: Call, action: Any) -> Any:
            if self.is_broken and (call.side, call.method, *call.names) == (SIDE, method, f"{name}-elasticsearch"):
                self.met += 1
                raise KeyError(QUOTED)
            return await perform(faults, call, action)

        patch.setattr(Faults, "perform", broken)


def internal_errors(stage: Stage) -> list[dict[str, Any]]:
    return [entry for logs in stage.logs for entry in logs if entry["event"] == "internal error"]


@pytest.mark.parametrize("method", ["find", "add"])
def test_a_fault_of_ours_costs_one_credential_alone(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        broken = Broken(monkeypatch, method)
        await begin(stage, *map(with_key, NAMES))
        assert [name for name in NAMES if stage.ready(name) != READY] == ["orders-7"]
        ready = condition_in(stage.get("orders-7"), "Ready")
        assert (ready["status"] != "True", ready["reason"]) == (True, "InternalError")
        assert QUOTED not in str(stage.logs) + str(stage.get("orders-7"))
        assert {entry["place"] for entry in internal_errors(stage)} == {"credential"}
        await stage.sleep(HOUR)
        assert 10 < broken.met < 30, "it backs off"
        assert len(stage.elasticsearch.keys_now) < len(NAMES) + 30
        broken.is_broken = False
        await stage.sleep(600)
        await stage.quiet()
        assert {stage.ready(name) for name in NAMES} == {READY}
        assert len(live(stage)) == len(NAMES)

    play()


def test_news_of_it_is_tried_at_once_and_what_others_do_does_not_hurry_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        broken = Broken(monkeypatch, "find")
        await begin(stage, *map(with_key, NAMES))
        await stage.sleep(HOUR)
        before = broken.met
        for _ in range(20):
            stage.elasticsearch.sequence += 1
            await stage.sleep(3)
        assert broken.met - before <= 1
        broken.is_broken = False
        stage.annotate(access_key("orders-7"), "searchaccess.dev/reconcile-requested-at", "now")
        await stage.sleep(2)
        assert read_of(stage, "orders-7")

    play()


def read_of(stage: Stage, name: str) -> str:
    return read(stage, Place("shop", f"{name}-elasticsearch"))


def test_never_two_are_at_one_credential_whatever_happens_to_its_neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    keep = Credentials.keep

    async def counted(self: Credentials, job: Job, keys: Any) -> Outcome:
        uid = job.access.uid
        running[uid] += 1
        most[uid] = max(most[uid], running[uid])
        try:
            await asyncio.sleep(5)
            return await keep(self, job, keys)
        finally:
            running[uid] -= 1

    monkeypatch.setattr(Credentials, "keep", counted)

    @on_stage
    async def play(stage: Stage) -> None:
        Broken(monkeypatch, "find", name="orders-0")
        stage.apply(search_cluster(secretStores=STORES), *map(with_key, NAMES))
        await stage.sleep(300)
        assert len(most) == len(NAMES)
        assert set(most.values()) == {1}
        assert len(stage.elasticsearch.keys_now) == len(NAMES) - 1

    play()


def test_a_cancelled_reconcile_leaves_no_task_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    add = MemoryStore.add

    async def slow(self: MemoryStore, *arguments: Any) -> Any:
        await asyncio.sleep(1000)
        return await add(self, *arguments)

    @on_stage
    async def play(stage: Stage) -> None:
        monkeypatch.setattr(MemoryStore, "add", slow)
        stage.apply(search_cluster(secretStores=STORES), *map(with_key, NAMES))
        await stage.sleep(30)
        assert live(stage)
        assert stage.process is not None
        stage.process.task.cancel()
        await asyncio.wait([stage.process.task])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        monkeypatch.setattr(MemoryStore, "add", add)
        await stage.restart()
        await stage.quiet()
        assert {stage.ready(name) for name in NAMES} == {READY}
        assert len(live(stage)) == len(NAMES), "what was cut off is found and gone"

    play()


def test_a_key_of_ours_that_cannot_be_read_costs_its_searchaccess_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(), with_key("other"))
        broken, known = read(stage), set(stage.elasticsearch.keys_now)

        def odd(raw: Any, *more: Any) -> Key | None:
            if raw["id"] == broken:
                raise RecursionError(QUOTED)
            return key_from_json(raw, *more)

        monkeypatch.setattr(observe, "key_from_json", odd)
        stage.annotate(access_key("other"), "searchaccess.dev/rotate-requested-at", "now")
        await change_is_noticed(stage)
        assert stage.ready("orders")[1] == "InternalError"
        assert stage.ready("other") == READY
        assert len(live(stage)) == 3
        await stage.sleep(HOUR)
        assert len(set(stage.elasticsearch.keys_now) - known) == 1, "no other is made beside it"
        assert QUOTED not in str(stage.logs)
        monkeypatch.setattr(observe, "key_from_json", key_from_json)
        await stage.sleep(600)
        assert stage.ready("orders") == READY
        assert read(stage) == broken

    play()


@pytest.mark.parametrize("mine", [{"version": "x"}, {"version": 1}, {"version": 10**19}, {"secret": None}, {}], ids=str)
@pytest.mark.parametrize("refused", [False, True], ids=["revoked", "cannot be revoked"])
def test_a_forged_key_delays_no_rotation_and_displaces_nothing(mine: dict[str, Any], *, refused: bool) -> None:
    """A user with ``manage_own_api_key`` writes our metadata into his own key."""

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        [key] = live(stage)
        metadata = key["metadata"] | {"sequence": 10**19, "name": "../../x", "replaces": key["id"]} | mine
        forged = key | {"id": "forged", "username": "mallory", "metadata": metadata}
        stage.elasticsearch.keys_now["forged"] = forged
        if refused:
            stage.faults.fail(memory_elasticsearch.SIDE, PermissionDenied("403"), "revoke_keys")
        stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "leaked")
        await stage.sleep(5)
        assert read(stage) not in {"forged", key["id"]}
        assert {key["id"], read(stage)} <= {one["id"] for one in live(stage)}
        assert said(stage) == ("True", "CredentialOverlap")
        assert stage.ready("orders") == READY
        assert ("forged" in {one["id"] for one in live(stage)}) is refused
        assert stage.elasticsearch.keys_now[read(stage)]["metadata"]["version"] == 2
        assert "../../x" not in str([call for call in stage.faults.calls if call.side == SIDE])

    play()


@on_stage
async def test_a_key_of_an_earlier_login_has_its_overlap_and_is_then_retired(stage: Stage) -> None:
    await begin(stage, with_key(credential={"overlap": "1h", "rotateEvery": "24h"}))
    first = read(stage)
    stage.elasticsearch.me = replace(stage.elasticsearch.me, username="another")
    await stage.restart()
    await stage.quiet()
    second = read(stage)
    assert {key["id"] for key in live(stage)} == {first, second}
    assert stage.elasticsearch.keys_now[second]["metadata"]["replaces"] == first
    await stage.restart()
    await stage.sleep(55 * 60)
    assert {key["id"] for key in live(stage)} == {first, second}
    await stage.sleep(10 * 60)
    assert [key["id"] for key in live(stage)] == [second]
    assert store(stage).kept
