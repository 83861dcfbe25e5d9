"""What is due when, by a clock that the test moves."""

from contextlib import suppress

import pytest

from searchaccess.api.times.durations import seconds
from searchaccess.engine.loop.schedule import (
    CHECK_AGAIN,
    CHECK_EVERY,
    DUTY,
    FINGERPRINT_EVERY,
    FINGERPRINT_PROBES,
    IN_VAIN,
    LONGEST_BURST,
    LONGEST_REST,
    QUIET_AT_REST,
    QUIET_IN_A_BURST,
    SEARCHABLE,
    SPACING,
    Schedule,
)
from searchaccess.ports.elasticsearch import Probe
from tests.support.loop.clocks import SettableClock

PROBE = 2.0
DECLARED = PROBE / SPACING
SWEEP = 300.0


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def fresh(clock: SettableClock) -> Schedule:
    schedule = Schedule(clock)
    schedule.configure(DECLARED, SWEEP)
    return schedule


@pytest.fixture
def settled(fresh: Schedule, clock: SettableClock) -> Schedule:
    """Everything was checked, probed and read just now."""
    fresh.checked(well=True)
    fresh.probed(_at(10), 0)
    fresh.reconciled(full=True, started=clock.monotonic(), changed=False)
    return fresh


def _at(number: int, uuid: str = "index") -> Probe:
    return Probe(uuid, number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("2s", 2), ("5m", 300), ("24h", 86400), ("1h30m", 5400), ("1.5s", 1.5), ("1m0.5s", 60.5)],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


def test_at_first_everything_is_due(fresh: Schedule) -> None:
    assert fresh.check_due()
    assert fresh.probe_due()
    assert fresh.sweep_due()
    assert fresh.delay() == 0


def test_when_settled_the_probe_is_the_next_thing_due(settled: Schedule, clock: SettableClock) -> None:
    assert not settled.check_due()
    assert not settled.probe_due()
    assert not settled.sweep_due()
    assert settled.delay() == PROBE
    clock.advance(PROBE)
    assert settled.probe_due()
    assert settled.delay() == 0


def test_the_sweep_is_due_at_its_interval_after_a_full_reconcile(settled: Schedule, clock: SettableClock) -> None:
    clock.advance(SWEEP - 0.1)
    assert not settled.sweep_due()
    clock.advance(0.1)
    assert settled.sweep_due()


def test_a_partial_pass_does_not_put_the_sweep_off(settled: Schedule, clock: SettableClock) -> None:
    clock.advance(SWEEP - 1)
    settled.reconciled(full=False, started=clock.monotonic(), changed=True)
    clock.advance(1)
    assert settled.sweep_due()


def test_a_shorter_interval_counts_at_once(settled: Schedule, clock: SettableClock) -> None:
    settled.configure(DECLARED, 5.0)
    clock.advance(5)
    assert settled.sweep_due()


def test_a_check_is_due_at_its_interval(settled: Schedule, clock: SettableClock) -> None:
    clock.advance(CHECK_EVERY - 1)
    assert not settled.check_due()
    clock.advance(1)
    assert settled.check_due()


def test_a_check_that_found_something_wrong_is_repeated_soon(settled: Schedule, clock: SettableClock) -> None:
    settled.checked(well=False)
    clock.advance(CHECK_AGAIN)
    assert settled.check_due()


def test_a_check_is_due_when_the_license_expires(settled: Schedule, clock: SettableClock) -> None:
    settled.checked(well=True, lasts=100)
    clock.advance(99)
    assert not settled.check_due()
    clock.advance(1)
    assert settled.check_due()
    # It should have expired: perhaps our clock is fast.
    settled.checked(well=True, lasts=-1)
    assert not settled.check_due()
    clock.advance(CHECK_AGAIN)
    assert settled.check_due()


# The fingerprint


def test_a_fingerprint_is_due_at_its_interval_while_all_is_well(settled: Schedule, clock: SettableClock) -> None:
    clock.advance(FINGERPRINT_EVERY)
    assert settled.fingerprint_due()
    settled.fingerprint_read()
    assert not settled.fingerprint_due()
    settled.checked(well=False)
    clock.advance(10 * FINGERPRINT_EVERY)
    assert not settled.fingerprint_due()


def test_it_is_waited_for_where_probes_are_rare(settled: Schedule, clock: SettableClock) -> None:
    settled.configure(3600, 86400)
    settled.probed(_at(10), 0)
    assert settled.delay() == FINGERPRINT_EVERY
    settled.fingerprint_read()
    assert settled.delay() == SWEEP
    clock.advance(3600 * FINGERPRINT_PROBES)
    assert settled.fingerprint_due()


# The probe


def test_a_number_that_stands_still_is_no_news(settled: Schedule) -> None:
    assert not settled.probed(_at(10), 0)
    assert settled.probe_state == "Active"


def test_a_number_that_moved_by_our_own_writes_is_no_news(settled: Schedule) -> None:
    assert not settled.probed(_at(13), 3)
    assert not settled.probed(_at(13), 0)


@pytest.mark.parametrize(("number", "own"), [(11, 0), (14, 3), (12, 3), (9, 0)])
def test_a_number_that_moved_otherwise_is_news(settled: Schedule, number: int, own: int) -> None:
    assert settled.probed(_at(number), own)


def test_after_a_doubt_the_probe_is_news_until_all_was_read(settled: Schedule, clock: SettableClock) -> None:
    with suppress(KeyError), settled.reread_on_error():
        raise KeyError
    assert settled.probed(_at(10), 0)
    assert settled.probed(_at(10), 0)
    settled.reconciled(full=False, started=clock.monotonic(), changed=False)
    assert settled.probed(_at(10), 0)
    settled.reconciled(full=True, started=clock.monotonic(), changed=False)
    assert not settled.probed(_at(10), 0)


def test_another_security_index_is_news_and_worth_a_check(settled: Schedule) -> None:
    assert settled.probed(_at(10, "another"), 0)
    assert settled.check_due()


def test_a_security_index_that_is_gone_is_worth_a_check(settled: Schedule) -> None:
    settled.probed(None, 0)
    assert settled.check_due()


def test_without_the_probe_only_our_own_writes_are_read_again(settled: Schedule) -> None:
    assert not settled.probed(None, 0)
    assert settled.probe_state == "Unavailable"
    assert settled.probed(None, 2)
    assert not settled.probed(None, 0)


def test_a_probe_that_comes_back_is_news_once(settled: Schedule) -> None:
    settled.probed(None, 0)
    assert settled.probed(_at(10), 0)
    assert not settled.probed(_at(10), 0)


def test_where_others_write_all_the_time_full_reads_stay_rare(settled: Schedule, clock: SettableClock) -> None:
    delays = []
    for number in range(IN_VAIN + 3):
        settled.fingerprint_read()
        began = clock.monotonic()
        assert settled.probed(_at(11 + number), 0)
        clock.advance(1.0)
        settled.reconciled(full=True, started=began, changed=False)
        delays.append(settled.delay())
        clock.advance(delays[-1])
    usual = PROBE - 1.0
    # The first was that of `settled`.
    assert delays == [usual] * (IN_VAIN - 1) + [DUTY * 1.0] * 4


@pytest.mark.parametrize("changed", [True, False], ids=["something was corrected", "it was long ago"])
def test_reads_in_vain_count_only_in_a_row(settled: Schedule, clock: SettableClock, *, changed: bool) -> None:
    for number in range(4 * IN_VAIN):
        if number % IN_VAIN == 0 and not changed:
            clock.advance(2 * LONGEST_REST + 1)
        settled.fingerprint_read()
        began = clock.monotonic()
        settled.probed(_at(11 + number), 0)
        clock.advance(1.0)
        settled.reconciled(full=True, started=began, changed=changed and number % IN_VAIN == 0)
        assert settled.delay() == PROBE - 1.0


def test_a_full_reconcile_that_corrected_something_is_followed_by_the_usual_probe(
    settled: Schedule, clock: SettableClock
) -> None:
    began = clock.monotonic()
    settled.probed(_at(11), 0)
    clock.advance(1.0)
    settled.reconciled(full=True, started=began, changed=True)
    assert settled.delay() == PROBE - 1.0


# Trouble and rest


def test_after_trouble_nothing_is_due_before_the_retry(settled: Schedule, clock: SettableClock) -> None:
    clock.advance(SWEEP * 2)
    settled.retry_in(7.0)
    assert settled.delay() == 7.0
    clock.advance(7.0)
    assert settled.delay() == 0
    settled.begin()
    assert settled.delay() == 0
    assert settled.sweep_due()


def test_at_rest_the_next_probe_is_due_at_its_interval(settled: Schedule, clock: SettableClock) -> None:
    clock.advance(SWEEP * 2)
    settled.wait_for_probe()
    assert settled.delay() == PROBE


# Bursts


def test_a_lone_declaration_is_served_at_once_and_a_burst_is_gathered(settled: Schedule, clock: SettableClock) -> None:
    assert settled.settling() == (QUIET_IN_A_BURST, LONGEST_BURST)
    clock.advance(60)
    assert settled.settling() == (QUIET_AT_REST, LONGEST_BURST)


@pytest.mark.parametrize(
    ("took", "quiet"),
    [(QUIET_IN_A_BURST / 2, QUIET_IN_A_BURST), (QUIET_IN_A_BURST * 3, QUIET_IN_A_BURST * 3), (60.0, LONGEST_BURST)],
)
def test_where_passes_are_slow_a_burst_may_have_longer_gaps(
    settled: Schedule, clock: SettableClock, took: float, quiet: float
) -> None:
    started = clock.monotonic()
    clock.advance(took)
    settled.reconciled(full=False, started=started, changed=True)
    assert settled.settling()[0] == pytest.approx(quiet)


def test_a_change_of_somebody_else_is_read_at_once_and_again_when_it_is_searchable(
    settled: Schedule, clock: SettableClock
) -> None:
    settled.configure(SEARCHABLE / 4, SWEEP)
    read = []
    for number in range(12):
        clock.advance(SEARCHABLE / 4)
        if settled.probed(_at(11), 0):
            read.append(number)
            settled.reconciled(full=True, started=clock.monotonic(), changed=False)
    assert read == [0, 4]


def test_a_rare_probe_does_not_delay_the_second_read(settled: Schedule, clock: SettableClock) -> None:
    settled.configure(3600, 86400)
    clock.advance(3600)
    settled.fingerprint_read()
    assert settled.probed(_at(11), 0)
    settled.reconciled(full=True, started=clock.monotonic(), changed=False)
    assert settled.delay() == SEARCHABLE
