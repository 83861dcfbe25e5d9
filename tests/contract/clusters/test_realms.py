"""What settings of a JWT realm do to a caller, for real, and what the operator says of them."""

import logging
import re
import time
import zipfile
from collections.abc import Iterator
from typing import Any, Final

import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.cluster import ClusterFacts
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.proof import undeclared
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.clusters.realmsettings import is_known
from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.releases import chosen_release
from tests.stack.trust.tokens import DEFAULT_ISSUER, TokenIssuer
from tests.support.worlds.world import account

ORDERS: Final = account("orders")
SUBJECT: Final = "104567890123456789012"
RIGHT: Final[dict[str, Any]] = {
    "client_authentication.type": "none",
    "allowed_issuer": DEFAULT_ISSUER,
    "claims.principal": "email",
    "pkc_jwkset_path": "jwks.json",
}

LETS_IN: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "subject": {"allowed_subjects": [SUBJECT]},
    "pattern": {"allowed_subject_patterns": ["9*", "1?45*2"]},
    "email": {"required_claims.email": ["x@y", ORDERS]},
    "azp": {"required_claims.azp": SUBJECT},
    "skewed": {"allowed_clock_skew": "5m"},
}
SHUTS_OUT: Final[dict[str, dict[str, Any]]] = {
    "disabled": {"enabled": False},
    "othersubject": {"allowed_subjects": ["9"]},
    "otherpattern": {"allowed_subject_patterns": ["9*"]},
    "otheremail": {"required_claims.email": ["x@y"]},
    "otherazp": {"required_claims.azp": ["9"]},
    "verified": {"required_claims.email_verified": "true"},
    "hd": {"required_claims.hd": ["acme.example"]},
    "delegated": {"authorization_realms": ["native1"]},
    "secret": {"client_authentication.type": "shared_secret"},
    "unskewed": {"allowed_clock_skew": "0s"},
    "named": {"claims.name": "email_verified"},
}
UNDECIDED: Final = {"subject", "pattern", "azp"}
"""Realms that let this caller in, and would not let in every other."""
BY_CALLER: Final = {"otheremail"}
"""This realm is reported caller by caller."""


def _audience(realm: str) -> str:
    return f"https://{realm}.example.com"


def _settings() -> dict[str, Any]:
    prefix = "xpack.security.authc.realms"
    found: dict[str, Any] = {f"{prefix}.native.native1.order": 0}
    for order, (name, more) in enumerate((LETS_IN | SHUTS_OUT).items(), start=10):
        realm = RIGHT | {"order": order, "allowed_audiences": [_audience(name)]} | more
        found |= {f"{prefix}.jwt.{name}.{key}": value for key, value in realm.items()}
    for name, order in (("first", 5), ("second", 6)):
        realm = RIGHT | {"order": order, "allowed_audiences": [_audience("shared")]}
        found |= {f"{prefix}.jwt.{name}.{key}": value for key, value in realm.items()}
    return found


@pytest.fixture(scope="module")
def server(built_elasticsearch: None) -> Iterator[LocalElasticsearch]:  # noqa: ARG001 - built before any test.
    secret = {"xpack.security.authc.realms.jwt.secret.client_authentication.shared_secret": "x"}
    with LocalElasticsearch(settings=_settings(), secure_settings=secret, heap="512m") as one:
        yield one


def _token(issuer: TokenIssuer, realm: str, **claims: Any) -> str:
    return issuer.mint(ORDERS, sub=SUBJECT, audience=_audience(realm), **claims)


def _answer(server: LocalElasticsearch, token: str) -> tuple[int, dict[str, Any]]:
    with server.client_as(token) as client:
        answer = client.get("/_security/_authenticate")
        return answer.status_code, answer.json()


def _connection(server: LocalElasticsearch) -> Connection:
    return Connection((server.url,), server.ca_file.read_text(), server.username, server.password)


async def _facts(server: LocalElasticsearch, realm: str, audience: str) -> ClusterFacts:
    client = ElasticsearchClient(_connection(server))
    try:
        return await client.facts(WantedRealm(realm, audience, DEFAULT_ISSUER))
    finally:
        await client.close()


@pytest.mark.parametrize("realm", LETS_IN)
async def test_a_realm_that_lets_the_caller_in_is_not_called_wrong(server: LocalElasticsearch, realm: str) -> None:
    status, who = _answer(server, _token(server.issuer, realm))
    assert status == 200, who
    assert who["authentication_realm"]["name"] == realm
    facts = await _facts(server, realm, _audience(realm))
    assert facts.mismatches == ()
    assert bool(facts.doubts) is (realm in UNDECIDED)
    assert all(limit.admits(SUBJECT if limit.claim == "sub" else ORDERS) for limit in facts.limits)


@pytest.mark.parametrize("realm", SHUTS_OUT)
async def test_a_realm_that_shuts_the_caller_out_is_not_called_right(server: LocalElasticsearch, realm: str) -> None:
    # A clock that is a little ahead: that of the issuer. By default, a minute is allowed.
    claims = {"iat": int(time.time()) + 55} if realm == "unskewed" else {}
    status, _ = _answer(server, _token(server.issuer, realm, **claims))
    assert status == 401
    facts = await _facts(server, realm, _audience(realm))
    if realm in BY_CALLER:
        assert not facts.limits[0].admits(ORDERS)
    else:
        assert facts.mismatches or facts.doubts


async def test_of_two_realms_for_the_same_tokens_the_first_has_the_caller(server: LocalElasticsearch) -> None:
    status, who = _answer(server, _token(server.issuer, "shared"))
    assert (status, who["authentication_realm"]["name"]) == (200, "first")
    assert (await _facts(server, "first", _audience("shared"))).mismatches == ()
    [mismatch] = (await _facts(server, "second", _audience("shared"))).mismatches or ()
    # The order of the node's other realms is taken.
    assert mismatch.line == "xpack.security.authc.realms.jwt.second.order: 4"
    assert "jwt realm first" in mismatch.have


@pytest.mark.parametrize("realm", [*LETS_IN, "otheremail", "verified", "hd", "secret"])
async def test_a_token_of_the_operators_own_shows_which_realm_takes_it(
    server: LocalElasticsearch, realm: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def own(audience: str) -> str:
        return server.issuer.mint(ORDERS, sub=SUBJECT, audience=audience)

    client = ElasticsearchClient(_connection(server), own_tokens=own)
    try:
        found = await client.realm_of_own(_audience(realm))
        assert found == (realm if realm in LETS_IN else "")
        assert await client.realm_of_own(undeclared(_audience(realm))) == ""
        assert (await client.login()).realm == "reserved", "its own login is another"
    finally:
        await client.close()
    assert "eyJ" not in caplog.text, "no token is logged"


async def test_without_an_identity_nobody_is_asked(server: LocalElasticsearch) -> None:
    client = ElasticsearchClient(_connection(server))
    try:
        assert await client.realm_of_own(_audience("plain")) is None
    finally:
        await client.close()


def test_every_setting_that_the_release_has_is_known(built_elasticsearch: None) -> None:  # noqa: ARG001 - built before.
    [jar] = (ensure_elasticsearch_home(chosen_release()) / "modules" / "x-pack-core").glob("x-pack-core-*.jar")
    with zipfile.ZipFile(jar) as file:
        code = file.read("org/elasticsearch/xpack/core/security/authc/jwt/JwtRealmSettings.class")
    # Constants of a class are a 1, their length in two bytes, and the text.
    texts = {
        text.decode() for size, text in re.findall(rb"\x01\x00(.)([a-z_.]+)", code, re.DOTALL) if len(text) == size[0]
    }
    settings = {text for text in texts if "_" in text or "." in text}
    assert "allowed_subject_patterns" in settings
    assert {name for name in settings if not is_known(name)} == {"required_claims"}
