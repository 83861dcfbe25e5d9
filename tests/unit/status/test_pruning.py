"""What a CRD that is older than the operator does not keep of a status."""

from typing import Any

import pytest

from searchaccess.core.status.pruning import lost_fields, without_fields

SENT: dict[str, Any] = {
    "reason": "InSync",
    "drift": {"open": 0, "items": [{"path": "a", "action": "Reported"}, {"path": "b", "action": "Pending"}]},
}


@pytest.mark.parametrize("fields", [(), ("reason",), ("drift",), ("drift.open", "drift.items[].action")])
def test_fields_that_were_not_kept_are_found(fields: tuple[str, ...]) -> None:
    assert lost_fields(SENT, without_fields(SENT, frozenset(fields))) == frozenset(fields)


@pytest.mark.parametrize(
    "stored",
    [
        {**SENT, "reason": "Pending"},
        {**SENT, "more": 1},
        {**SENT, "drift": {"open": 0, "items": []}},
        {**SENT, "drift": None},
    ],
)
def test_what_is_otherwise_different_is_no_older_crd(stored: dict[str, Any]) -> None:
    assert lost_fields(SENT, stored) is None
