"""When SearchAccesses are due because their rights begin or end."""

import asyncio
import copy
from dataclasses import replace
from typing import Any, Final

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.times.moments import LAST
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import NOT_COMPARED, Term, TimeBox
from searchaccess.core.model.timeboxes.windows import Schedule
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.engine.inventory import intake
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.timeboxes import AGAIN_AFTER, CHECK_EVERY, STEP_BACK, TimeBoxes
from tests.support.loop.clocks import EPOCH, LoopClock, SettableClock, rfc3339, run_virtually
from tests.unit.builders import a_search_access, a_search_cluster, an_access
from tests.unit.engine.turns import Turns

NOW: Final = int(EPOCH.timestamp()) + 1000
"""When the virtual loop starts."""


def ending(after: float, uid: str = "uid-1", *, begins: float | None = None) -> Access:
    box = TimeBox(None if begins is None else NOW + int(begins), NOW + int(after))
    return replace(an_access(), uid=uid, time_box=box, validity=NOT_COMPARED)


async def due_within(boxes: TimeBoxes, seconds: float) -> tuple[list[str], float]:
    """Return who is due, and after how many seconds; nobody if it takes longer."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with asyncio.timeout(seconds):
            return await boxes.due(), loop.time() - start
    except TimeoutError:
        return [], seconds


def test_one_is_due_at_its_time_and_not_again_when_it_was_judged() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        access = boxes.judge(ending(100, begins=50))
        assert access.validity.term is Term.NOT_YET
        uids, waited = await due_within(boxes, 60)
        assert uids == ["uid-1"]
        assert waited == pytest.approx(50, abs=1)
        access = boxes.judge(access)
        assert access.validity.term is Term.IN_FORCE
        uids, waited = await due_within(boxes, 60)
        assert uids == ["uid-1"]
        assert waited == pytest.approx(50, abs=1)
        assert boxes.judge(access).validity.term is Term.EXPIRED
        assert await due_within(boxes, 3600) == ([], 3600)

    run_virtually(play())


def test_one_that_begins_outside_of_its_windows_is_due_when_it_begins_and_not_all_the_time_before() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        closed = Schedule("0 0 * * *", "UTC", 600)
        box = TimeBox(NOW + 100, NOW + 5000, closed)
        access = boxes.judge(replace(an_access(), uid="uid-1", time_box=box, validity=NOT_COMPARED))
        assert access.validity.term is Term.NOT_YET
        uids, waited = await due_within(boxes, 200)
        assert uids == ["uid-1"]
        assert waited == pytest.approx(100, abs=1)
        access = boxes.judge(access)
        assert access.validity.term is Term.OUTSIDE
        uids, waited = await due_within(boxes, 6000)
        assert waited == pytest.approx(4900, abs=1)
        assert boxes.judge(access).validity.term is Term.EXPIRED

    run_virtually(play())


def test_one_that_could_not_be_judged_is_due_again_and_not_all_the_time() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        boxes.judge(ending(10))
        assert (await due_within(boxes, 60))[0] == ["uid-1"]
        uids, waited = await due_within(boxes, 60)
        assert uids == ["uid-1"]
        assert waited >= AGAIN_AFTER - 1

    run_virtually(play())


def test_all_that_end_together_are_due_together() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        for number in range(1000):
            boxes.judge(ending(100, f"uid-{number}"))
        assert len((await due_within(boxes, 120))[0]) == 1000

    run_virtually(play())


def test_an_earlier_end_is_not_missed_while_it_waits_for_a_later_one() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        boxes.judge(ending(1000))
        waiting = asyncio.create_task(due_within(boxes, 3600))
        await asyncio.sleep(5)
        boxes.judge(ending(20, "uid-2"))
        uids, waited = await waiting
        assert uids == ["uid-2"]
        assert waited < 21

    run_virtually(play())


def test_one_that_is_gone_or_has_no_end_any_more_is_never_due() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        boxes.judge(ending(10))
        boxes.judge(ending(10, "uid-2"))
        boxes.forget("uid-1")
        boxes.judge(replace(an_access(), uid="uid-2"))
        assert await due_within(boxes, 100) == ([], 100)

    run_virtually(play())


def test_edits_do_not_make_the_queue_grow() -> None:
    async def play() -> None:
        boxes = TimeBoxes(LoopClock())
        for seconds in range(5000):
            boxes.judge(ending(10_000 + seconds))
        assert len(boxes._queue) < 100
        assert (await due_within(boxes, 20_000))[0] == ["uid-1"]

    run_virtually(play())


@pytest.mark.parametrize("step", [1.0, STEP_BACK - 1])
def test_small_steps_back_of_the_clock_have_no_effect(step: float) -> None:
    async def play() -> None:
        clock = LoopClock()
        boxes = TimeBoxes(clock)
        await asyncio.sleep(10)
        assert boxes.judge(ending(10)).validity.term is Term.EXPIRED
        clock.offset = -step
        assert boxes.judge(ending(10)).validity.term is Term.EXPIRED
        assert boxes.judge(ending(10, "uid-2")).validity.term is Term.EXPIRED
        assert await due_within(boxes, 60) == ([], 60)

    run_virtually(play())


def test_a_corrected_clock_makes_all_due() -> None:
    async def play() -> None:
        clock = LoopClock()
        clock.offset = 86_400
        boxes = TimeBoxes(clock)
        assert boxes.judge(ending(100)).validity.term is Term.EXPIRED
        clock.offset = 0
        uids, waited = await due_within(boxes, 60)
        assert uids == ["uid-1"]
        assert waited <= CHECK_EVERY
        assert boxes.judge(ending(100)).validity.term is Term.IN_FORCE

    run_virtually(play())


def test_a_clock_that_jumps_ahead_is_noticed() -> None:
    async def play() -> None:
        clock = LoopClock()
        boxes = TimeBoxes(clock)
        boxes.judge(ending(86_400))
        waiting = asyncio.create_task(due_within(boxes, 3600))
        await asyncio.sleep(1)
        clock.offset = 90_000
        uids, waited = await waiting
        assert uids == ["uid-1"]
        assert waited <= CHECK_EVERY + 1

    run_virtually(play())


def test_without_a_clock_what_ends_has_ended() -> None:
    boxes = TimeBoxes(None)
    assert boxes.judge(ending(100)).validity.term is Term.EXPIRED
    box = TimeBox(ends=LAST)
    assert boxes.judge(replace(an_access(), time_box=box)).validity.term is Term.EXPIRED


class _Inventory:
    """An inventory with one SearchAccess that ends, and a clock that is set."""

    def __init__(self) -> None:
        self.clock = SettableClock(1000.0)
        self.inventory = Inventory(clock=self.clock)
        self.inventory.policies.keep(set(), frozenset())
        self.raw = a_search_access(validUntil=rfc3339(1100.0))
        self.inventory.see_cluster(a_search_cluster())
        self.see(100)
        self.uid = str(self.raw["metadata"]["uid"])
        self.inventory.marks.take_dirty("prod")

    def see(self, version: int, **spec: Any) -> None:
        self.raw["spec"] |= spec
        self.raw["metadata"] |= {"resourceVersion": str(version), "generation": version}
        self.inventory.see_access(copy.deepcopy(self.raw))

    @property
    def access(self) -> Access:
        return self.inventory.accesses[self.uid].access

    def term(self) -> Term:
        return self.access.validity.term

    @property
    def is_marked(self) -> bool:
        return bool(self.inventory.marks.dirty("prod").principals)


def test_an_end_that_an_event_finds_first_is_reconciled() -> None:
    known = _Inventory()
    known.clock.advance(200)
    known.see(101)
    assert known.term() is Term.EXPIRED
    assert known.is_marked


def test_an_end_that_is_found_while_principals_are_computed_anew_is_reconciled() -> None:
    known = _Inventory()
    known.clock.advance(200)
    known.inventory._reidentify(known.inventory.accesses[known.uid])
    assert known.term() is Term.EXPIRED
    assert known.is_marked


def test_what_cannot_be_read_because_of_an_internal_error_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _Inventory()
    monkeypatch.setattr(intake, "access_from_object", lambda _raw: 1 / 0)
    known.see(101)
    assert known.access.fault
    assert known.term() is Term.IN_FORCE
    known.clock.advance(200)
    known.inventory._judge(known.inventory.accesses[known.uid])
    assert known.term() is Term.EXPIRED
    assert decide(known.access, OPEN).do is Do.REMOVE


def test_after_an_internal_error_only_what_the_declared_times_say_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _Inventory()
    monkeypatch.setattr(known.inventory.subjects, "register", lambda *_: 1 / 0)
    known.see(101)
    assert known.access.fault
    assert known.term() is Term.IN_FORCE
    known.see(102, validUntil=rfc3339(2000.0))
    known.clock.advance(200)
    known.inventory._judge(known.inventory.accesses[known.uid])
    assert known.term() is Term.IN_FORCE
    assert decide(known.access, OPEN).reason is Reason.INTERNAL_ERROR


def test_an_end_that_a_question_about_another_place_finds_first_is_reconciled() -> None:
    known = _Inventory()
    known.clock.advance(200)
    assert not known.inventory.refuses(known.access, "another")
    assert known.inventory.time_boxes._take_due(known.inventory.time_boxes.now()) == [known.uid]


def test_what_ends_in_the_moment_of_an_internal_error_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    known = _Inventory()
    monkeypatch.setattr(known.inventory.policies, "judge", lambda *_, **__: 1 / 0)
    known.clock.advance(200)
    known.inventory._judge(known.inventory.accesses[known.uid])
    assert known.access.fault
    assert decide(known.access, OPEN).do is Do.REMOVE


def test_what_is_amended_to_have_ended_in_the_moment_of_an_internal_error_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = _Inventory()
    monkeypatch.setattr(known.inventory.policies, "judge", lambda *_, **__: 1 / 0)
    known.see(101, validUntil=rfc3339(900.0))
    assert known.access.fault
    assert decide(known.access, OPEN).do is Do.REMOVE
    assert known.is_marked


def test_what_ends_while_principals_are_computed_anew_ends_despite_an_internal_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = _Inventory()
    monkeypatch.setattr(known.inventory.policies, "judge", lambda *_, **__: 1 / 0)
    known.clock.advance(200)
    known.inventory._reidentify(known.inventory.accesses[known.uid])
    assert known.access.fault
    assert decide(known.access, OPEN).do is Do.REMOVE


def test_other_tasks_run_while_many_schedules_are_compared_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        known, turns = _Inventory(), Turns()
        uids = [f"uid-{number}" for number in range(90)]
        for uid in uids:
            raw = copy.deepcopy(known.raw)
            raw["metadata"] |= {"uid": uid, "name": uid}
            raw["spec"] |= {"schedule": {"cron": "* * * * *", "timeZone": "UTC", "duration": "1m"}}
            known.inventory.see_access(raw)

        def judge(_record: object, *, keeps: bool) -> None:
            assert keeps
            turns.count()

        monkeypatch.setattr(known.inventory, "_judge", judge)
        known.clock.advance(200)
        waiting = asyncio.create_task(turns.watch())
        await known.inventory.judge_due()
        waiting.cancel()
        assert 0 < turns.most <= 20

    asyncio.run(play())
