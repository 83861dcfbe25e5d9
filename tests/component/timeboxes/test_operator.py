"""What happens to the operator and its clock around the times at which rights begin and end."""

from collections import Counter
from typing import Any

import pytest

from searchaccess.engine.inventory.timeboxes import CHECK_EVERY, STEP_BACK
from tests.component.common import begin, granted
from tests.component.timeboxes.common import EXPIRED, IN_SYNC, NOT_YET, SOON, at, orders
from tests.support.loop.stage import Stage, on_stage
from tests.support.runs.effort import many
from tests.support.worlds.world import access, grant

MANY = many(2_500)
BULK = 1_000
"""Roles in one request."""


@on_stage
async def test_an_end_while_the_operator_was_down_is_the_first_thing_that_it_writes(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, 600)), access("logs", grant("logs-*")))
    await stage.stop()
    await stage.sleep(900)
    assert granted(stage)
    stage.apply(access("late", grant("late-*")))
    before = len(stage.faults.writes)
    stage.start()
    await stage.sleep(SOON)
    assert not granted(stage)
    written = [call.method for call in stage.faults.writes[before:] if call.side == "elasticsearch"]
    assert written[0] == "delete_roles"
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED


@on_stage
async def test_a_beginning_while_the_operator_was_down_holds_when_it_returns(stage: Stage) -> None:
    await begin(stage, orders(validFrom=at(stage, 600)))
    assert stage.ready("orders") == NOT_YET
    await stage.stop()
    await stage.sleep(900)
    stage.start()
    await stage.sleep(2 * SOON)
    assert granted(stage)


@pytest.mark.parametrize("after", [-1.0, 0.0, 1.0])
def test_a_restart_close_to_the_end_misses_nothing(after: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(validUntil=at(stage, 100)))
        await stage.sleep(100 - 8 + after)
        await stage.restart()
        await stage.sleep(8 - after + SOON)
        assert not granted(stage)

    play()


@on_stage
async def test_a_clock_that_is_adjusted_back_gives_nothing_back(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, 60)))
    await stage.sleep(90)
    assert not granted(stage)
    stage.clock.offset -= STEP_BACK - 10
    await stage.sleep(60)
    stage.amend("orders", suspend=True)
    await stage.sleep(60)
    assert not granted(stage)
    assert stage.ready("orders") == EXPIRED


@on_stage
async def test_a_clock_that_is_corrected_is_followed(stage: Stage) -> None:
    day = 86_400
    stage.clock.offset = day
    await begin(stage, orders(validUntil=at(stage, -600)))
    assert stage.ready("orders") == EXPIRED
    stage.clock.offset = 0
    await stage.sleep(CHECK_EVERY + SOON)
    assert granted(stage)
    stage.clock.offset = day
    await stage.sleep(CHECK_EVERY + SOON)
    assert not granted(stage)


@on_stage
async def test_thousands_that_end_together_take_few_requests_and_little_time(stage: Stage) -> None:
    ends = at(stage, 900)
    ending = [access(f"a{number}", grant(f"a{number}-*"), validUntil=ends) for number in range(MANY)]
    await begin(stage, *ending, access("stays", grant("stays-*")))
    assert len(stage.elasticsearch.roles_now) == MANY + 1
    left = 900 - (stage.clock.monotonic() - 1000)
    assert left > 0
    before = len(stage.faults.calls)
    await stage.sleep(left + 2 * SOON)
    assert len(stage.elasticsearch.roles_now) == 1
    called = [call for call in stage.faults.calls[before:] if call.side == "elasticsearch" and call.write]
    assert len(called) <= MANY / BULK + 2, [call.method for call in called]
    assert all(call.method == "delete_roles" for call in called)


@on_stage
async def test_nothing_is_asked_of_elasticsearch_for_the_sake_of_the_time(stage: Stage) -> None:
    """Between two times, as many requests as without them."""

    async def asked(**spec: Any) -> Counter[str]:
        stage.amend("orders", **spec)
        await stage.quiet()
        before = len(stage.faults.calls)
        await stage.sleep(300)
        return Counter(call.method for call in stage.faults.calls[before:] if call.side == "elasticsearch")

    await begin(stage, orders())
    without = await asked()
    within = await asked(validUntil=at(stage, 86_400))
    # A minute of probes more or less may fall into the time.
    assert abs(within.total() - without.total()) <= 30
    assert stage.ready("orders") == IN_SYNC
