"""When rights are in force: what is read from a spec, and what that says at a time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchaccess.api.times.moments import LAST, moment
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.timeboxes.timebox import (
    ALWAYS,
    LEAD,
    NOT_COMPARED,
    UNLIMITED,
    Term,
    TimeBox,
    Validity,
    shown_time,
    time_box_in,
    validity_at,
)
from searchaccess.core.model.timeboxes.windows import Schedule
from tests.unit.builders import a_search_access

T = 1_801_353_600
"""2027-01-31T00:00:00Z."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2027-01-31T00:00:00Z", T),
        ("2027-01-31t00:00:00z", T),
        ("2027-01-31T01:00:00+01:00", T),
        ("2027-01-30T12:00:00-12:00", T),
        ("2027-01-31T00:00:00.5Z", T + 0.5),
        ("2027-01-31T00:00:00.123456789Z", T + 0.123456789),
        ("2028-02-29T00:00:00Z", 1_835_395_200),
        ("9999-12-31T23:59:59Z", LAST),
        ("9999-12-31T23:59:59-23:59", LAST),
        ("1969-12-31T23:59:59Z", 0),
        ("0001-01-01T00:00:00+23:59", 0),
    ],
)
def test_times_as_rfc_3339_has_them(text: str, seconds: float) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "tomorrow", "2027-01-31", "2027-01-31T00:00:00", "2027-01-31 00:00:00Z", "20270131T000000Z",
        "2027-W04-7T00:00:00Z", "2027-02-30T00:00:00Z", "2027-02-29T00:00:00Z", "2027-13-01T00:00:00Z",
        "2027-01-31T24:00:00Z", "2027-01-31T23:59:60Z", "2027-01-31T00:00:00+24:00", "2027-01-31T00:00:00+0100",
        "2027-01-31T00:00Z", "2027-01-31T00:00:00Z\n", " 2027-01-31T00:00:00Z", "2027-01-31T00:00:00,5Z",
        "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2027-01-31T00:00:00Z", "\uff12\uff1027-01-31T00:00:00Z",
        "2027-01-31T00:00:00.1234567890Z", "9" * 10_000, "2027-01-31T00:00:00Z" + "0" * 10_000,
    ],
)  # fmt: skip
def test_nothing_else_is_a_time(text: str) -> None:
    assert moment(text) is None
    for field in ("validFrom", "validUntil"):
        box = time_box_in({field: text})
        assert box.problem.startswith(f"spec.{field}: write a time")
        assert validity_at(box, T) == Validity(Term.UNREADABLE)


@pytest.mark.parametrize("value", [None, 0, T, 1.5, True, [], {}, ["2027-01-31T00:00:00Z"], {"a": 1}])
def test_what_is_no_text_denies(value: Any) -> None:
    assert time_box_in({"validUntil": value}).problem
    assert time_box_in({"validFrom": value}).problem


@pytest.mark.parametrize(
    ("spec", "box"),
    [
        ({}, UNLIMITED),
        ({"validFrom": "2027-01-31T00:00:00Z"}, TimeBox(begins=T)),
        ({"validUntil": "2027-01-31T00:00:00Z"}, TimeBox(ends=T)),
        ({"validFrom": "2027-01-31T00:00:00.5Z", "validUntil": "2027-01-31T00:00:09.9Z"}, TimeBox(T + 1, T + 9)),
    ],
)
def test_fractions_of_a_second_never_make_it_longer(spec: dict[str, str], box: TimeBox) -> None:
    assert time_box_in(spec) == box


@pytest.mark.parametrize("until", ["2027-01-31T00:00:00Z", "2027-01-31T00:00:00+01:00", "1970-01-01T00:00:00Z"])
def test_an_end_that_is_not_after_the_beginning_denies(until: str) -> None:
    raw = a_search_access(validFrom="2027-01-31T00:00:00Z", validUntil=until)
    access = access_from_object(raw)
    assert "validUntil must be later than validFrom" in access.invalid
    assert validity_at(access.time_box, T).term is Term.UNREADABLE


@pytest.mark.parametrize(
    ("box", "now", "validity"),
    [
        (UNLIMITED, T, ALWAYS),
        (TimeBox(T, T + 10), T - LEAD - 1, Validity(Term.NOT_YET, T)),
        (TimeBox(T, T + 10), T - LEAD, Validity(Term.NOT_YET, T, is_near=True)),
        (TimeBox(T, T + 10), T, Validity(Term.IN_FORCE, T + 10)),
        (TimeBox(T, T + 10), T + 9.9, Validity(Term.IN_FORCE, T + 10)),
        (TimeBox(T, T + 10), T + 10, Validity(Term.EXPIRED)),
        (TimeBox(begins=T), T + 1e9, Validity(Term.IN_FORCE)),
        (TimeBox(ends=T), 0, Validity(Term.IN_FORCE, T)),
        (TimeBox(ends=T), T + 1e9, Validity(Term.EXPIRED)),
    ],
)
def test_what_a_time_box_says(box: TimeBox, now: float, validity: Validity) -> None:
    assert validity_at(box, now) == validity


NIGHTLY = Schedule("0 22 * * *", "UTC", 600)
"""Closed at ``T``, which is midnight, and more than an hour around it."""


@pytest.mark.parametrize("before", [0.5, 1, LEAD - 1, LEAD, LEAD + 1, 10 * LEAD])
@pytest.mark.parametrize(
    ("box", "term"),
    [
        (TimeBox(T, T + 86_400, NIGHTLY), Term.NOT_YET),
        (TimeBox(ends=T, schedule=NIGHTLY), Term.OUTSIDE),
        (TimeBox(T), Term.NOT_YET),
        (TimeBox(T, T + 10), Term.NOT_YET),
    ],
)
def test_a_time_box_is_due_later_than_it_was_compared(box: TimeBox, term: Term, before: float) -> None:
    """Otherwise it would be compared again at once, and again, and nothing else would run meanwhile."""
    validity = validity_at(box, T - before)
    assert validity.term is term
    assert validity.due_at is not None
    assert validity.due_at > T - before


def test_an_access_that_was_not_compared_with_a_clock_says_so() -> None:
    assert access_from_object(a_search_access()).validity is ALWAYS
    access = access_from_object(a_search_access(validUntil="9999-12-31T23:59:59Z"))
    assert not access.invalid
    assert access.validity is NOT_COMPARED
    assert not access.is_over


def test_a_spec_that_is_invalid_elsewhere_has_its_end() -> None:
    access = access_from_object(a_search_access(validUntil="2027-01-31T00:00:00Z", clusterCan="?"))
    assert access.invalid
    assert access.time_box == TimeBox(ends=T)


@given(st.text(max_size=60))
@example("2027-01-31T00:00:00Z")
def test_any_text_is_read_without_an_error(text: str) -> None:
    found = moment(text)
    assert found is None or 0 <= found <= LAST


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - as UTC below
def test_what_is_shown_reads_back(time: datetime) -> None:
    text = time.replace(microsecond=0, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    seconds = moment(text)
    assert seconds is not None
    assert moment(shown_time(int(seconds))) == seconds
