"""What is said of other SearchAccesses of the principal, beside what is said of others in Elasticsearch."""

from dataclasses import replace

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Condition, SearchAccessStatus
from searchaccess.core.rights.widened import NOT_WIDENED, Widened, Widening
from searchaccess.core.status.aspects.widened import mark_widened
from searchaccess.core.status.conditions import FALSE, TRUE, Conditions
from tests.unit.builders import NOW, an_access

EXCLUSIVE = ConditionType.EXCLUSIVE
WIDENED = Widened(by=(Widening("SearchAccess a/a (x)", "SearchAccess b/b (*)", "documents"),))
TOO_MANY = Widened(unknown="too many")
TEXT = "SearchAccess b/b (*) shows documents that this one hides"
BROADER = "role mapping by-hand (superuser)"


def status_with(reason: Reason, message: str) -> SearchAccessStatus:
    conditions = Conditions(SearchAccessStatus.read({}), 1, NOW)
    conditions.mark(EXCLUSIVE, FALSE, reason, message)
    return SearchAccessStatus(conditions=conditions.build())


def said(conditions: Conditions) -> tuple[str, str, str] | None:
    found: Condition | None = next((each for each in conditions.build() if each.type == EXCLUSIVE), None)
    return (found.status, found.reason, found.message) if found else None


@pytest.fixture
def conditions() -> Conditions:
    return Conditions(status_with(Reason.WIDENED_BY, "SearchAccess c/c (*) shows it"), 1, NOW)


def test_alone_it_decides(conditions: Conditions) -> None:
    mark_widened(conditions, an_access(), NOT_WIDENED)
    assert said(conditions) is None
    mark_widened(conditions, an_access(), TOO_MANY)
    assert said(conditions) == ("Unknown", "CannotBeSeen", "too many")
    mark_widened(conditions, an_access(), WIDENED)
    assert said(conditions) == ("False", "WidenedBy", TEXT)


def test_what_was_not_planned_stays_unless_it_has_a_key(conditions: Conditions) -> None:
    mark_widened(conditions, replace(an_access(auth="ApiKey", credential={"store": "a", "name": "b"})), None)
    assert said(conditions) is None
    mark_widened(conditions, an_access(), None)
    assert said(conditions) == ("False", "WidenedBy", "SearchAccess c/c (*) shows it")


def test_beside_others_in_elasticsearch_both_are_named_once(conditions: Conditions) -> None:
    conditions.mark(EXCLUSIVE, FALSE, Reason.BROADER_THAN_DECLARED, BROADER)
    for _ in range(2):
        mark_widened(conditions, an_access(), WIDENED)
        assert said(conditions) == ("False", "BroaderThanDeclared", f"{BROADER}; {TEXT}")
    mark_widened(conditions, an_access(), NOT_WIDENED)
    assert said(conditions) == ("False", "BroaderThanDeclared", f"{BROADER}; {TEXT}"), "the other one decides about it"


def test_it_outweighs_others_that_add_nothing(conditions: Conditions) -> None:
    conditions.mark(EXCLUSIVE, TRUE, Reason.NOT_BROADER, BROADER)
    mark_widened(conditions, an_access(), NOT_WIDENED)
    assert said(conditions) == ("True", "NotBroader", BROADER)
    mark_widened(conditions, an_access(), WIDENED)
    assert said(conditions) == ("False", "WidenedBy", TEXT)


def test_a_reason_of_a_later_version_is_no_obstacle() -> None:
    later = status_with(Reason.BROADER_THAN_DECLARED, BROADER)
    [condition] = later.conditions
    newer = condition.model_copy(update={"reason": "SomethingNew"})
    conditions = Conditions(SearchAccessStatus(conditions=[newer]), 1, NOW)
    conditions.keep(EXCLUSIVE)
    mark_widened(conditions, an_access(), WIDENED)
    assert said(conditions) == ("False", "WidenedBy", f"{BROADER}; {TEXT}")


def test_what_was_kept_of_an_earlier_state_does_not_stay(conditions: Conditions) -> None:
    conditions.keep(EXCLUSIVE)
    mark_widened(conditions, an_access(), NOT_WIDENED)
    assert said(conditions) is None
