"""What statuses say of the last use: never "not used" where that is not known."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.api.accesses.usagestatus import UsageStatus
from searchaccess.api.times.moments import moment
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.usage.window import LATE, LOOKBACK, Window, begin_of, needs_first, usage_after
from tests.support.runs.effort import examples

DAY, HOUR = 86400.0, 3600.0
NOW = 1_767_261_600.0


def seen(last: float | None, since: float) -> UsageStatus:
    return UsageStatus(last_used=None if last is None else shown_time(int(last)), observed_at=shown_time(int(NOW)),
                       since=shown_time(int(since)))  # fmt: skip


def test_the_first_look_goes_back_a_month_or_to_the_creation() -> None:
    assert begin_of(None, shown_time(int(NOW - 90 * DAY)), None, NOW, LOOKBACK) == NOW - LOOKBACK
    assert begin_of(None, shown_time(int(NOW - DAY)), None, NOW, LOOKBACK) == NOW - DAY
    assert begin_of(None, "", NOW - HOUR, NOW, LOOKBACK) == NOW - LOOKBACK


def test_later_looks_go_on_where_the_last_ended_and_a_little_before() -> None:
    usage = seen(None, NOW - 3 * DAY)
    assert begin_of(usage, "", NOW - HOUR, NOW, LOOKBACK) == NOW - HOUR - LATE
    assert begin_of(usage, "", NOW + DAY, NOW, LOOKBACK) == NOW - LATE, "a clock that was wrong"


def test_a_use_in_the_same_hour_is_not_worth_a_write() -> None:
    usage = seen(NOW - 10, NOW - DAY)
    window = Window(NOW - LATE, NOW + HOUR, NOW)
    hour = NOW // HOUR * HOUR
    assert usage_after(seen(hour + 5, NOW - DAY), hour + 3599, window, "", NOW) == seen(hour + 5, NOW - DAY)
    later = usage_after(usage, NOW + HOUR, window, "", NOW + HOUR)
    assert later.last_used == shown_time(int(NOW + HOUR))
    assert later.since == usage.since


def test_a_gap_moves_the_beginning_and_keeps_the_last_use() -> None:
    usage = seen(NOW - 50 * DAY, NOW - 90 * DAY)
    after = usage_after(usage, None, Window(NOW - LOOKBACK, NOW, NOW - 40 * DAY), "", NOW)
    assert after.last_used == usage.last_used
    assert after.since == shown_time(int(NOW - LOOKBACK))


@pytest.mark.parametrize("known_until", [None, NOW - HOUR])
def test_the_first_one_says_from_when_on_it_knows(known_until: float | None) -> None:
    created = shown_time(int(NOW - HOUR / 2))
    after = usage_after(None, None, Window(NOW - DAY, NOW, known_until), created, NOW)
    assert after == UsageStatus(observed_at=shown_time(int(NOW)), since=created)


@dataclass
class History:
    """A SearchAccess that is used now and then, an index that keeps events for a while, and looks at times."""

    random: Random
    retention: float
    created: float = 0.0
    uses: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    usage: UsageStatus | None = None
    known_until: float | None = None

    def look(self, now: float) -> bool:
        """Look as the operator does; say whether the index has anything."""
        events = [at for at in (*self.uses, *self.others) if now - self.retention <= at < now]
        if not events:
            return False
        created = shown_time(int(self.created))
        begin = begin_of(self.usage, created, self.known_until, now, LOOKBACK)
        first = min(events) if needs_first(begin, self.known_until, now) else begin
        window = Window(max(begin, first), min(max(events), now), self.known_until)
        found = [at for at in events if at in self.uses and begin <= at < now]
        self.usage = usage_after(self.usage, max(found, default=None), window, created, now)
        self.known_until = window.until
        return True

    def check(self) -> None:
        """Compare with what really happened."""
        assert self.usage is not None
        assert self.known_until is not None
        since, last = moment(self.usage.since), self.usage.last_used and moment(self.usage.last_used)
        assert since is not None
        real = [at for at in self.uses if since + 1 <= at <= self.known_until]
        if real:
            assert last
            assert max(real) // HOUR <= last // HOUR
        if last:
            assert last <= max(self.uses)


@given(st.integers(0, 2**32), st.sampled_from([2 * DAY, 10 * DAY, 100 * DAY]))
@settings(max_examples=examples(300))
def test_no_use_is_missed_in_the_time_that_is_called_known(seed: int, retention: float) -> None:
    random = Random(seed)  # noqa: S311 - generates cases
    now = NOW
    history = History(random, retention, created=NOW + random.choice([-90 * DAY, -DAY, 0.0]))
    history.uses = [NOW - random.expovariate(1 / (5 * DAY)) for _ in range(random.randint(0, 3))]
    for _ in range(random.randint(1, 30)):
        before = now
        now += random.choice([60.0, HOUR, HOUR, DAY, 20 * DAY, 60 * DAY])
        for _ in range(random.randint(0, 2)):
            # The shipper may be late.
            history.uses.append(random.uniform(before - 0.9 * LATE, now))
        if random.random() < 0.8:
            history.others.append(now - random.uniform(0, 60))
        if random.random() < 0.2:
            # A process that starts anew knows what statuses say: rounded, and up to a day old.
            history.known_until = history.known_until and history.known_until - random.uniform(0, DAY)
        if random.random() < 0.8 and history.look(now):
            history.check()
