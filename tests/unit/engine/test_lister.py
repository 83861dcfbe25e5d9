"""Lists are read so that other tasks run in between, whatever SearchAccesses declare."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from searchaccess.engine.inventory.policy.newest import Latest
from searchaccess.engine.lister import Lister
from searchaccess.ports.kubernetes import Page, Plural
from tests.unit.builders import a_grant, a_search_access
from tests.unit.engine.turns import Turns

CRON = {"cron": "0 0 LW * */33", "timeZone": "UTC", "duration": "1m"}
QUERY = {"terms": {"region": ["eu"] * 3000}}
MANY: dict[str, dict[str, Any]] = {
    "patterns": {"grants": [a_grant(*(f"o*{one}*{two}*" for two in range(50))) for one in range(50)]},
    "queries": {"grants": [a_grant("orders", where=QUERY) for _ in range(50)]},
    "schedules": {"grants": [a_grant("orders")], "schedule": CRON},
    "odd": {"grants": [None, {"indices": 1}, {"indices": [{}] * 400}]},
}
"""Each takes a hundred times as long to read as usual SearchAccesses, or a few times."""


async def most_at_a_time(raw: dict[str, Any]) -> int:
    """Return how many of a page are read until another task runs."""
    turns = Turns()

    async def list_page(*_: object) -> Page:
        return Page([raw] * 60, "", {})

    context: Any = SimpleNamespace(
        kubernetes=SimpleNamespace(list_page=list_page),
        inventory=SimpleNamespace(policies=SimpleNamespace(effort=0), latest=lambda _: Latest({}, ())),
        meter=None,
    )
    waiting = asyncio.create_task(turns.watch())
    await Lister(context)._read_list(Plural.ACCESSES, lambda _: turns.count(), {})
    waiting.cancel()
    return turns.most


@pytest.mark.parametrize("kind", MANY)
async def test_other_tasks_run_between_those_that_take_long(kind: str) -> None:
    raw = a_search_access()
    raw["spec"] |= MANY[kind]
    assert await most_at_a_time(raw) <= 5


async def test_many_usual_ones_are_read_at_a_time() -> None:
    assert await most_at_a_time(a_search_access(grants=[a_grant("orders-*")])) == 60
