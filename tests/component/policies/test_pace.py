"""Many policies and SearchAccesses: nothing is missed meanwhile, and nothing is held up."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from searchaccess.engine.inventory.inventory import Inventory
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import search_cluster
from tests.support.worlds.world import access, grant

NOW = datetime(2026, 11, 29, tzinfo=UTC)


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> str:
        return self.time.isoformat()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "generation": 1, "resourceVersion": "1"}, "spec": spec}


def declared(name: str) -> dict[str, Any]:
    raw = access(name, grant("orders-1"))
    raw["metadata"] |= {"uid": name, "generation": 1, "resourceVersion": "2"}
    return raw


def until_an_exception_ends(after: timedelta) -> tuple[SetClock, Inventory]:
    """Return a clock, and an inventory with a policy whose exception for the SearchAccess orders ends after a time."""
    clock = SetClock()
    inventory = Inventory(clock=clock)
    exception = {"namespace": "shop", "name": "orders", "reason": "late", "until": (NOW + after).isoformat()}
    inventory.policies.see(policy("limits", deny=[{"indices": ["orders-*"]}], exceptions=[exception]))
    inventory.policies.keep({"limits"}, frozenset())
    return clock, inventory


def test_an_exception_that_ends_while_all_are_judged_is_not_missed() -> None:
    async def play() -> None:
        clock = SetClock()
        inventory = Inventory(clock=clock)
        namespace = declared("orders")["metadata"]["namespace"]
        until = (NOW + timedelta(seconds=1)).isoformat()
        exception = {"namespace": namespace, "name": "orders", "reason": "late", "until": until}
        inventory.policies.see(policy("limits", deny=[{"indices": ["orders-*"]}], exceptions=[exception]))
        inventory.policies.keep({"limits"}, frozenset())
        inventory.see_access(declared("orders"))
        await inventory.policies.due()
        await inventory.judge_all()
        assert not inventory.accesses["orders"].access.verdict.refused
        # It took a while.
        clock.time += timedelta(seconds=2)
        async with asyncio.timeout(60):
            await inventory.policies.due()
        await inventory.judge_all()
        assert inventory.accesses["orders"].access.verdict.refused

    run_virtually(play())


def test_an_exception_that_ends_as_another_policy_changes_is_not_missed() -> None:
    async def play() -> None:
        clock, inventory = until_an_exception_ends(timedelta(seconds=1))
        inventory.see_access(declared("orders"))
        await inventory.policies.due()
        await inventory.judge_all()
        assert not inventory.accesses["orders"].access.verdict.refused
        clock.time += timedelta(seconds=2)
        elsewhere = {"namespaces": {"names": ["elsewhere"]}}
        inventory.policies.see(policy("others", match=elsewhere, deny=[{"indices": ["x"]}]))
        async with asyncio.timeout(60):
            await inventory.policies.due()
        await inventory.judge_all()
        assert inventory.accesses["orders"].access.verdict.refused

    run_virtually(play())


def test_an_exception_ends_by_the_clock_though_the_process_was_suspended() -> None:
    async def play() -> None:
        clock, inventory = until_an_exception_ends(timedelta(hours=20))
        await inventory.policies.due()
        waiting = asyncio.create_task(inventory.policies.due())
        await asyncio.sleep(1)
        clock.time += timedelta(hours=21)
        await asyncio.sleep(120)
        assert waiting.done()

    run_virtually(play())


@pytest.mark.parametrize("policies", [1, 100])
def test_others_run_while_all_are_judged(policies: int) -> None:
    """What is judged in one go does not grow with the number of policies."""

    async def play() -> None:
        inventory = Inventory()
        for number in range(100):
            inventory.see_access(declared(f"orders-{number}"))
        for number in range(policies):
            inventory.policies.see(policy(f"limits-{number}", deny=[{"indices": [f"*-{number}x", "orders-*"]}]))
        inventory.policies.keep({f"limits-{number}" for number in range(policies)}, frozenset())
        memory = inventory.policies.memory
        most = before = 0
        working = asyncio.create_task(inventory.judge_all())
        later = asyncio.create_task(inventory.finish_judgments())
        while not working.done() or inventory.policies.judgments.is_open:
            await asyncio.sleep(0)
            most, before = max(most, memory.asked - before), memory.asked
        assert memory.asked == 100 * policies
        assert most <= 1_100
        later.cancel()

    asyncio.run(play())


def test_all_are_judged_again_in_turn_of_their_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> list[str]:
        inventory = Inventory()
        for name in ("flood-1", "flood-2", "flood-3", "quiet-1"):
            raw = declared(name)
            raw["metadata"]["namespace"] = name.partition("-")[0]
            inventory.see_access(raw)
        inventory.policies.see(policy("limits", deny=[{"indices": ["x"]}]))
        inventory.policies.keep({"limits"}, frozenset())
        judged, judge = list[str](), inventory.policies.judge

        def noting(access: Any, *given: Any, **more: Any) -> Any:
            judged.append(access.name)
            return judge(access, *given, **more)

        monkeypatch.setattr(inventory.policies, "judge", noting)
        await inventory.judge_all()
        return judged

    assert asyncio.run(play()) == ["flood-1", "quiet-1", "flood-2", "flood-3"]


def test_a_new_cluster_that_wants_a_policy_is_not_reconciled_before_that_is_judged() -> None:
    """Otherwise what no policy applies to would be granted for as long as it takes to judge all."""

    async def play() -> None:
        inventory = Inventory()
        inventory.policies.keep(set(), frozenset())
        inventory.see_access(declared("orders"))
        assert not inventory.accesses["orders"].access.verdict.refused
        raw = search_cluster(policies={"unmatched": "Deny"})
        raw["metadata"] |= {"uid": "cluster", "generation": 1, "resourceVersion": "3"}
        inventory.see_cluster(raw)
        await inventory.settle(raw["metadata"]["name"])
        assert inventory.accesses["orders"].access.verdict.unmatched

    asyncio.run(play())


def test_what_cannot_be_read_is_refused_nowhere() -> None:
    """It is held: a typo revokes nothing, not even where a cluster refuses what no policy applies to."""
    inventory = Inventory()
    inventory.policies.keep(set(), frozenset())
    raw = search_cluster(policies={"unmatched": "Deny"})
    raw["metadata"] |= {"uid": "cluster", "generation": 1, "resourceVersion": "3"}
    inventory.see_cluster(raw)
    broken = declared("orders")
    inventory.see_access(broken)
    name = raw["metadata"]["name"]
    assert inventory.refuses(inventory.accesses["orders"].access, name)
    broken["spec"]["grants"] = []
    broken["metadata"] |= {"generation": 2, "resourceVersion": "4"}
    inventory.see_access(broken)
    assert inventory.accesses["orders"].access.invalid
    assert not inventory.refuses(inventory.accesses["orders"].access, name)
