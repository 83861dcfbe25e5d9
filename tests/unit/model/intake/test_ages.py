"""Whether something was there before an object was."""

from typing import Any

import pytest

from searchaccess.core.model.intake.ages import predates

CREATED = "2026-01-02T10:00:00Z"


@pytest.mark.parametrize(
    ("moment", "before"),
    [
        ("2026-01-01T10:00:00Z", True),
        ("2026-01-02T09:54:59Z", True),
        ("2026-01-02T09:55:01Z", False),
        ("2026-01-02T10:00:00Z", False),
        ("2026-01-03T10:00:00Z", False),
        ("1 o'clock", False),
        ("", False),
        (None, False),
        (7, False),
        ("2026-01-01T10:00:00", False),
    ],
)
def test_what_is_surely_before_an_object_predates_it(moment: Any, *, before: bool) -> None:
    assert predates(moment, CREATED) is before


@pytest.mark.parametrize("created", ["", None, "soon"])
def test_where_it_is_not_known_when_it_was_created_nothing_does(created: Any) -> None:
    assert not predates("2026-01-01T10:00:00Z", created)
