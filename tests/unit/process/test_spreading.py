"""A right that was granted a moment ago may still be spreading: a run that ends by itself waits some seconds for it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from searchaccess.engine.pacing.backoff import SPREADING, SPREADING_CAP
from searchaccess.operator.once import _refused
from searchaccess.operator.starting import Start
from searchaccess.ports.errors import ExternalError, LoginRefused, NotFound, NotStarted, PermissionDenied
from tests.component.common import begin
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.kubernetes import SIDE as KUBERNETES
from tests.support.worlds.world import access, grant

REFUSALS = [LoginRefused("401"), PermissionDenied("403")]
SOON = SPREADING / 2
LATE = SPREADING + 2 * SPREADING_CAP


def seconds_of_start(within: float | None, answer: Callable[[float], ExternalError | None]) -> tuple[float, str]:
    """Return how long a start took, and what it said when it failed; answers depend on how long it has been trying."""

    async def play() -> tuple[float, str]:
        now = asyncio.get_running_loop().time
        began = now()

        async def work() -> None:
            if (error := answer(now() - began)) is not None:
                raise error

        try:
            await Start(asyncio.Event(), within).wait_for(work, "something")
        except NotStarted as error:
            return now() - began, str(error)
        return now() - began, ""

    return run_virtually(play())


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_run_goes_on_when_the_right_arrives(error: ExternalError) -> None:
    took, said = seconds_of_start(600, lambda passed: error if passed < SOON else None)
    assert not said
    assert SOON <= took <= SOON + SPREADING_CAP


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_run_ends_with_the_cause_when_it_does_not(error: ExternalError) -> None:
    took, said = seconds_of_start(600, lambda _: error)
    assert said.startswith(error.message)
    assert SPREADING <= took <= LATE


def test_what_does_not_spread_ends_it_at_once() -> None:
    assert seconds_of_start(600, lambda _: NotFound("404"))[0] == 0


def test_an_operator_that_runs_on_retries_for_ever() -> None:
    took, said = seconds_of_start(None, lambda passed: REFUSALS[1] if passed < 1000 else None)
    assert not said
    assert took >= 1000


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_the_first_list_of_a_run_waits_as_well(error: ExternalError) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await stage.stop()
        stage.short_lived = True
        stage.faults.fail(KUBERNETES, error, "list_page")
        process = stage.start()
        await stage.sleep(SOON)
        stage.faults.heal(KUBERNETES)
        await begin(stage, access("orders", grant("orders-*")))
        stage.check()
        await stage.stop()
        stage.faults.fail(KUBERNETES, error, "list_page")
        process = stage.start()
        await stage.sleep(SOON)
        assert not process.task.done()
        await stage.sleep(LATE)
        assert isinstance(process.task.exception(), type(error))

    play()


def test_a_run_that_may_keep_no_leases_ends_after_the_same_seconds() -> None:
    async def play() -> None:
        now = asyncio.get_running_loop().time
        one: Any = SimpleNamespace(leases=SimpleNamespace(refused=PermissionDenied("no leases")))
        waiting = asyncio.create_task(_refused(one))
        await asyncio.sleep(SOON)
        one.leases.refused = None
        await asyncio.sleep(SOON)
        one.leases.refused, began = PermissionDenied("no leases"), now()
        with pytest.raises(NotStarted, match="no leases"):
            await waiting
        assert SPREADING <= now() - began <= LATE

    run_virtually(play())
