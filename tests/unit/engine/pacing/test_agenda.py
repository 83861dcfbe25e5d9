"""When items are due again."""

import pytest

from searchaccess.engine.pacing.agenda import Agenda
from tests.support.loop.clocks import SettableClock


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def agenda(clock: SettableClock) -> Agenda:
    return Agenda(clock, first=2.0, cap=8.0)


def test_nothing_is_ever_due_where_nothing_is_planned(agenda: Agenda) -> None:
    assert agenda.delay() == float("inf")
    assert agenda.due() == set()


def test_an_item_is_due_when_its_time_has_come(agenda: Agenda, clock: SettableClock) -> None:
    agenda.plan("one", 30)
    agenda.plan("two", 10)
    assert agenda.delay() == 10
    clock.advance(10)
    assert agenda.due() == {"two"}
    clock.advance(25)
    assert agenda.due() == {"one", "two"}
    assert agenda.delay() == 0


def test_trouble_backs_off_up_to_a_cap_and_success_begins_afresh(agenda: Agenda, clock: SettableClock) -> None:
    delays = [agenda.fail("one") for _ in range(6)]
    assert all(1 <= delay <= 8 for delay in delays)
    assert delays[-1] >= 4
    agenda.plan("one", 60)
    assert agenda.fail("one") <= 2
    clock.advance(2)
    assert agenda.due() == {"one"}


def test_an_item_backs_off_only_between_trouble_and_the_next_try(agenda: Agenda, clock: SettableClock) -> None:
    agenda.plan("well", 60)
    agenda.fail("one")
    assert agenda.failing() == {"one"}
    assert agenda.is_backing_off("one")
    assert not agenda.is_backing_off("well")
    clock.advance(2)
    assert not agenda.is_backing_off("one")
    assert agenda.failing() == {"one"}, "nobody tried it again yet"


def test_what_is_forgotten_is_never_due(agenda: Agenda, clock: SettableClock) -> None:
    for key in ("one", "two", "three"):
        agenda.plan(key, 1)
    agenda.forget("one")
    agenda.keep({"two"})
    clock.advance(1)
    assert agenda.due() == {"two"}
