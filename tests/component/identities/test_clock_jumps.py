"""The wall clock jumps: the grace period of what is missing is measured by a clock that does not."""

import pytest

from tests.component.common import begin
from tests.component.identities.common import GRACE, OLD, REFRESH, SERVICE, declared, have_roles, identity, refreshed
from tests.support.loop.stage import Stage, on_stage

HOURS = 5 * 3600.0
SOON = 20


async def _missing(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.google.state.delete(SERVICE)
    await refreshed(stage)
    assert identity(stage)["missingSince"]
    assert have_roles(stage) == {OLD}


@pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])
def test_a_jump_neither_takes_rights_early_nor_keeps_them(jump: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await _missing(stage)
        stage.clock.offset = jump
        await refreshed(stage)
        assert have_roles(stage) == {OLD}
        await stage.sleep(GRACE - REFRESH)
        await stage.quiet()
        assert have_roles(stage) == set()
        assert stage.ready("orders") == ("False", "ServiceNotFound")

    play()


@pytest.mark.parametrize("jump", [HOURS, -HOURS], ids=["forward", "back"])
def test_a_jump_and_a_restart_take_no_rights_before_the_new_process_has_seen_it_missing(jump: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await _missing(stage)
        await stage.stop()
        stage.clock.offset = jump
        await stage.restart()
        await stage.sleep(REFRESH - SOON)
        assert have_roles(stage) == {OLD}
        stage.google.state.deploy(SERVICE, OLD)
        await stage.sleep(GRACE + 2 * REFRESH)
        assert have_roles(stage) == {OLD}
        assert "missingSince" not in identity(stage)

    play()


@on_stage
async def test_after_a_restart_the_time_in_the_status_counts(stage: Stage) -> None:
    await _missing(stage)
    await stage.sleep(GRACE - REFRESH)
    await stage.restart()
    await stage.sleep(REFRESH + SOON)
    assert have_roles(stage) == set()


@on_stage
async def test_rights_go_when_the_grace_period_is_over_not_a_refresh_later(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.google.state.delete(SERVICE)
    while "missingSince" not in identity(stage):
        await stage.sleep(1)
    await stage.sleep(GRACE - SOON)
    assert have_roles(stage) == {OLD}
    await stage.sleep(2 * SOON)
    assert have_roles(stage) == set()


@on_stage
async def test_a_run_that_ends_soon_takes_the_time_in_the_status_for_good(stage: Stage) -> None:
    await _missing(stage)
    await stage.stop()
    await stage.sleep(GRACE)
    stage.short_lived = True
    stage.start()
    await stage.sleep(SOON)
    assert have_roles(stage) == set()


@on_stage
async def test_a_run_that_ends_soon_takes_no_rights_within_the_grace_period(stage: Stage) -> None:
    await _missing(stage)
    await stage.stop()
    stage.short_lived = True
    stage.start()
    await stage.sleep(SOON)
    assert have_roles(stage) == {OLD}
