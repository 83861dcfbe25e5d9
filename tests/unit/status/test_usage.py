"""What statuses say about the last use, and about the audit events."""

from typing import Any

import pytest

from searchaccess.api.accesses.usagestatus import AuditStatus
from searchaccess.api.status import Identity, SearchAccessStatus
from searchaccess.core.status.aspects.usage import AuditFacts, build_audit, kept_usage
from tests.unit.builders import LATER, MUCH_LATER, NOW

AT = 1_767_261_600.0
"""NOW, in seconds since the epoch."""


def a_status(**more: Any) -> SearchAccessStatus:
    usage = {"lastUsed": NOW, "observedAt": NOW, "since": NOW}
    return SearchAccessStatus.read({"conditions": [], "usage": usage} | more)


@pytest.mark.parametrize(
    ("had", "identity", "cluster", "kept"),
    [
        ({}, None, "", True),
        ({"identity": {"principal": "a"}}, Identity(principal="a"), "one", True),
        ({"identity": {"principal": "a"}}, Identity(principal="b"), "one", False),
        ({"identity": {"principal": "a"}}, None, "one", True),
        ({"elasticsearch": {"specHash": "h", "clusterUuid": "one"}}, None, "one", True),
        ({"elasticsearch": {"specHash": "h", "clusterUuid": "one"}}, None, "", True),
        ({"elasticsearch": {"specHash": "h", "clusterUuid": "one"}}, None, "two", False),
    ],
)
def test_the_last_use_stays_as_long_as_it_is_of_the_same_caller_there(
    had: dict[str, Any], identity: Identity | None, cluster: str, *, kept: bool
) -> None:
    status = a_status(**had)
    assert kept_usage(status, identity, cluster) == (status.usage if kept else None)


def test_the_last_use_of_a_former_subject_is_not_that_of_one_who_is_not_known() -> None:
    status = a_status(subject="orders@acme-shop")
    assert kept_usage(status, None, "one", "orders@acme-shop") == status.usage
    assert kept_usage(status, None, "one", "other@acme-shop") is None


KNOWN = AuditStatus(index="audit", observed_until=NOW)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (None, None),
        (AuditFacts("audit"), KNOWN),
        (AuditFacts("audit", AT + 3600), KNOWN),
        (AuditFacts("audit", AT + 86400), AuditStatus(index="audit", observed_until=MUCH_LATER)),
        (AuditFacts("other"), None),
        (AuditFacts("other", AT + 3600), AuditStatus(index="other", observed_until=LATER)),
    ],
)
def test_until_when_events_were_read_is_written_once_a_day(
    facts: AuditFacts | None, expected: AuditStatus | None
) -> None:
    assert build_audit(facts, KNOWN) == expected
