"""Access that must end: `require.validUntil`, and the ends of exceptions."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from searchaccess.api.searchaccesspolicy import PolicyException
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.policy.guardrails.ends import end_of
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.unit.builders import an_access
from tests.unit.policy.guardrails.test_verdicts import a_policy

CREATED = "2027-01-31T08:00:00Z"
EIGHT_HOURS = a_policy(require={"validUntil": "8h"})
WRITE = "write 2027-01-31T16:00:00Z or an earlier time, at most 8h after it was created; for a later end, also write "
WINDOWS = {"cron": "0 8 * * MON-FRI", "timeZone": "UTC", "duration": "1h"}


def reasons(created: str = CREATED, **spec: Any) -> tuple[str, ...]:
    [outcome] = (
        Guardrails([EIGHT_HOURS])
        .judge(Question(replace(an_access(**spec), created_at=created), None, datetime(2027, 1, 1, tzinfo=UTC)))
        .outcomes
    )
    return tuple(outcome.reasons)


@pytest.mark.parametrize(
    "spec",
    [
        {"validUntil": "2027-01-31T16:00:00Z"},
        {"validUntil": "2027-01-31T16:00:00.999Z"},
        {"validUntil": "2027-01-31T17:00:00+01:00"},
        {"validUntil": "2027-01-01T00:00:00Z"},
        {"validFrom": "2027-03-01T00:00:00Z", "validUntil": "2027-03-01T08:00:00Z"},
        {"validFrom": "2027-01-31T10:00:00.5Z", "validUntil": "2027-01-31T18:00:01Z"},
        {"validUntil": "2027-01-31T16:00:00Z", "schedule": WINDOWS},
    ],
)
def test_an_end_within_the_duration_is_accepted(spec: dict[str, Any]) -> None:
    assert reasons(**spec) == ()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, f"validUntil is required: {WRITE}validFrom"),
        ({"schedule": WINDOWS}, f"validUntil is required: {WRITE}validFrom"),
        ({"validUntil": "2027-01-31T16:00:01Z"}, f"validUntil: 2027-01-31T16:00:01Z is too late: {WRITE}validFrom"),
        (
            {"validFrom": "2027-03-01T00:00:00Z"},
            "validUntil is required: write 2027-03-01T08:00:00Z or an earlier time, at most 8h after validFrom",
        ),
        (
            {"validFrom": "2027-03-01T00:00:00Z", "validUntil": "2027-03-01T08:00:01Z"},
            (
                "validUntil: 2027-03-01T08:00:01Z is too late: write 2027-03-01T08:00:00Z or an earlier time, at "
                "most 8h after validFrom"
            ),
        ),
        (
            # The duration does not begin anew because validFrom is before the creation.
            {"validFrom": "2027-01-31T07:00:00Z", "validUntil": "2027-01-31T16:00:00Z"},
            (
                "validUntil: 2027-01-31T16:00:00Z is too late: write 2027-01-31T15:00:00Z or an earlier time, at "
                "most 8h after validFrom"
            ),
        ),
    ],
)
def test_what_does_not_end_or_ends_too_late_is_refused_with_the_latest_time(spec: dict[str, Any], says: str) -> None:
    assert reasons(**spec) == (says,)


def test_the_end_of_all_calendars_is_no_error() -> None:
    assert reasons(validFrom="9999-12-31T23:59:58Z") == (
        "validUntil is required: write 9999-12-31T23:59:59Z or an earlier time, at most 8h after validFrom",
    )


@pytest.mark.parametrize("created", ["", "yesterday"])
def test_without_a_known_time_of_creation_nothing_is_assumed(created: str) -> None:
    assert "it is not known when the SearchAccess was created" in reasons(created, validUntil=CREATED)[0]
    assert reasons(created, validFrom=CREATED, validUntil="2027-01-31T16:00:00Z") == ()


@pytest.mark.parametrize("until", ["2027-01-31T16:00:00Z", "2027-01-31T16:00:01Z"])
def test_the_answer_does_not_depend_on_the_current_time(until: str) -> None:
    access = replace(an_access(validUntil=until), created_at=CREATED)
    verdicts = {
        Guardrails([EIGHT_HOURS]).judge(Question(access, None, datetime(year, 1, 31, 16, tzinfo=UTC)))
        for year in (1971, 2027, 2028, 9999)
    }
    assert len(verdicts) == 1


def test_a_later_end_again_and_again_does_not_get_beyond_the_duration() -> None:
    """Only a new validFrom, or a new SearchAccess, begins the duration anew."""
    ends = [f"2027-01-{day}T{hour:02}:00:00Z" for day in (31,) for hour in range(9, 24)]
    accepted = [end for end in ends if not reasons(validUntil=end)]
    assert accepted == [end for end in ends if end <= "2027-01-31T16:00:00Z"]


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("2027-01-31T00:00:00Z", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31t01:00:00+01:00", datetime(2027, 1, 31, tzinfo=UTC)),
        # The API server accepts them, and earlier versions of the operator did.
        ("2027-01-31T00:00:00,5Z", datetime(2027, 1, 31, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2027-01-31T00:00:00.50000000001Z", datetime(2027, 1, 31, 0, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_exceptions_end_at_every_time_that_is_stored(until: str, end: datetime) -> None:
    exception = PolicyException(namespace="shop", name="orders", reason="migration", until=until)
    assert end_of(exception) == end
    policy = a_policy(require={"validUntil": "8h"}, exceptions=[exception.to_json()])
    assert not policy.invalid
    [outcome] = Guardrails([policy]).judge(Question(an_access(), None, datetime(2026, 1, 1, tzinfo=UTC))).outcomes
    assert outcome.outcome is Outcome.EXEMPT


@pytest.mark.parametrize(
    "until", ["2027-W04-7T00:00:00Z", "20270131T000000Z", "2027-01-31 00:00:00Z", "2027-01-31T00:00Z"]
)
def test_what_is_no_time_in_rfc_3339_ends_no_exception(until: str) -> None:
    assert (
        "spec.exceptions[0].until"
        in a_policy(
            require={"validUntil": "8h"},
            exceptions=[{"namespace": "shop", "name": "orders", "reason": "migration", "until": until}],
        ).invalid
    )
