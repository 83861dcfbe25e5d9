"""Which SearchAccesses are beyond the operator's login, and what was delegated to it."""

from typing import Any

import pytest

from searchaccess.api.clusters.tiers import Tier
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.parsing import kept_apart
from searchaccess.core.patterns.marks import DELEGATED
from searchaccess.core.policy.decision import Do, Gate, decide
from searchaccess.core.policy.delegation import AUTO_PUT, Delegation, implies, lacking
from searchaccess.core.policy.login import LoginRights
from tests.unit.builders import a_grant, an_access

GIVEN = ("read", "view_index_metadata", "create_doc", "create", "index", AUTO_PUT, "auto_configure", "delete")
DELEGATIONS = (Delegation(("orders-*", "/audit-[0-9]+/", DELEGATED), GIVEN),)
OBSERVE = LoginRights("me")
ROLES = LoginRights("me", delegated=DELEGATIONS)
ROLES_AND_KEYS = LoginRights("me", keys=True, delegated=DELEGATIONS)
FULL = LoginRights("me", manages=True, keys=True)
EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
CREDENTIAL: dict[str, Any] = {"store": "main", "name": "orders"}


@pytest.mark.parametrize(
    ("login", "tier", "verifies"),
    [
        (OBSERVE, Tier.OBSERVE, False),
        (LoginRights("me", keys=True), Tier.OBSERVE, False),
        (ROLES, Tier.ROLES, True),
        (ROLES_AND_KEYS, Tier.ROLES_AND_KEYS, True),
        (FULL, Tier.FULL, False),
    ],
)
def test_a_tier_says_how_much_it_is(login: LoginRights, tier: Tier, *, verifies: bool) -> None:
    assert (login.tier, login.verifies_mapping) == (tier, verifies)


BEYOND: dict[str, tuple[dict[str, Any], LoginRights, Reason | None, str]] = {
    "within": ({}, ROLES, None, ""),
    "full": ({"grants": [a_grant("*", can=["manage"])]}, FULL, None, ""),
    "only reads": ({}, OBSERVE, Reason.PERMISSION_DENIED, "manage_security"),
    "only reads, and nothing is to be granted": ({"mode": "Observe"}, OBSERVE, None, ""),
    "a key": ({"auth": "ApiKey", "credential": CREDENTIAL}, ROLES, Reason.BEYOND_LOGIN, "manage_api_key"),
    "a key, with a login for keys": ({"auth": "ApiKey", "credential": CREDENTIAL}, ROLES_AND_KEYS, None, ""),
    "a key alone": ({"auth": "ApiKey", "credential": CREDENTIAL}, LoginRights("me", keys=True), None, ""),
    "a user": ({"auth": "Password", "credential": CREDENTIAL}, ROLES, Reason.BEYOND_LOGIN, "auth: Password"),
    "a user, with keys": ({"auth": "Password", "credential": CREDENTIAL}, ROLES_AND_KEYS, Reason.BEYOND_LOGIN, "users"),
    "on the cluster": ({"clusterCan": ["monitor"]}, ROLES, Reason.BEYOND_LOGIN, "clusterCan: monitor"),
    "other indices": ({"grants": [a_grant("x")]}, ROLES, Reason.BEYOND_LOGIN, "read on x"),
    "all indices": ({"grants": [a_grant("*")]}, ROLES, Reason.BEYOND_LOGIN, "on *"),
    "another privilege": ({"grants": [a_grant(can=["manage"])]}, ROLES, Reason.BEYOND_LOGIN, "manage on orders-*"),
    "restricted": ({"grants": [a_grant(**EU)]}, ROLES, None, ""),
}


@pytest.mark.parametrize(("spec", "login", "reason", "says"), BEYOND.values(), ids=BEYOND)
def test_what_is_beyond_a_login_is_held_before_it_is_tried(
    spec: dict[str, Any], login: LoginRights, reason: Reason | None, says: str
) -> None:
    found = decide(an_access(**spec), Gate(login=login))
    assert found.reason == reason
    assert says in found.message
    if reason:
        assert found.do is Do.HOLD
        assert str(login.tier) in found.message


def test_a_mapping_for_each_principal_needs_a_login_that_writes_some() -> None:
    found = decide(an_access(), Gate(login=ROLES, per_principal=True))
    assert (found.reason, "mapping: PerPrincipal" in found.message) == (Reason.BEYOND_LOGIN, True)
    assert decide(an_access(), Gate(login=FULL, per_principal=True)).do is Do.ENFORCE


def test_what_is_not_known_of_a_login_holds_nothing_and_deletion_always_goes_on() -> None:
    assert decide(an_access(), Gate()).do is Do.ENFORCE
    assert decide(an_access(deleted_at="2026-01-01T10:00:00Z"), Gate(login=OBSERVE)).do is Do.REMOVE


def entry(*names: str, can: tuple[str, ...] = ("read",), **more: Any) -> Entry:
    return Entry(names, can, **more)


LACKING: dict[str, tuple[Entry, str]] = {
    "a name": (entry("orders-1"), ""),
    "a narrower pattern": (entry("orders-eu-*", "/orders-(a|b)/", "orders-?"), ""),
    "a wider pattern": (entry("orders*"), "read on orders*"),
    "a name beside": (entry("orders-1", "x"), "read on x"),
    "a regular expression within another": (entry("/audit-[1-5]/"), ""),
    "a regular expression without": (entry("/audit-.*/"), "read on /audit-.*/"),
    "what a privilege is part of": (entry("orders-1", can=("create_doc",)), ""),
    "what it is not part of": (entry("orders-1", can=("write",)), "write on orders-1"),
    "an action of it": (entry("orders-1", can=("indices:data/write/bulk*", "indices:admin/mapping/auto_put")), ""),
    "what only Elasticsearch knows": (entry("orders-1", can=("indices:data/read/search",)), ""),
    "that on other indices": (entry("x", can=("indices:data/read/search",)), "indices:data/read/search on x"),
    "a question that takes long": (entry("orders-*", *(f"/orders-.*{letter}/" for letter in "abcdefg")), ""),
}


@pytest.mark.parametrize(("wanted", "missing"), LACKING.values(), ids=LACKING)
def test_what_a_delegation_lacks(wanted: Entry, missing: str) -> None:
    assert lacking(DELEGATIONS, [wanted]) == missing


def test_several_delegations_count_together() -> None:
    both = (Delegation(("a-*",), ("read",)), Delegation(("b-*",), ("read", "write")))
    assert lacking(both, [entry("a-1", "b-1"), entry("/[ab]-x/"), entry("b-*", can=("delete",))]) == ""
    assert lacking(both, [entry("a-1", can=("delete",))]) == "delete on a-1"


def test_names_that_keep_restricted_grants_apart_are_delegated_too() -> None:
    restricted = kept_apart(entry("orders-*", query='{"term":{"a":1}}'))
    for pattern, missing in (("NO-INDEX *", ""), (DELEGATED, ""), ("no-index *", "read on the names that keep")):
        found = lacking((Delegation(("orders-*", pattern), ("read",)),), [restricted])
        assert found.startswith(missing)
        assert bool(found) is bool(missing)


def test_everything_implies_everything_and_what_is_unknown_is_not_denied() -> None:
    assert implies("all", "manage") is implies("read", "none") is implies("write", "delete") is True
    assert implies("delete", "write") is implies("read", "write") is False
    assert implies("of_a_later_release", "read") is implies("read", "indices:data/read/get") is None
