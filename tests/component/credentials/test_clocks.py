"""Clocks jump by hours, this machine's or Elasticsearch's: that costs no key, no overlap and no retry."""

import random
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest

from searchaccess.engine.pacing.sharedclock import READ_EVERY
from tests.component.credentials.common import (
    DAY,
    HOUR,
    PLACE,
    READY,
    STORES,
    credential,
    live,
    read,
    said,
    store,
    with_key,
    with_password,
)
from tests.support.failures.faults import Call
from tests.support.loop.clocks import EPOCH
from tests.support.loop.stage import Stage, access_key, on_stage, search_cluster
from tests.support.runs.effort import some

Declare = Callable[..., dict[str, Any]]

JUMPS = [-50 * HOUR, -2 * HOUR, 2 * HOUR, 50 * HOUR]
HOURLY = {"rotateEvery": "1h", "overlap": "10m", "gracePeriod": "1h"}
PHASES = {"fresh": 60.0, "before the rotation": 0.88 * HOUR, "in the overlap": 1.05 * HOUR, "behind it": 1.25 * HOUR}
"""Seconds after the first key was made. It is replaced after 54 to 60 minutes."""


async def begin(stage: Stage, *objects: dict[str, Any]) -> None:
    """Let keys be made where changes are not looked for all the time."""
    stage.apply(search_cluster(secretStores=STORES, drift={"probeEvery": "1h", "sweepEvery": "24h"}), *objects)
    await stage.quiet()


def skew(stage: Stage, seconds: float) -> None:
    stage.elasticsearch.now = lambda: EPOCH.timestamp() + stage.clock.monotonic() + seconds


def writes_of(stage: Stage, since: int) -> list[str]:
    return [call.method for call in stage.faults.writes[since:] if call.side != "kubernetes"]


def note(done: list[tuple[float, str]], stage: Stage, call: Call) -> None:
    """Take in what was written, and when."""
    if call.write and call.side != "kubernetes":
        done.append((stage.clock.monotonic(), call.method))


def known(stage: Stage) -> set[str]:
    """Return the ids of all keys that were ever made, and of all users that there are."""
    return {*stage.elasticsearch.keys_now, *stage.elasticsearch.users_now}


@on_stage
async def test_two_hours_ahead_cost_no_key_that_is_rotated_hourly(stage: Stage) -> None:
    await begin(stage, with_key(credential=HOURLY))
    await stage.sleep(600)
    first, before = read(stage), len(stage.faults.calls)
    stage.clock.offset = 2 * HOUR
    await stage.sleep(60)
    assert known(stage) == {first}
    await stage.sleep(30 * 60)
    assert [key["id"] for key in live(stage)] == [first]
    assert len([call for call in stage.faults.calls[before:] if call.method == "keys"]) < 20
    await stage.sleep(20 * 60)
    assert len(known(stage)) == 2, "an hour is over by the clock that runs"
    assert first in {key["id"] for key in live(stage)}, "who read it may use it for the overlap"


@cache
def history(kind: Declare, phase: str, jump: float, whose: str) -> list[tuple[float, str]]:
    """Return what is written, and when, where a clock jumps in a phase; by 0: without a jump, which many ask for."""
    done: list[tuple[float, str]] = []
    random.seed(0)  # The same jitter, whoever asks first.

    @on_stage
    async def play(stage: Stage) -> None:
        stage.faults.on_call = lambda call: note(done, stage, call)
        await begin(stage, kind(credential=HOURLY))
        await stage.sleep(PHASES[phase])
        if whose == "operator":
            stage.clock.offset = jump
        else:
            skew(stage, jump)
        await stage.sleep(3 * HOUR)
        assert stage.ready("orders") == READY

    play()
    return done


@pytest.mark.parametrize(
    ("kind", "phase", "jump", "whose"),
    some([*product([with_key, with_password], PHASES, JUMPS, ["operator", "Elasticsearch"])]),
)
def test_a_jump_at_any_time_changes_nothing(kind: Declare, phase: str, jump: float, whose: str) -> None:
    """The same is done at the same time as without it."""
    if whose == "Elasticsearch" and jump > 24 * HOUR:
        jump = 20 * HOUR  # A key lives for a day more than it is used, by that clock.
    without, with_it = history(kind, phase, 0, "operator"), history(kind, phase, jump, whose)
    assert [method for _, method in without] == [method for _, method in with_it]
    assert [at for at, _ in without] == pytest.approx([at for at, _ in with_it], abs=60)


@pytest.mark.parametrize("jump", JUMPS)
def test_after_a_restart_ages_follow_elasticsearchs_clock(jump: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(credential=HOURLY))
        await stage.sleep(HOUR)
        before = len(stage.faults.writes)
        first, second = sorted(known(stage))
        issued = credential(stage)["issued"]
        stage.clock.offset = jump
        await stage.restart()
        await stage.sleep(120)
        assert writes_of(stage, before) == []
        assert said(stage) == ("True", "CredentialOverlap")
        await stage.sleep(10 * 60)
        assert [key["id"] for key in live(stage)] == [second], "an overlap is ten minutes"
        assert first != second
        assert credential(stage)["issued"] == issued

    play()


@pytest.mark.parametrize("jump", [0.0, *JUMPS])
@pytest.mark.parametrize("kind", [with_key, with_password])
def test_where_elasticsearch_does_not_report_its_time_nothing_ends_too_early(kind: Declare, jump: float) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.elasticsearch.tells_time = False
        await begin(stage, kind(credential=HOURLY))
        await stage.sleep(HOUR)
        both = known(stage)
        assert len(both) == 2
        stage.clock.offset = jump
        await stage.restart()
        await stage.sleep(9 * 60)
        assert said(stage) == ("True", "CredentialOverlap")
        assert known(stage) == both
        current = read(stage)
        await stage.sleep(2 * 60)
        working = {key["id"] for key in live(stage)} | set(stage.elasticsearch.users_now)
        assert current in working, "one rotation may come too early, but its overlap is whole"
        await stage.sleep(20 * 60)
        working = {key["id"] for key in live(stage)} | set(stage.elasticsearch.users_now)
        assert len(working) == 1
        assert len(known(stage) - both) <= 1

    play()


@on_stage
async def test_elasticsearch_is_asked_for_its_time_only_about_keys_that_are_new_to_the_operator(stage: Stage) -> None:
    def asked() -> int:
        return len([call for call in stage.faults.calls if call.method == "time"])

    await begin(stage, with_key(), with_key("other"))
    await stage.sleep(6 * HOUR)
    assert asked() == 0, "it made them itself"
    await stage.restart()
    await stage.sleep(6 * HOUR)
    assert asked() == 1
    for number in range(3):
        key = {**live(stage)[0], "id": f"restored-{number}"}
        stage.elasticsearch.keys_now[key["id"]] = key
        stage.elasticsearch.sequence += 1
        await stage.sleep(READ_EVERY / 4)
    assert asked() == 2


@on_stage
async def test_what_is_reported_and_stored_follows_elasticsearchs_clock(stage: Stage) -> None:
    stage.clock.offset = 7 * DAY
    await begin(stage, with_key(), with_password("users"))
    [key] = live(stage)
    shared = EPOCH.timestamp() + stage.clock.monotonic()
    assert abs(key["creation"] / 1000 - shared) < 60
    [user] = stage.elasticsearch.users_now.values()
    assert abs(user["metadata"]["created"] / 1000 - shared) < 60
    assert credential(stage)["issued"] < "2026-01-02"
    assert credential(stage)["expires"] in (store(stage).newest(PLACE) or "")


@on_stage
async def test_a_request_for_a_rotation_is_answered_whatever_the_clock_says(stage: Stage) -> None:
    await begin(stage, with_key(credential=HOURLY))
    first = read(stage)
    stage.clock.offset = -50 * HOUR
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.quiet()
    assert read(stage) != first
    assert {key["id"] for key in live(stage)} == {first, read(stage)}
