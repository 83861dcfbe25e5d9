"""Role mappings of others: whether they surely give a caller rights."""

from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.rights.foreign import ForeignMapping, foreign_mapping, given_by_others, user_of
from searchaccess.core.rights.mapping import mapping_of

ORDERS = "orders@acme-shop.iam.gserviceaccount.com"
SUBJECT = "104567890123456789012"
NAME: dict[str, Any] = {"field": {"username": ORDERS}}
OTHER: dict[str, Any] = {"field": {"username": "other"}}
GROUP: dict[str, Any] = {"field": {"groups": "admins"}}
REALM: dict[str, Any] = {"field": {"realm.name": "google"}}
ELSEWHERE: dict[str, Any] = {"field": {"realm.name": "ldap1"}}


def _mapping(rules: Any, **more: Any) -> ForeignMapping | None:
    raw = {"enabled": True, "roles": ["superuser"], "rules": rules, "metadata": {}} | more
    return foreign_mapping(mapping_of("ops", raw), "google")


def _applies(rules: Any, principal: str = ORDERS, claim: PrincipalClaim = PrincipalClaim.EMAIL) -> bool:
    found = _mapping(rules)
    return found is not None and bool(given_by_others([found], user_of(principal, "google", claim)))


APPLIES: dict[str, Any] = {
    "its name": NAME,
    "its address": {"field": {"metadata.jwt_claim_email": ORDERS}},
    "one of several names": {"field": {"username": ["other", ORDERS]}},
    "everybody": {"field": {"username": "*"}},
    "a wildcard": {"field": {"username": "*@acme-shop.*"}},
    "a wildcard of one": {"field": {"username": "order?@*"}},
    "everybody of the realm": REALM,
    "all": {"all": [REALM, NAME]},
    "all of nothing": {"all": []},
    "any": {"any": [GROUP, NAME]},
    "not another": {"all": [REALM, {"except": OTHER}]},
    "deep": {"any": [{"all": [{"any": [{"all": [NAME]}]}]}]},
}
NOT_SURELY: dict[str, Any] = {
    "another name": OTHER,
    "a part of its name": {"field": {"username": "orders"}},
    "other letters": {"field": {"username": ORDERS.upper()}},
    "without a star a question mark is one": {"field": {"username": ORDERS.replace("orders", "order?")}},
    "another realm": {"all": [NAME, ELSEWHERE]},
    "groups": GROUP,
    "all with groups": {"all": [NAME, GROUP]},
    "not a group": {"all": [NAME, {"except": GROUP}]},
    "not itself": {"all": [REALM, {"except": NAME}]},
    "any of nothing": {"any": []},
    "a regular expression": {"field": {"username": "/.*/"}},
    "a subject that is not known": {"field": {"metadata.jwt_claim_sub": SUBJECT}},
    "no name": {"field": {"username": None}},
    "a number": {"field": {"username": 7}},
    "two fields": {"field": {"username": ORDERS, "groups": "x"}},
    "two rules": NAME | {"any": []},
    "no rules": {},
    "a rule of a newer release": {"most": [NAME]},
    "rules that are none": "?",
    "a list that is none": {"any": NAME},
    "rules beyond measure": {"any": [NAME] * 2000},
}


@pytest.mark.parametrize("rules", APPLIES.values(), ids=APPLIES)
def test_it_surely_applies(rules: Any) -> None:
    assert _applies(rules)


@pytest.mark.parametrize("rules", NOT_SURELY.values(), ids=NOT_SURELY)
def test_it_does_not_apply_or_that_is_not_known(rules: Any) -> None:
    assert not _applies(rules)


def test_by_subject_the_subject_is_known_and_the_name_is_not() -> None:
    assert _applies({"field": {"metadata.jwt_claim_sub": SUBJECT}}, SUBJECT, PrincipalClaim.SUB)
    assert not _applies({"field": {"username": SUBJECT}}, SUBJECT, PrincipalClaim.SUB)


@pytest.mark.parametrize(
    "more", [{"enabled": False}, {"roles": []}, {"roles": None}], ids=["switched off", "no roles", "null"]
)
def test_what_gives_nothing_is_left_out(more: dict[str, Any]) -> None:
    assert _mapping(NAME, **more) is None


def test_what_is_for_another_realm_is_left_out() -> None:
    assert _mapping({"all": [ELSEWHERE, GROUP]}) is None
    assert _mapping({"any": [ELSEWHERE, GROUP]}) is not None


def test_it_is_named_with_what_it_gives() -> None:
    found = _mapping(NAME, roles=["a", "b", "c", "d"])
    assert found is not None
    assert found.text == "role mapping ops (a, b, c and 1 more)"
    template = {"template": {"source": "{{username}}"}}
    found = _mapping(NAME, roles=[], role_templates=[template])
    assert found is not None
    assert found.text == "role mapping ops (roles from templates)"
