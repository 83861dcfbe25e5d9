"""Rules of role mappings: whether they apply to a caller, as far as it is known."""

from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.rights.foreign.callers import anybody_of, caller_of, named_by
from searchaccess.core.rights.foreign.mappings import ForeignMapping, foreign_mapping
from searchaccess.core.rights.mapping import mapping_of

ORDERS = "orders@acme-shop.iam.gserviceaccount.com"
SUBJECT = "104567890123456789012"
ISSUER = "https://accounts.google.com"
OURS = "searchaccess.default."
NAME: dict[str, Any] = {"field": {"username": ORDERS}}
OTHER: dict[str, Any] = {"field": {"username": "other"}}
GROUP: dict[str, Any] = {"field": {"groups": "admins"}}
REALM: dict[str, Any] = {"field": {"realm.name": "google"}}
ELSEWHERE: dict[str, Any] = {"field": {"realm.name": "ldap1"}}

EMAIL, SUB = PrincipalClaim.EMAIL, PrincipalClaim.SUB


def _mapping(
    rules: Any, claim: PrincipalClaim = EMAIL, claimed: frozenset[str] | None = frozenset(), **more: Any
) -> ForeignMapping | None:
    raw = {"enabled": True, "roles": ["superuser"], "rules": rules, "metadata": {}} | more
    return foreign_mapping(mapping_of("ops", raw), anybody_of("google", ISSUER, claimed), named_by(claim), OURS)


def _applies(
    rules: Any,
    principal: str = ORDERS,
    claim: PrincipalClaim = EMAIL,
    other: str = "",
    claimed: frozenset[str] | None = frozenset(),
) -> bool | None:
    found = _mapping(rules, claim, claimed)
    caller = caller_of(principal, OURS + principal, anybody_of("google", ISSUER, claimed), claim, other)
    if found is None or (found.only is not None and caller.named and found.only.isdisjoint(caller.names)):
        return False
    return found.applies(caller.users)


APPLIES: dict[str, Any] = {
    "its name": NAME,
    "its address": {"field": {"metadata.jwt_claim_email": ORDERS}},
    "its issuer": {"field": {"metadata.jwt_claim_iss": ISSUER}},
    "one of several names": {"field": {"username": ["other", ORDERS]}},
    "everybody": {"field": {"username": "*"}},
    "a wildcard": {"field": {"username": "*@acme-shop.*"}},
    "a wildcard of one": {"field": {"username": "order?@*"}},
    "a wildcard with an escaped character": {"field": {"username": r"orders\@*"}},
    "a regular expression": {"field": {"username": "/orders@.*/"}},
    "one of several regular expressions": {"field": {"username": ["/x.*/", "/order(s|z)@[a-z.\\-]+/"]}},
    "the complement of a regular expression": {"field": {"username": "/~(x.*)/"}},
    "everybody of the realm": REALM,
    "all": {"all": [REALM, NAME]},
    "all of nothing": {"all": []},
    "any": {"any": [GROUP, NAME]},
    "not another": {"all": [REALM, {"except": OTHER}]},
    "not in a group, where there are none": {"all": [NAME, {"except": GROUP}]},
    "no such metadata": {"field": {"metadata.department": None}},
    "no DN": {"field": {"dn": None}},
    "deep": {"any": [{"all": [{"any": [{"all": [NAME]}]}]}]},
}
DOES_NOT: dict[str, Any] = {
    "another name": OTHER,
    "a part of its name": {"field": {"username": "orders"}},
    "other letters": {"field": {"username": ORDERS.upper()}},
    "without a star a question mark is one": {"field": {"username": ORDERS.replace("orders", "order?")}},
    "another regular expression": {"field": {"username": "/bills@.*/"}},
    "a part that a regular expression matches": {"field": {"username": "/orders/"}},
    "another realm": {"all": [NAME, ELSEWHERE]},
    "groups, where there are none": GROUP,
    "no groups, which is not null": {"field": {"groups": None}},
    "any group, where there are none": {"field": {"groups": "*"}},
    "all with groups, where there are none": {"all": [NAME, GROUP]},
    "metadata that no JWT realm sets": {"field": {"metadata.department": "*"}},
    "a DN, where there is none": {"field": {"dn": "*,dc=acme"}},
    "not itself": {"all": [REALM, {"except": NAME}]},
    "any of nothing": {"any": []},
    "no name": {"field": {"username": None}},
    "a number": {"field": {"username": 7}},
    "a boolean": {"field": {"username": True}},
}
NOT_KNOWN: dict[str, Any] = {
    "a subject that is not known": {"field": {"metadata.jwt_claim_sub": SUBJECT}},
    "not a subject that is not known": {"all": [NAME, {"except": {"field": {"metadata.jwt_claim_sub": SUBJECT}}}]},
    "another claim": {"field": {"metadata.jwt_claim_email_verified": True}},
    "a field of a newer release": {"field": {"shoe": None}},
    "two fields": {"field": {"username": ORDERS, "groups": "x"}},
    "two rules": NAME | {"any": []},
    "no rules": {},
    "a rule of a newer release": {"most": [NAME]},
    "rules that are none": "?",
    "a list that is none": {"any": NAME},
    "an expression that cannot be read": {"field": {"username": "/orders[/"}},
    "rules beyond measure": {"any": [NAME] * 2000},
}


@pytest.mark.parametrize("rules", APPLIES.values(), ids=APPLIES)
def test_it_applies(rules: Any) -> None:
    assert _applies(rules) is True


@pytest.mark.parametrize("rules", DOES_NOT.values(), ids=DOES_NOT)
def test_it_does_not_apply(rules: Any) -> None:
    assert _applies(rules) is False


@pytest.mark.parametrize("rules", NOT_KNOWN.values(), ids=NOT_KNOWN)
def test_it_is_not_known(rules: Any) -> None:
    assert _applies(rules) is None


@pytest.mark.parametrize("field", ["groups", "dn"])
@pytest.mark.parametrize("claimed", [None, frozenset({"groups", "dn"})], ids=["unreadable settings", "from claims"])
def test_groups_and_dn_are_known_only_if_the_realm_takes_them_from_no_claim(
    field: str, claimed: frozenset[str] | None
) -> None:
    rules = {"field": {field: "admins"}}
    assert _applies(rules, claimed=claimed) is None
    assert _applies(rules, claimed=frozenset()) is False


BY_SUBJECT = {"field": {"metadata.jwt_claim_sub": SUBJECT}}


def test_by_subject_the_name_is_one_of_two() -> None:
    assert _applies(BY_SUBJECT, SUBJECT, SUB) is True
    assert _applies({"field": {"username": SUBJECT}}, SUBJECT, SUB) is None, "it may also be the address"
    assert _applies(NAME, SUBJECT, SUB) is None, "whose address it is is not known"
    assert _applies(NAME, SUBJECT, SUB, ORDERS) is None
    assert _applies({"field": {"username": ["*@*", "1*"]}}, SUBJECT, SUB, ORDERS) is True, "either name matches"
    assert _applies(OTHER, SUBJECT, SUB, ORDERS) is False, "neither name matches"


def test_by_address_a_known_subject_decides() -> None:
    assert _applies(BY_SUBJECT, other=SUBJECT) is True
    assert _applies(BY_SUBJECT, other="9") is False


@pytest.mark.parametrize(
    "more", [{"enabled": False}, {"roles": []}, {"roles": None}], ids=["switched off", "no roles", "null"]
)
def test_what_gives_nothing_is_left_out(more: dict[str, Any]) -> None:
    assert _mapping(NAME, **more) is None


def test_what_is_for_another_realm_is_left_out_unless_it_gives_our_roles() -> None:
    assert _mapping({"all": [ELSEWHERE, GROUP]}) is None
    assert _mapping({"any": [ELSEWHERE, NAME]}) is not None
    found = _mapping(ELSEWHERE, roles=[OURS + ORDERS])
    assert found is not None
    assert found.elsewhere
    assert _applies(ELSEWHERE) is False


@pytest.mark.parametrize(
    ("rules", "only"),
    [
        (NAME, {ORDERS}),
        ({"all": [REALM, {"any": [NAME, OTHER]}]}, {ORDERS, "other"}),
        ({"all": [NAME, {"field": {"metadata.jwt_claim_azp": "*"}}]}, {ORDERS}),
        (REALM, None),
        ({"all": [REALM, {"except": NAME}]}, None),
        ({"any": [NAME, BY_SUBJECT]}, None),
        ({"field": {"username": [ORDERS, "bills@*"]}}, None),
    ],
    ids=["a name", "two names", "a name and an unknown claim", "all", "all but one", "or a subject", "or a wildcard"],
)
def test_whom_it_names_is_known_if_it_is_for_nobody_else(rules: Any, only: set[str] | None) -> None:
    found = _mapping(rules)
    assert found is not None
    assert found.only == only
