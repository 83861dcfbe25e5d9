"""The condition Exclusive, from what others in Elasticsearch give and from what other SearchAccesses show."""

from dataclasses import replace

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, condition_of
from searchaccess.core.rights.foreign.exclusive import NOBODY_ELSE, Exclusivity, worst_of
from searchaccess.core.rights.foreign.givers import MOST, Giver
from searchaccess.core.rights.foreign.shadows import Shadow
from searchaccess.core.rights.widened import NOT_WIDENED, Widened, Widening
from searchaccess.core.status.aspects.exclusive import build_exclusive, mark_exclusive, recalled_shadows
from searchaccess.core.status.conditions import Conditions
from tests.unit.builders import a_grant, an_access

NOW = "2026-01-01T00:00:00Z"
BROADER = Exclusivity(Reason.BROADER_THAN_DECLARED, "role mapping ops gives role superuser: all indices")
TO_OTHERS = Exclusivity(Reason.ROLE_GIVEN_TO_OTHERS, "user eve has role r")
UNSEEN = Exclusivity(Reason.CANNOT_BE_SEEN, "role mapping ops gives role x, which cannot be seen")
SAME = Exclusivity(Reason.NOT_BROADER, "role mapping ops gives role same")
WIDENED = Widened(by=(Widening("a", "b", "documents"),))
TOO_MANY = Widened(unknown="too many")


def marked(
    found: Exclusivity | None, widened: Widened | None, before: SearchAccessStatus | None = None
) -> tuple[SearchAccessStatus, str]:
    """Return the new status, and its condition in short."""
    previous = before or SearchAccessStatus()
    conditions = Conditions(previous, 1, NOW)
    mark_exclusive(conditions, an_access("orders", grants=[a_grant("orders-*")]), found, widened, previous)
    status = SearchAccessStatus(conditions=conditions.build())
    condition = condition_of(status, ConditionType.EXCLUSIVE)
    return status, f"{condition.status} {condition.reason} {condition.message}" if condition else ""


@pytest.mark.parametrize(
    ("found", "widened", "said"),
    [
        (NOBODY_ELSE, NOT_WIDENED, ""),
        (BROADER, NOT_WIDENED, f"False BroaderThanDeclared {BROADER.message}"),
        (BROADER, WIDENED, f"False BroaderThanDeclared {BROADER.message}; {WIDENED.message}"),
        (NOBODY_ELSE, WIDENED, f"False WidenedBy {WIDENED.message}"),
        (TO_OTHERS, WIDENED, f"False WidenedBy {WIDENED.message}; {TO_OTHERS.message}"),
        (UNSEEN, WIDENED, f"False WidenedBy {WIDENED.message}; {UNSEEN.message}"),
        (SAME, WIDENED, f"False WidenedBy {WIDENED.message}"),
        (SAME, NOT_WIDENED, f"True NotBroader {SAME.message}"),
        (SAME, TOO_MANY, "Unknown CannotBeSeen too many"),
        (UNSEEN, TOO_MANY, f"Unknown CannotBeSeen {UNSEEN.message}; too many"),
        (None, WIDENED, f"False WidenedBy {WIDENED.message}"),
        (BROADER, None, f"False BroaderThanDeclared {BROADER.message}"),
        (None, None, ""),
    ],
)
def test_the_most_important_is_the_reason(found: Exclusivity | None, widened: Widened | None, said: str) -> None:
    assert marked(found, widened)[1] == said


@pytest.mark.parametrize(("found", "widened"), [(None, NOT_WIDENED), (NOBODY_ELSE, None), (None, None)])
def test_it_stays_until_all_is_examined(found: Exclusivity | None, widened: Widened | None) -> None:
    before, said = marked(BROADER, WIDENED)
    assert marked(found, widened, before)[1] == said
    assert marked(NOBODY_ELSE, NOT_WIDENED, before)[1] == ""


# Each of them, one by one

OPS = Giver(Reason.BROADER_THAN_DECLARED, "RoleMapping", "ops", "superuser", BROADER.message)
BY = Widened(
    by=(Widening("SearchAccess shop/orders (a-*)", "SearchAccess bank/all (*)", "documents"),),
    others=(Widening("SearchAccess bank/all (*)", "SearchAccess shop/orders (a-*)", "fields"),),
)


def named(
    found: Exclusivity | None, widened: Widened | None, before: SearchAccessStatus | None = None, **spec: object
) -> list[tuple[str, str, str]] | None:
    access = an_access("orders", grants=[a_grant("orders-*")], **spec)
    status = build_exclusive(access, found, widened, before or SearchAccessStatus())
    return None if status is None else [(each.reason, each.kind, each.name) for each in status.sources]


def test_each_who_gives_more_is_named_once_the_most_important_first() -> None:
    broader = Exclusivity(Reason.BROADER_THAN_DECLARED, OPS.text, (OPS,))
    assert named(broader, BY) == [
        ("BroaderThanDeclared", "RoleMapping", "ops"),
        ("WidenedBy", "SearchAccess", "bank/all"),
    ]
    assert named(NOBODY_ELSE, NOT_WIDENED) is None
    assert named(SAME, NOT_WIDENED) is None


def test_they_stay_until_all_is_examined() -> None:
    broader = Exclusivity(Reason.BROADER_THAN_DECLARED, OPS.text, (OPS,), 2)
    conditions, _ = marked(broader, NOT_WIDENED)
    access = an_access("orders", grants=[a_grant("orders-*")])
    exclusive = build_exclusive(access, broader, NOT_WIDENED, SearchAccessStatus())
    assert exclusive is not None
    assert exclusive.unlisted == 2
    before = conditions.model_copy(update={"exclusive": exclusive})
    assert named(None, NOT_WIDENED, before) == named(NOBODY_ELSE, None, before) == named(broader, NOT_WIDENED)
    assert named(NOBODY_ELSE, NOT_WIDENED, before) is None


def test_what_is_deleted_or_has_a_key_of_its_own_has_none() -> None:
    broader = Exclusivity(Reason.BROADER_THAN_DECLARED, OPS.text, (OPS,))
    assert named(broader, NOT_WIDENED, deleted_at=NOW) is None


# A role in a file that is in force instead of the principal's

SHADOW = Shadow("searchaccess.default.orders", "role searchaccess.default.orders in a file of a node is in force")
SHADOWED = replace(BROADER, givers=(OPS,), shadows=(SHADOW,))
NOT_ASKED = replace(NOBODY_ELSE, shadows=None)


def shadowed() -> tuple[SearchAccessStatus, str]:
    """Return a status that says so, and its condition in short."""
    status, said = marked(SHADOWED, NOT_WIDENED)
    access = an_access("orders", grants=[a_grant("orders-*")])
    exclusive = build_exclusive(access, SHADOWED, NOT_WIDENED, SearchAccessStatus())
    return status.model_copy(update={"exclusive": exclusive}), said


def test_a_shadow_comes_before_all_else() -> None:
    status, said = shadowed()
    assert said == f"False Shadowed {SHADOW.text}; {BROADER.message}"
    assert named(SHADOWED, NOT_WIDENED) == [
        ("Shadowed", "FileRole", SHADOW.role),
        ("BroaderThanDeclared", "RoleMapping", "ops"),
    ]
    assert recalled_shadows(status) == (SHADOW,)
    many = tuple(replace(OPS, name=f"ops-{number}") for number in range(MOST + 1))
    assert (named(replace(SHADOWED, givers=many), BY) or [])[0][0] == "Shadowed", "it is always listed"


def test_a_shadow_stays_until_elasticsearch_is_asked_again() -> None:
    before, _ = shadowed()
    assert marked(NOT_ASKED, NOT_WIDENED, before)[1] == f"False Shadowed {SHADOW.text}"
    assert named(NOT_ASKED, NOT_WIDENED, before) == [("Shadowed", "FileRole", SHADOW.role)]
    assert marked(NOBODY_ELSE, NOT_WIDENED, before)[1] == ""
    assert marked(NOT_ASKED, NOT_WIDENED)[1] == ""


def test_of_several_principals_the_shadows_of_all_count_once_all_were_asked_about() -> None:
    other = Shadow("searchaccess.default.bills", "another")
    both = worst_of([SHADOWED, replace(NOBODY_ELSE, shadows=(other,))])
    assert both is not None
    assert both.shadows == (other, SHADOW)
    half = worst_of([replace(NOBODY_ELSE, shadows=(other,)), NOT_ASKED])
    assert half is not None
    assert half.shadows is None
