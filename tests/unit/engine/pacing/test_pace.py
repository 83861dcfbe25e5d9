"""How fast Google is asked."""

import asyncio

from searchaccess.decorators.paced import FairGate, TokenBucket
from tests.support.loop.clocks import LoopClock, run_virtually


async def _take(bucket: TokenBucket, count: int) -> float:
    """Take so many at once; return the seconds that it took."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await asyncio.gather(*(bucket.take() for _ in range(count)))
    return loop.time() - begin


def test_a_burst_goes_through_at_once_and_the_rest_by_the_rate() -> None:
    async def play() -> None:
        bucket = TokenBucket(LoopClock(), rate=10, burst=100)
        assert await _take(bucket, 100) == 0
        assert round(await _take(bucket, 50), 3) == 5

    run_virtually(play())


def test_after_a_rest_no_more_than_a_burst_goes_through_at_once() -> None:
    async def play() -> None:
        bucket = TokenBucket(LoopClock(), rate=10, burst=20)
        await _take(bucket, 20)
        await asyncio.sleep(3600)
        assert await _take(bucket, 20) == 0
        assert round(await _take(bucket, 1), 3) == 0.1

    run_virtually(play())


class _Visitors:
    """Whoever goes through a gate, in the order in which they do."""

    def __init__(self, gate: FairGate) -> None:
        self._gate = gate
        self.order: list[str] = []
        self.inside = 0
        self.most = 0

    async def visit(self, lane: str, seconds: float = 1) -> None:
        async with self._gate.slot(lane):
            self.order.append(lane)
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.inside -= 1


def test_lanes_take_turns_whoever_came_first() -> None:
    async def play() -> None:
        visitors = _Visitors(FairGate(slots=2, in_lane=2))
        async with asyncio.TaskGroup() as group:
            for lane in ["many"] * 100 + ["few"] * 2 + ["one"]:
                group.create_task(visitors.visit(lane))
        assert {"few", "one"} <= set(visitors.order[:5])
        assert visitors.order.count("many") == 100
        assert visitors.most == 2

    run_virtually(play())


def test_a_lane_in_which_all_hang_leaves_room_for_others() -> None:
    async def play() -> None:
        visitors = _Visitors(FairGate(slots=4, in_lane=3))
        hanging = [asyncio.create_task(visitors.visit("hangs", 1e6)) for _ in range(10)]
        await asyncio.sleep(1)
        assert visitors.order == ["hangs"] * 3
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(visitors.visit("other"))
        assert visitors.order[3:] == ["other"] * 5
        for task in hanging:
            task.cancel()
        await asyncio.wait(hanging)

    run_virtually(play())


def test_whoever_is_cancelled_takes_no_slot_along() -> None:
    async def play() -> None:
        gate = FairGate(slots=2, in_lane=1)
        visitors = _Visitors(gate)
        for moment in (0, 1, 1.0000001, 2.5):
            tasks = [asyncio.create_task(visitors.visit(lane)) for lane in ("a", "a", "a", "b", "b", "c")]
            await asyncio.sleep(moment)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert visitors.inside == 0
        before = len(visitors.order)
        async with asyncio.TaskGroup() as group:
            for lane in ("a", "b", "c", "a"):
                group.create_task(visitors.visit(lane))
        assert sorted(visitors.order[before:]) == ["a", "a", "b", "c"]

    run_virtually(play())


def test_one_that_is_cancelled_in_its_turn_hands_it_on() -> None:
    async def play() -> None:
        visitors = _Visitors(FairGate(slots=1, in_lane=1))
        first, second, third = (asyncio.create_task(visitors.visit(lane)) for lane in ("a", "b", "c"))
        await asyncio.sleep(0.5)
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.wait([first, second])
        await asyncio.wait_for(third, 10)
        assert visitors.order[0] == "a"
        assert visitors.order[-1] == "c"

    run_virtually(play())
