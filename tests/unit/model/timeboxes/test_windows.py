"""Windows in which rights are in force: what is read, and what it says when clocks change."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchaccess.api.times.moments import LAST
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.timeboxes.timebox import Term, TimeBox, Validity, time_box_in, validity_at
from searchaccess.core.model.timeboxes.windows import Schedule, Window, schedule_in, window_at
from tests.unit.builders import a_search_access

HOUR = 3600
WORKDAYS: dict[str, Any] = {"cron": "0 8 * * MON-FRI", "timeZone": "Europe/Berlin", "duration": "10h"}


def at(text: str, zone: str = "Europe/Berlin", *, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


@pytest.mark.parametrize(
    ("time", "is_open", "until"),
    [
        ("2026-11-27T07:59:59", False, "2026-11-27T08:00:00"),
        ("2026-11-27T08:00:00", True, "2026-11-27T18:00:00"),
        ("2026-11-27T17:59:59", True, "2026-11-27T18:00:00"),
        ("2026-11-27T18:00:00", False, "2026-11-30T08:00:00"),
        ("2026-11-29T12:00:00", False, "2026-11-30T08:00:00"),
        # Clocks are set forward on Sunday the 29th of March 2026, and back on Sunday the 25th of October.
        ("2026-03-29T12:00:00", False, "2026-03-30T08:00:00"),
        ("2026-10-25T12:00:00", False, "2026-10-26T08:00:00"),
    ],
)
def test_working_hours(time: str, is_open: bool, until: str) -> None:  # noqa: FBT001 - a column of the table
    assert window_at(schedule_in(WORKDAYS), at(time)) == Window(is_open, at(until))


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "now", "is_open", "until"),
    [
        pytest.param(
            "30 2 * * *", at("2026-03-29T01:59:59"), False, at("2026-03-29T03:00:00"), id="in an hour that is left out",
        ),
        pytest.param(
            "30 2 * * *", at("2026-03-29T03:00:00"), True, at("2026-03-29T04:00:00"), id="it begins when that is over",
        ),
        pytest.param(
            "30 2 * * *", at("2026-10-25T02:29:59"), False, at("2026-10-25T02:30:00"), id="before an hour comes twice",
        ),
        pytest.param(
            "30 2 * * *", at("2026-10-25T02:30:00"), True, at("2026-10-25T02:30:00") + HOUR, id="the first time",
        ),
        pytest.param(
            "30 2 * * *", at("2026-10-25T02:15:00", fold=1), True, at("2026-10-25T02:30:00") + HOUR,
            id="it lasts as long as on any other day",
        ),
        pytest.param(
            "30 2 * * *", at("2026-10-25T02:30:00", fold=1), False, at("2026-10-26T02:30:00"),
            id="it does not begin a second time",
        ),
        pytest.param(
            "0 1 * * *", at("2026-03-29T01:30:00"), True, at("2026-03-29T03:00:00"), id="over an hour that is left out",
        ),
        pytest.param(
            "*/20 2 * * *", at("2026-10-25T02:45:00", fold=1), True, at("2026-10-25T02:40:00", fold=1) + HOUR,
            id="every 20 minutes of an hour, twice as well",
        ),
        pytest.param(
            "*/20 2 * * *", at("2026-03-29T01:30:00"), False, at("2026-03-30T02:00:00"),
            id="they do not begin in an hour that is left out",
        ),
        pytest.param(
            "0 0 * * *", at("2026-10-25T00:30:00"), True, at("2026-10-25T01:00:00"), id="before the change of a day",
        ),
    ],
)  # fmt: skip
def test_when_clocks_change(cron: str, now: int, is_open: bool, until: int) -> None:  # noqa: FBT001 - a column
    assert window_at(Schedule(cron, BERLIN, HOUR), now) == Window(is_open, until)


@pytest.mark.parametrize("fold", [0, 1])
def test_each_hour_begins_one_and_the_repeated_hour_too(fold: int) -> None:
    now, half = at("2026-10-25T02:45:00", fold=fold), HOUR // 2
    assert window_at(Schedule("30 * * * *", BERLIN, half), now) == Window(is_open=True, until=now + half // 2)


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-11-01"), ("America/Havana", "2026-03-08"),
     ("Asia/Kathmandu", "2026-10-25"), ("UTC", "2026-10-25")],
)  # fmt: skip
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 0 * * *", "*/20 * * * *", "0 */2 * * *", "45 1-3 * * SUN"])
def test_a_boundary_lies_ahead_and_nothing_changes_before_it(cron: str, zone: str, day: str) -> None:
    schedule, now = Schedule(cron, zone, 600), at(f"{day}T00:00:00", zone) - HOUR
    for time in range(now, now + 6 * HOUR, 613):
        window = window_at(schedule, time)
        assert window.until is not None
        assert window.until > time
        assert window_at(schedule, window.until - 1).is_open == window.is_open
        assert window_at(schedule, window.until).is_open is not window.is_open


@pytest.mark.parametrize(
    ("cron", "duration", "hours"),
    [("* * * * *", 60, 1), ("0 * * * *", HOUR, 48), ("0 * * * *", 2 * HOUR, 48), ("0 0 * * *", 24 * HOUR, 1000)],
)
def test_of_windows_that_touch_or_overlap_only_the_last_end_counts(cron: str, duration: int, hours: int) -> None:
    now = at("2026-11-27T10:30:30", "UTC")
    window = window_at(Schedule(cron, "UTC", duration), now)
    assert window.is_open
    assert window.until is not None
    assert window.until >= now - now % 60 + hours * HOUR


def test_windows_that_touch_end_with_the_last_of_them() -> None:
    schedule = Schedule("*/10 8-9 * * *", "UTC", 600)
    first, last = at("2026-11-27T08:00:00", "UTC"), at("2026-11-27T10:00:00", "UTC")
    for time in range(first, last, 300):
        assert window_at(schedule, time) == Window(is_open=True, until=last)
    assert window_at(schedule, last) == Window(is_open=False, until=first + 24 * HOUR)


def test_windows_that_overlap_are_one() -> None:
    schedule, now = Schedule("0 * * * *", "UTC", 2 * HOUR), at("2026-11-27T10:30:00", "UTC")
    for time in range(now, now + 24 * HOUR, 600):
        assert window_at(schedule, time).is_open


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cron": "0 8 * *"}, "five fields"),
        ({"cron": "0 0 8 * * *"}, "five fields"),
        ({"cron": "@daily"}, "five fields"),
        ({"cron": "60 8 * * *"}, "bad minute"),
        ({"cron": "0 8 * * FUNDAY"}, "bad day-of-week"),
        ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
        ({"cron": "0 0 */30 2 0#5"}, "never begins"),
        ({"cron": None}, "null is not a value"),
        ({"cron": 5}, "valid string"),
        ({"cron": "0 8 * * *" + ",1" * 1000}, "at most 100"),
        ({"timeZone": "Europe/Atlantis"}, "time zone"),
        ({"timeZone": "Europe"}, "time zone"),
        ({"timeZone": "../../etc/passwd"}, "time zone"),
        ({"timeZone": "Europe/../UTC"}, "time zone"),
        ({"timeZone": ""}, "time zone"),
        ({"timeZone": None}, "null is not a value"),
        ({"duration": "0s"}, "duration"),
        ({"duration": "59s"}, "duration"),
        ({"duration": "8761h"}, "duration"),
        ({"duration": "ever"}, "duration"),
        ({"duration": 5}, "valid string"),
    ],
)
def test_what_cannot_be_read_denies_and_says_what_to_write(changes: dict[str, Any], says: str) -> None:
    access = access_from_object(a_search_access(schedule=WORKDAYS | changes))
    assert says in access.invalid.lower()
    assert validity_at(access.time_box, at("2026-11-27T10:00:00")).term is Term.UNREADABLE


@pytest.mark.parametrize("raw", [None, "", [], 5, {}, {"cron": {}}])
def test_a_schedule_that_is_none_denies(raw: Any) -> None:
    assert time_box_in({"schedule": raw}).problem.startswith("spec.schedule")


def test_a_schedule_is_refused_for_a_stored_credential() -> None:
    key: dict[str, Any] = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders-key"}}
    access = access_from_object(a_search_access(schedule=WORKDAYS, **key))
    assert "use auth: IdentityToken" in access.invalid


def never(term: Term, changes_at: int) -> Validity:
    """Return what is said where no rights begin at the next change."""
    return Validity(term, changes_at, is_begin=False)


@pytest.mark.parametrize(
    ("box", "now", "validity"),
    [
        ((None, None), "2026-11-27T10:00:00", Validity(Term.IN_FORCE, at("2026-11-27T18:00:00"))),
        ((None, None), "2026-11-27T20:00:00", Validity(Term.OUTSIDE, at("2026-11-30T08:00:00"))),
        ((None, "2026-11-27T12:00:00"), "2026-11-27T10:00:00", Validity(Term.IN_FORCE, at("2026-11-27T12:00:00"))),
        ((None, "2026-11-28T12:00:00"), "2026-11-27T20:00:00", never(Term.OUTSIDE, at("2026-11-28T12:00:00"))),
        ((None, "2026-11-28T12:00:00"), "2026-11-28T12:00:00", Validity(Term.EXPIRED)),
        (("2026-11-28T12:00:00", None), "2026-11-27T10:00:00", never(Term.NOT_YET, at("2026-11-28T12:00:00"))),
    ],
)
def test_windows_between_a_beginning_and_an_end(
    box: tuple[str | None, str | None], now: str, validity: Validity
) -> None:
    begins, ends = (None if text is None else at(text) for text in box)
    assert validity_at(TimeBox(begins, ends, schedule_in(WORKDAYS)), at(now)) == validity


def test_at_the_end_of_all_calendars_nothing_is_open() -> None:
    assert window_at(schedule_in(WORKDAYS), LAST) == Window(is_open=False, until=None)


_FIELD = st.text("0123456789*,-/#LWMON", min_size=1, max_size=12)


@given(st.lists(_FIELD, min_size=5, max_size=5).map(" ".join))
@example("0 0 * 2 1#5")
@example("0 0 */31 2 1#5")
@example("1-59/7 3 29 2 */6")
@example("0 0 L/2 * LW/3")
def test_any_cron_is_read_or_refused_and_gives_a_boundary_ahead(cron: str) -> None:
    try:
        schedule = schedule_in(WORKDAYS | {"cron": cron})
    except ValueError:
        return
    now = at("2026-11-27T10:00:00")
    window = window_at(schedule, now)
    assert window.until is None or window.until > now
