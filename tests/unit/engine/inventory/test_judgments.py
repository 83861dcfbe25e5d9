"""Judgments that take long: whose turn it is, whatever others have to wait for."""

import asyncio
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.model.verdict import ACCEPTED, PolicyVerdict
from searchaccess.core.policy.guardrails.verdicts import Basis
from searchaccess.core.work import Tally, Work, counted
from searchaccess.engine.concurrency.allowance import LEAST, TURN
from searchaccess.engine.concurrency.fairness import in_turn
from searchaccess.engine.inventory.policy.judgments.edits import FORGIVEN, GONE_KEPT, MOST, Edits, Name
from searchaccess.engine.inventory.policy.judgments.judgments import CROWD, EACH_TURN, RETRY, UNFINISHED, Judgments, Key
from searchaccess.engine.inventory.policy.judgments.queue import FairQueue
from searchaccess.ports.meter import Meter
from tests.support.loop.clocks import SettableClock, run_virtually
from tests.unit.builders import an_access

LONG = 300_000
"""Steps of the longest judgment."""
PART = 500
MANY = 10_000


def working(steps: int, tally: Tally) -> Work[PolicyVerdict]:
    def parts() -> Work[PolicyVerdict]:
        for _ in range(steps // PART):
            yield PART
        return ACCEPTED

    return counted(parts(), tally)


def ask(judgments: Judgments, namespace: str, number: int, steps: int = LONG, says: Hashable = "") -> PolicyVerdict:
    key = Key(f"{namespace}-{number}", "prod", namespace, str(number))
    return judgments.ask(key, lambda: Basis(says, says), lambda tally: working(steps, tally), lambda: True)


async def turns_until(judgments: Judgments, uid: str) -> int:
    """Return after how many turns a judgment is finished."""
    finished = list[str]()
    task, turns = asyncio.create_task(judgments.run(finished.append)), 0
    while uid not in finished:
        turns += 1
        await asyncio.sleep(0)
        assert turns < 10_000
    task.cancel()
    return turns


def test_many_long_judgments_of_a_namespace_delay_another_one_by_as_many_turns_as_it_takes_itself() -> None:
    async def play(flood: int) -> int:
        judgments = Judgments(Meter())
        for number in range(flood):
            ask(judgments, "flood", number)
        assert ask(judgments, "quiet", 0) == UNFINISHED
        return await turns_until(judgments, "quiet-0")

    alone, beside = run_virtually(play(0)), run_virtually(play(MANY))
    assert alone <= LONG // (TURN // 2) + 2
    assert beside <= 2 * alone + 2


def test_with_three_namespaces_each_has_a_third_of_the_turns() -> None:
    async def play() -> int:
        judgments = Judgments(Meter())
        for number in range(100):
            for namespace in ("one", "two"):
                ask(judgments, namespace, number)
        ask(judgments, "quiet", 0)
        return await turns_until(judgments, "quiet-0")

    assert run_virtually(play()) <= 3 * (LONG // (TURN // 2)) + 3


def test_a_crowd_of_long_judgments_takes_no_steps_before_its_turn() -> None:
    async def play() -> None:
        judgments = Judgments(Meter())
        for number in range(MANY):
            ask(judgments, "flood", number)
        assert judgments.allowance.taken <= TURN + CROWD * LEAST
        assert ask(judgments, "quiet", 0, steps=PART) == ACCEPTED, "what is usual is judged at once"

    run_virtually(play())


def test_short_judgments_that_wait_share_a_turn() -> None:
    async def play() -> int:
        judgments = Judgments(Meter())
        for number in range(CROWD):
            ask(judgments, "shop", number)
        for number in range(100):
            ask(judgments, "shop", CROWD + number, steps=0)
        return await turns_until(judgments, f"shop-{CROWD + 99}")

    assert run_virtually(play()) <= 2 * CROWD + 100


def test_those_that_one_fault_stopped_are_asked_about_again_some_in_each_turn() -> None:
    """Where it concerns all SearchAccesses, each is read and judged anew: thousands at once would take seconds."""

    async def play() -> list[int]:
        judgments, asked, each_turn = Judgments(Meter()), list[str](), list[int]()

        def again(uid: str) -> None:
            asked.append(uid)
            judgments.retry(uid)

        for number in range(100):
            judgments.retry(f"u-{number}")
        task = asyncio.create_task(judgments.run(again))
        await asyncio.sleep(RETRY - 1)
        assert not asked
        await asyncio.sleep(1)
        while len(asked) < 100:
            before = len(asked)
            await asyncio.sleep(0)
            each_turn.append(len(asked) - before)
        await asyncio.sleep(RETRY / 2)
        assert len(asked) == 100, "those that fail again wait again"
        judgments.forget_all(replace(an_access(), uid="u-7"))
        await asyncio.sleep(RETRY)
        assert len(asked) == len(set(asked)) + 99 == 199
        task.cancel()
        return each_turn

    assert max(run_virtually(play())) <= EACH_TURN


@pytest.mark.parametrize(
    ("items", "ordered"),
    [
        ([], []),
        (["a1", "a2", "a3"], ["a1", "a2", "a3"]),
        (["a1", "a2", "a3", "b1"], ["a1", "b1", "a2", "a3"]),
        (["a1", "b1", "a2", "c1", "c2"], ["a1", "b1", "c1", "a2", "c2"]),
    ],
    ids=["none", "of one", "of two", "of three"],
)
def test_items_come_in_turn_of_their_owners(items: list[str], ordered: list[str]) -> None:
    assert list(in_turn(items, lambda each: each[0])) == ordered


def test_a_queue_gives_each_namespace_its_turn_and_each_entry_within_it() -> None:
    queue = FairQueue[str, int]()
    for number, key in enumerate(["a1", "a2", "a3", "b1"]):
        queue.put(key, key[0], number)
    assert [_taken(queue) for _ in range(6)] == ["a1", "b1", "a2", "b1", "a3", "b1"]
    queue.put("a1", "a", 7)
    assert queue.get("a1") == 7
    assert queue.of("a") == 3
    assert queue.pop("b1") == 3
    assert queue.pop("b1") is None
    assert queue.get("b1") is None
    assert [_taken(queue) for _ in range(3)] == ["a2", "a3", "a1"]
    for key in list(queue):
        queue.pop(key)
    assert queue.take_turn() is None
    assert not queue


def _taken(queue: FairQueue[str, int]) -> Any:
    turn = queue.take_turn()
    return turn[0] if turn else None


NAME = Name("shop", "orders")


def test_what_own_edits_discard_is_forgotten_with_time() -> None:
    clock = SettableClock()
    edits = Edits(clock.monotonic)
    edits.discard(NAME, MOST - 1)
    assert not edits.are_too_many(NAME)
    edits.discard(NAME, 1)
    assert edits.are_too_many(NAME)
    assert not edits.are_too_many(Name("shop", "other"))
    clock.advance(1)
    assert not edits.are_too_many(NAME)
    edits.discard(NAME, FORGIVEN)
    assert edits.are_too_many(NAME)
    edits.discard(NAME, 100 * MOST)
    clock.advance(MOST / FORGIVEN + 1)
    assert not edits.are_too_many(NAME), "not however much it was"


def test_one_that_is_gone_is_remembered_for_the_next_one_of_its_name() -> None:
    edits = Edits(SettableClock().monotonic)
    edits.discard(NAME, MOST)
    edits.note(NAME, "prod", revokes=True)
    edits.leave(NAME)
    edits.come(NAME)
    assert edits.are_too_many(NAME)
    assert edits.was_refused(NAME, "prod")
    assert not edits.was_refused(NAME, "other")
    edits.leave(NAME)
    for number in range(GONE_KEPT):
        edits.note(Name("shop", str(number)), "prod", revokes=True)
        edits.leave(Name("shop", str(number)))
    assert not edits.are_too_many(NAME), "so many are remembered"
    assert not edits.was_refused(NAME, "prod")
