"""Whether a role mapping applies to a caller: what the operator concludes, and what Elasticsearch does."""

import secrets
from typing import Any, Final

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.rights.foreign import foreign_mapping, given_by_others, user_of
from searchaccess.core.rights.mapping import mapping_of
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.tokens import subject_of
from tests.support.world import account

ORDERS: Final = account("orders")
NAME: Final[dict[str, Any]] = {"field": {"username": ORDERS}}
OTHER: Final[dict[str, Any]] = {"field": {"username": "other"}}
REALM: Final[dict[str, Any]] = {"field": {"realm.name": "google"}}

APPLIES: Final[dict[str, dict[str, Any]]] = {
    "its name": NAME,
    "its address": {"field": {"metadata.jwt_claim_email": ORDERS}},
    "one of several names": {"field": {"username": ["other", ORDERS]}},
    "a wildcard": {"field": {"username": "*@acme-shop.*"}},
    "a wildcard of one": {"field": {"username": "order?@*"}},
    "everybody of the realm": REALM,
    "any": {"any": [OTHER, NAME]},
    "not another": {"all": [REALM, {"except": OTHER}]},
}
DOES_NOT: Final[dict[str, dict[str, Any]]] = {
    "another name": OTHER,
    "other letters": {"field": {"username": ORDERS.upper()}},
    "a question mark without a star": {"field": {"username": ORDERS.replace("orders", "order?")}},
    "another realm": {"all": [NAME, {"field": {"realm.name": "native1"}}]},
    "not itself": {"all": [REALM, {"except": NAME}]},
    "no name": {"field": {"username": None}},
}
NOT_DECIDED: Final[dict[str, dict[str, Any]]] = {
    "a regular expression": {"field": {"username": "/orders@.*/"}},
    "a subject": {"field": {"metadata.jwt_claim_sub": subject_of(ORDERS)}},
}


def _both(server: ElasticsearchServer, rules: dict[str, Any]) -> tuple[bool, bool]:
    """Give what Elasticsearch does, and what the operator concludes."""
    name = f"by-hand-{secrets.token_hex(4)}"
    with server.client() as admin:
        admin.put(f"/_security/role_mapping/{name}", json={"enabled": True, "roles": [name], "rules": rules})
        try:
            raw = admin.get(f"/_security/role_mapping/{name}").raise_for_status().json()[name]
            with server.client_as(server.issuer.mint(ORDERS)) as caller:
                roles = caller.get("/_security/_authenticate").raise_for_status().json()["roles"]
        finally:
            admin.delete(f"/_security/role_mapping/{name}").raise_for_status()
    found = foreign_mapping(mapping_of(name, raw), server.realm)
    known = user_of(ORDERS, server.realm, PrincipalClaim.EMAIL)
    return name in roles, found is not None and bool(given_by_others([found], known))


@pytest.mark.parametrize("rules", APPLIES.values(), ids=APPLIES)
def test_a_mapping_that_applies_is_reported(elasticsearch_server: ElasticsearchServer, rules: dict[str, Any]) -> None:
    assert _both(elasticsearch_server, rules) == (True, True)


@pytest.mark.parametrize("rules", DOES_NOT.values(), ids=DOES_NOT)
def test_a_mapping_that_does_not_apply_is_not_reported(
    elasticsearch_server: ElasticsearchServer, rules: dict[str, Any]
) -> None:
    assert _both(elasticsearch_server, rules) == (False, False)


@pytest.mark.parametrize("rules", NOT_DECIDED.values(), ids=NOT_DECIDED)
def test_what_is_not_decided_is_not_reported(elasticsearch_server: ElasticsearchServer, rules: dict[str, Any]) -> None:
    assert _both(elasticsearch_server, rules) == (True, False)
