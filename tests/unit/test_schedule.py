"""When a reconciler looks."""

import pytest

from searchaccess.engine.schedule import SEARCHABLE, Schedule
from searchaccess.ports.elasticsearch import Probe
from tests.support.clocks import SettableClock

PROBE_EVERY = 0.5


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def schedule(clock: SettableClock) -> Schedule:
    """One that has read everything at sequence number 7."""
    schedule = Schedule(clock)
    schedule.configure(PROBE_EVERY, 300)
    assert probed(schedule, clock, 7), "nothing was read yet"
    return schedule


def probed(schedule: Schedule, clock: SettableClock, number: int, own: int = 0) -> bool:
    """Probe, and read everything if that is asked for, in no time."""
    everything = schedule.probed(Probe("index", number), own)
    if everything:
        schedule.passed(everything=True, started=clock.monotonic(), changed=False)
    return everything


def test_where_nothing_moves_nothing_is_read(schedule: Schedule, clock: SettableClock) -> None:
    for _ in range(10):
        clock.advance(PROBE_EVERY)
        assert not probed(schedule, clock, 7)


def test_own_writes_are_not_read_again(schedule: Schedule, clock: SettableClock) -> None:
    clock.advance(PROBE_EVERY)
    assert not probed(schedule, clock, 9, own=2)


def test_a_write_of_somebody_else_is_read_at_once_and_again_when_it_is_searchable(
    schedule: Schedule, clock: SettableClock
) -> None:
    read = []
    for number in range(12):
        clock.advance(PROBE_EVERY)
        if probed(schedule, clock, 8):
            read.append(number * PROBE_EVERY)
    assert read == [0, SEARCHABLE]


def test_a_rare_probe_does_not_delay_the_second_read(schedule: Schedule, clock: SettableClock) -> None:
    schedule.configure(3600, 86400)
    clock.advance(3600)
    assert probed(schedule, clock, 8)
    assert schedule.delay() == SEARCHABLE
