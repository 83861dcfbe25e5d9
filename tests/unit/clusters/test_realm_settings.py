"""Every documented setting of a JWT realm: what it does to callers, or that it does nothing."""

from dataclasses import replace
from typing import Any, Final

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.clusters.realm import Mismatch, RealmFindings, WantedRealm, check_realm, explain_doubts
from searchaccess.core.clusters.realmsettings import (
    IGNORED,
    JUDGED_BY_DECLARATION,
    JUDGED_BY_ITSELF,
    KEYS,
    is_known,
)
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.identity import resolved
from searchaccess.core.model.identities.workload import Account
from searchaccess.core.policy.callers import Limit, shut_out
from tests.unit.builders import an_access

WANTED: Final = WantedRealm("google", "https://search.example.com", "https://accounts.google.com")
BY_SUB: Final = replace(WANTED, principal=PrincipalClaim.SUB)
OTHERS: Final = replace(WANTED, issuer="https://login.example.com")
PREFIX: Final = "xpack.security.authc.realms.jwt.google."
SUBJECT: Final = "104567890123456789012"
OTHER: Final = "999999999999999999999"
ADDRESS: Final = "orders@acme-shop.iam.gserviceaccount.com"

RIGHT: Final[dict[str, Any]] = {
    "order": "2",
    "token_type": "id_token",
    "client_authentication.type": "none",
    "allowed_issuer": WANTED.issuer,
    "allowed_audiences": [WANTED.audience],
    "allowed_signature_algorithms": ["RS256"],
    "claims.principal": "email",
    "pkc_jwkset_path": KEYS,
}

DOCUMENTED: Final = frozenset(
    """
order enabled token_type allowed_issuer allowed_audiences allowed_subjects allowed_subject_patterns
fallback_claims.sub fallback_claims.aud allowed_signature_algorithms allowed_clock_skew
required_claims.hd claims.principal claims.groups claims.name claims.mail claims.dn
claim_patterns.principal claim_patterns.groups claim_patterns.name claim_patterns.mail claim_patterns.dn
populate_user_metadata authorization_realms client_authentication.type client_authentication.shared_secret
client_authentication.rotation_grace_period jwt.cache.ttl jwt.cache.size pkc_jwkset_path hmac_jwkset hmac_key
http.connect_timeout http.connection_read_timeout http.socket_timeout http.max_connections http.max_endpoint_connections
http.proxy.host http.proxy.port http.proxy.scheme
ssl.key ssl.key_passphrase ssl.secure_key_passphrase ssl.certificate ssl.certificate_authorities
ssl.keystore.path ssl.keystore.type ssl.keystore.password ssl.keystore.secure_password ssl.keystore.key_password
ssl.keystore.secure_key_password ssl.keystore.algorithm ssl.truststore.path ssl.truststore.type ssl.truststore.password
ssl.truststore.secure_password ssl.truststore.algorithm ssl.verification_mode ssl.supported_protocols ssl.cipher_suites
ssl.trust_restrictions.path ssl.trust_restrictions.x509_fields
    """.split()  # noqa: SIM905 - shorter to read
)
"""Of 8.19 and 9.1: both have the same."""


def _nested(settings: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        *folders, last = name.split(".")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return found


def _node(name: str, realm: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    realms = {f"jwt.google.{key}": value for key, value in realm.items() if value is not None}
    realms |= {key: value for key, value in (others or {}).items() if value is not None}
    prefix = "xpack.security.authc.realms"
    return {"name": name, "settings": _nested({f"{prefix}.{key}": value for key, value in realms.items()})}


def _check(wanted: WantedRealm, others: dict[str, Any] | None = None, **more: Any) -> RealmFindings:
    settings = RIGHT | {name.replace("__", "."): value for name, value in more.items()}
    return check_realm({"a": _node("node-0", settings, others)}, wanted)


def test_every_documented_setting_is_judged_or_ignored_with_a_reason() -> None:
    assert {name for name in DOCUMENTED if not is_known(name)} == set()
    assert not (JUDGED_BY_DECLARATION & JUDGED_BY_ITSELF)
    assert not (set(IGNORED) & (JUDGED_BY_DECLARATION | JUDGED_BY_ITSELF))
    known = JUDGED_BY_DECLARATION | JUDGED_BY_ITSELF | set(IGNORED)
    assert known <= DOCUMENTED, "nothing is listed that there is not"
    assert all(IGNORED.values())


CERTAIN: dict[str, tuple[WantedRealm, dict[str, Any], str, str]] = {
    "roles of another realm": (
        WANTED, {"authorization_realms": ["ldap1"]}, "(no authorization_realms)", "['ldap1']",
    ),
    "a claim that people alone have": (
        WANTED,
        {"required_claims.hd": ["acme.example"]},
        "(no required_claims.hd)",
        "['acme.example']: tokens of service accounts lack it",
    ),
    "a claim that is no text": (
        WANTED,
        {"required_claims.email_verified": "true"},
        "(no required_claims.email_verified)",
        "true: Elasticsearch compares only text, and this claim is not text",
    ),
    "others' keys": (
        WANTED,
        {"pkc_jwkset_path": "https://www.googleapis.com/oauth2/v1/certs"},
        f"pkc_jwkset_path: {KEYS}",
        "https://www.googleapis.com/oauth2/v1/certs, which has other keys, or none",
    ),
    "no keys": (WANTED, {"pkc_jwkset_path": None}, f"pkc_jwkset_path: {KEYS}", "absent"),
    "no keys of another issuer": (
        OTHERS,
        {"pkc_jwkset_path": None, "allowed_issuer": OTHERS.issuer},
        "pkc_jwkset_path: the issuer's keys",
        "absent",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "realm", "line", "have"), CERTAIN.values(), ids=CERTAIN)
def test_what_surely_shuts_callers_out_is_a_mismatch(
    wanted: WantedRealm, realm: dict[str, Any], line: str, have: str
) -> None:
    found = _check(wanted, **realm)
    assert found.mismatches == (Mismatch("node-0", PREFIX + line, have),)
    assert found.doubts == ()


DOUBTS: dict[str, tuple[WantedRealm, dict[str, Any], str]] = {
    "little skew": (WANTED, {"allowed_clock_skew": "0s"}, "allowed_clock_skew: 60s"),
    "negative skew": (WANTED, {"allowed_clock_skew": "-1"}, "allowed_clock_skew: 60s"),
    "much skew": (WANTED, {"allowed_clock_skew": "1d"}, "allowed_clock_skew: 60s"),
    "skew that is none": (WANTED, {"allowed_clock_skew": "soon"}, "allowed_clock_skew: 60s"),
    "a claim that some tokens have": (WANTED, {"required_claims.azp": "x"}, "(no required_claims.azp)"),
    "a claim of another issuer": (
        OTHERS,
        {"required_claims.hd": "x", "allowed_issuer": OTHERS.issuer},
        "(no required_claims.hd)",
    ),
    "subjects, where callers are known by address": (
        WANTED,
        {"allowed_subjects": [SUBJECT]},
        "(no allowed_subjects)",
    ),
    "patterns of subjects, where callers are known by address": (
        WANTED,
        {"allowed_subject_patterns": ["1*"]},
        "(no allowed_subject_patterns)",
    ),
    "regular expressions": (BY_SUB, {"allowed_subject_patterns": ["/1.*/"]}, "(no allowed_subject_patterns)"),
    "addresses, where callers are known by subject": (
        BY_SUB,
        {"required_claims.email": [ADDRESS]},
        "(no required_claims.email)",
    ),
    "a key that several have": (
        WANTED,
        {"allowed_signature_algorithms": ["RS256", "HS256"]},
        "allowed_signature_algorithms: [RS256]",
    ),
    "a copy of the keys": (WANTED, {"pkc_jwkset_path": "https://keys.example.com/jwks"}, f"pkc_jwkset_path: {KEYS}"),
    "a proxy": (WANTED, {"http.proxy.host": "proxy.example.com"}, "(no http.proxy.host)"),
    "keys from anybody": (WANTED, {"ssl.verification_mode": "none"}, "ssl.verification_mode: full"),
    "another authority": (WANTED, {"ssl.certificate_authorities": ["ca.pem"]}, "(no ssl.certificate_authorities)"),
    "another trust store": (WANTED, {"ssl.truststore.path": "t.p12"}, "(no ssl.truststore.path)"),
    "a name that is no text": (WANTED, {"claims.name": "email_verified"}, "(no claims.name)"),
    "a setting of a newer release": (WANTED, {"allowed_moons": "full"}, "(no allowed_moons)"),
}


@pytest.mark.parametrize(("wanted", "realm", "line"), DOUBTS.values(), ids=DOUBTS)
def test_what_cannot_be_decided_is_said_as_that(wanted: WantedRealm, realm: dict[str, Any], line: str) -> None:
    found = _check(wanted, **realm)
    assert found.mismatches == ()
    assert [doubt.line for doubt in found.doubts] == [PREFIX + line]
    assert not found.doubts[0].certain
    assert explain_doubts(found.doubts).startswith(
        "the settings do not determine who can log in; to make that certain, elasticsearch.yml needs "
        f"{PREFIX}{line} (on node-0"
    )


HARMLESS: dict[str, dict[str, Any]] = {
    "all that is ignored": dict.fromkeys(IGNORED, "1"),
    "a file of keys": {"pkc_jwkset_path": "jwks.json"},
    "a file of keys, and a proxy that nobody uses": {"pkc_jwkset_path": "jwks.json", "http.proxy.host": "x"},
    "no other realms": {"authorization_realms": []},
    "usual skew": {"allowed_clock_skew": "30s"},
    "every subject": {"allowed_subject_patterns": ["*"]},
    "what describes users": {"claims.name": "email", "claims.groups": "groups", "claim_patterns.groups": "(.*)"},
    "the caller's address": {"required_claims.email": [ADDRESS]},
}


@pytest.mark.parametrize("realm", HARMLESS.values(), ids=HARMLESS)
def test_what_keeps_nobody_out_is_not_mentioned(realm: dict[str, Any]) -> None:
    found = _check(WANTED, **realm)
    assert (found.mismatches, found.doubts) == ((), ())


# The chain

RIVAL: Final[dict[str, Any]] = {
    "jwt.older.order": "1",
    "jwt.older.allowed_issuer": WANTED.issuer,
    "jwt.older.allowed_audiences": [WANTED.audience, "x"],
    "jwt.older.client_authentication.type": "none",
}

RIVALS: dict[str, tuple[dict[str, Any], str, bool | None]] = {
    "first, for the same tokens": ({}, "order: 0", True),
    "that place is taken": ({"native.native1.order": "0", "file.file1.order": -1}, "order: -2", True),
    "later": ({"jwt.older.order": "3"}, "", None),
    "without an order": ({"jwt.older.order": None}, "", None),
    "of another issuer": ({"jwt.older.allowed_issuer": "https://x"}, "", None),
    "of another audience": ({"jwt.older.allowed_audiences": ["x"]}, "", None),
    "of access tokens": ({"jwt.older.token_type": "access_token"}, "", None),
    "disabled": ({"jwt.older.enabled": "false"}, "", None),
    "of some subjects": ({"jwt.older.allowed_subjects": ["x"]}, "order: 0", False),
    "of some claims": ({"jwt.older.required_claims.azp": ["x"]}, "order: 0", False),
    "with a client secret": ({"jwt.older.client_authentication.type": None}, "order: 0", False),
    "of some subjects, and a second one of all": (
        {"jwt.older.allowed_subjects": ["x"]} | {key.replace("older", "oldest"): value for key, value in RIVAL.items()},
        "order: 0",
        True,
    ),
    "of another kind": ({"jwt.older.order": "9", "oidc.older.order": "0"}, "", None),
}


@pytest.mark.parametrize(("rival", "line", "certain"), RIVALS.values(), ids=RIVALS)
def test_a_realm_that_comes_first_for_the_same_tokens_is_named(
    rival: dict[str, Any], line: str, *, certain: bool | None
) -> None:
    found = _check(WANTED, others=RIVAL | rival)
    reported = [*found.mismatches, *found.doubts]
    assert [(one.line, one.certain) for one in reported] == ([(PREFIX + line, certain)] if line else [])
    assert all("jwt realm older" in one.have for one in reported)


def test_each_node_is_judged_by_itself() -> None:
    wrong = RIGHT | {"authorization_realms": ["x"]}
    found = check_realm({"a": _node("node-0", RIGHT), "b": _node("node-1", wrong), "c": {"name": "node-2"}}, WANTED)
    assert {one.node for one in found.mismatches} == {"node-1", "node-2"}


# Callers, one by one


def _by_address() -> Access:
    return an_access(subject={"serviceAccount": ADDRESS})


def _by_subject() -> Access:
    return replace(_by_address(), principals=(SUBJECT,))


def _resolved() -> Access:
    return replace(_by_address(), identity=resolved(None, (Account(ADDRESS, SUBJECT),), (), ""))


CALLERS: dict[str, tuple[Access, dict[str, Any], str]] = {
    "among the subjects": (_by_subject(), {"allowed_subjects": [OTHER, SUBJECT]}, ""),
    "not among the subjects": (_by_subject(), {"allowed_subjects": [OTHER]}, f"needs {SUBJECT} in {PREFIX}allowed_sub"),
    "by a pattern": (_by_subject(), {"allowed_subjects": [OTHER], "allowed_subject_patterns": ["9*", "1?4*2"]}, ""),
    "by no pattern": (_by_subject(), {"allowed_subject_patterns": ["9*"]}, f"needs {SUBJECT} in {PREFIX}allowed_sub"),
    "by an escaped star": (_by_subject(), {"allowed_subject_patterns": ["1\\*"]}, f"needs {SUBJECT} in"),
    "by a regular expression, perhaps": (_by_subject(), {"allowed_subject_patterns": ["/9.*/"]}, ""),
    "of an account whose subject is not known": (_by_address(), {"allowed_subjects": [OTHER]}, ""),
    "of an account whose subject was read from Google": (_resolved(), {"allowed_subjects": [OTHER]}, "needs 104"),
    "another address": (_by_address(), {"required_claims.email": ["x@y"]}, f"needs {ADDRESS} in {PREFIX}required_cla"),
    "its own address": (_by_address(), {"required_claims.email": f"x@y,{ADDRESS}"}, ""),
    "an address that is not known": (_by_subject(), {"required_claims.email": ["x@y"]}, ""),
    "no limits": (_by_subject(), {}, ""),
}


@pytest.mark.parametrize(("access", "realm", "message"), CALLERS.values(), ids=CALLERS)
def test_what_keeps_a_known_caller_out_is_reported(access: Access, realm: dict[str, Any], message: str) -> None:
    limits = _check(BY_SUB if access.principals == (SUBJECT,) else WANTED, **realm).limits
    found = shut_out(access, limits)
    assert found.startswith(message)
    assert bool(found) is bool(message)


@pytest.mark.parametrize("count", [1, 500])
def test_a_pattern_with_many_stars_is_compared_at_once(count: int) -> None:
    limit = Limit("node-0", "x", "sub", frozenset(), ("*1" * count + "x",))
    assert not limit.admits("1" * 1000)
