"""Back-off: short at first, doubling, capped, and never the same for all."""

import pytest

from searchaccess.engine.pacing.backoff import CAP, FIRST, Backoff


def test_delays_double_up_to_the_cap_and_lie_in_the_upper_half_of_their_range() -> None:
    backoff = Backoff()
    for number in range(40):
        top = min(CAP, FIRST * 2**number)
        assert top / 2 <= backoff.next() <= top


def test_success_starts_afresh() -> None:
    backoff = Backoff()
    for _ in range(10):
        backoff.next()
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next() <= FIRST


def test_two_that_fail_together_do_not_come_back_together() -> None:
    one, other = Backoff(first=5.0), Backoff(first=5.0)
    assert [one.next() for _ in range(5)] != [other.next() for _ in range(5)]


@pytest.mark.parametrize("failures", [100, 5000])
def test_an_outage_of_any_length_does_not_overflow(failures: int) -> None:
    backoff = Backoff()
    for _ in range(failures):
        assert backoff.next() <= CAP
