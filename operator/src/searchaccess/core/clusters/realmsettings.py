"""Every documented setting of a JWT realm: its effect on callers, or why it is not judged.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-settings.html#ref-jwt-settings
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

ALGORITHM: Final = "RS256"
"""Google signs identity tokens with RS256."""
KEYS: Final = "https://www.googleapis.com/oauth2/v3/certs"
"""Where Google's keys are, as a JSON Web Key Set. https://accounts.google.com/.well-known/openid-configuration"""
_GOOGLES: Final = "https://www.googleapis.com/"
GOOGLE: Final = "https://accounts.google.com"
"""The issuer of Google's identity tokens."""

_IN_THE_KEYSTORE: Final = "stored in the node's keystore, which cannot be read; calls prove it"
_OF_KEYS: Final = "how keys are fetched: if that fails, nobody can log in, which calls show"
_OF_USERS: Final = "describes users; their roles do not depend on it"

JUDGED_BY_DECLARATION: Final = frozenset({
    "enabled", "token_type", "client_authentication.type", "allowed_issuer", "allowed_audiences",
    "allowed_signature_algorithms", "claims.principal", "claim_patterns.principal", "populate_user_metadata",
})  # fmt: skip
"""Compared with what the SearchCluster declares, by ``realm``."""

JUDGED_BY_ITSELF: Final = frozenset({
    "order", "allowed_subjects", "allowed_subject_patterns", "allowed_clock_skew", "authorization_realms",
    "pkc_jwkset_path", "http.proxy.host", "ssl.verification_mode", "ssl.certificate_authorities",
    "ssl.truststore.path", "claims.groups", "claims.dn", "claims.mail", "claims.name",
})  # fmt: skip
"""Judged by the rules below, as are all of ``required_claims``; the order by ``realm``, subjects by ``callers``."""

IGNORED: Final[Mapping[str, str]] = {
    "fallback_claims.sub": "is for access tokens, and token_type says identity tokens",
    "fallback_claims.aud": "is for access tokens, and token_type says identity tokens",
    "client_authentication.shared_secret": _IN_THE_KEYSTORE,
    "client_authentication.rotation_grace_period": "how long the previous client secret is valid too",
    "hmac_jwkset": _IN_THE_KEYSTORE,
    "hmac_key": _IN_THE_KEYSTORE,
    "jwt.cache.ttl": "an expired token is rejected from the cache too",
    "jwt.cache.size": "affects only performance",
    "claim_patterns.groups": _OF_USERS,
    "claim_patterns.dn": _OF_USERS,
    "claim_patterns.mail": _OF_USERS,
    "claim_patterns.name": _OF_USERS,
    "http.connect_timeout": _OF_KEYS,
    "http.connection_read_timeout": _OF_KEYS,
    "http.socket_timeout": _OF_KEYS,
    "http.max_connections": _OF_KEYS,
    "http.max_endpoint_connections": _OF_KEYS,
    "http.proxy.port": "belongs to http.proxy.host, which is judged",
    "http.proxy.scheme": "belongs to http.proxy.host, which is judged",
    "ssl.key": _OF_KEYS,
    "ssl.key_passphrase": _OF_KEYS,
    "ssl.secure_key_passphrase": _OF_KEYS,
    "ssl.certificate": _OF_KEYS,
    "ssl.truststore.password": _OF_KEYS,
    "ssl.truststore.secure_password": _OF_KEYS,
    "ssl.truststore.type": _OF_KEYS,
    "ssl.truststore.algorithm": _OF_KEYS,
    "ssl.keystore.path": _OF_KEYS,
    "ssl.keystore.type": _OF_KEYS,
    "ssl.keystore.password": _OF_KEYS,
    "ssl.keystore.secure_password": _OF_KEYS,
    "ssl.keystore.key_password": _OF_KEYS,
    "ssl.keystore.secure_key_password": _OF_KEYS,
    "ssl.keystore.algorithm": _OF_KEYS,
    "ssl.supported_protocols": _OF_KEYS,
    "ssl.cipher_suites": _OF_KEYS,
    "ssl.trust_restrictions.path": _OF_KEYS,
    "ssl.trust_restrictions.x509_fields": _OF_KEYS,
}
"""By setting, why it is not judged."""

REQUIRED: Final = "required_claims."
EMAIL: Final = f"{REQUIRED}email"
"""Compared with callers one by one."""
_NOT_TEXT: Final = frozenset({"email_verified", "iat", "exp", "nbf"})
"""Claims of Google's tokens that are not text. Elasticsearch compares only text and rejects the others."""
_ABSENT: Final = frozenset({"hd", "name", "given_name", "family_name", "picture", "locale", "profile"})
"""Claims that only Google's tokens for people have, not those for service accounts."""

_DEFAULT_SKEW: Final = 60.0
_LEAST_SKEW: Final = 5.0
_MOST_SKEW: Final = 600.0
_TIME: Final = re.compile(r"(-?[0-9]{1,9})(nanos|micros|ms|s|m|h|d)?")
_UNITS: Final = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Objection:
    """A setting that should be different."""

    line: str
    """The line that elasticsearch.yml needs, below the realm's prefix."""
    have: str
    certain: bool = True
    """False: it depends on callers' tokens, or on what the operator cannot see."""


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings by their whole names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def listed(value: Any) -> list[str]:
    """Return a setting that is a list, as Elasticsearch gives it: a list, or texts with commas."""
    if value is None:
        return []
    return (
        [str(item) for item in value] if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
    )


def objections(settings: Mapping[str, Any], issuer: str) -> Iterator[Objection]:
    """Yield the settings that are wrong or uncertain, whatever the SearchCluster declares.

    Args:
        settings: of the realm, by their whole names.
        issuer: the declared issuer.
    """
    google = issuer == GOOGLE
    if any(listed(settings.get("authorization_realms"))):
        # Its users get their roles from another realm, not from role mappings of this one.
        yield Objection("(no authorization_realms)", str(settings["authorization_realms"]))
    yield from _keys(settings, google=google)
    skew = _seconds(settings.get("allowed_clock_skew"))
    if skew is None or not _LEAST_SKEW <= skew <= _MOST_SKEW:
        # A smaller skew rejects fresh tokens where clocks differ a little; a larger one accepts long expired tokens.
        yield Objection("allowed_clock_skew: 60s", str(settings["allowed_clock_skew"]), certain=False)
    weak = [name for name in listed(settings.get("allowed_signature_algorithms")) if name.startswith("HS")]
    if weak:
        line = f"allowed_signature_algorithms: [{ALGORITHM}]"
        yield Objection(
            line, f"{', '.join(weak)}: whoever has the realm's hmac key can sign for anybody", certain=False
        )
    for name in ("groups", "dn", "mail", "name"):
        claim = str(settings.get(f"claims.{name}", ""))
        if claim in _NOT_TEXT:
            yield Objection(f"(no claims.{name})", f"{claim}, which is not text", certain=False)
    yield from _required(settings, google=google)
    for name, value in settings.items():
        if not is_known(name):
            yield Objection(f"(no {name})", f"{value}: the operator does not know this setting", certain=False)


def is_known(name: str) -> bool:
    """Return whether a setting is judged, or known to need no judgment."""
    return name in JUDGED_BY_DECLARATION or name in JUDGED_BY_ITSELF or name in IGNORED or name.startswith(REQUIRED)


def _keys(settings: Mapping[str, Any], *, google: bool) -> Iterator[Objection]:
    """Judge where the realm gets the keys with which tokens are verified."""
    path = settings.get("pkc_jwkset_path")
    if path is None:
        yield Objection(f"pkc_jwkset_path: {KEYS}" if google else "pkc_jwkset_path: the issuer's keys", "absent")
        return
    if not str(path).lower().startswith("https://"):
        # A file is as good as its maintenance; calls prove it.
        return
    if google and path != KEYS:
        # Others than Google may hand out a copy.
        certain = str(path).lower().startswith(_GOOGLES)
        what = "which has other keys, or none" if certain else "whose keys are not known to be Google's"
        yield Objection(f"pkc_jwkset_path: {KEYS}", f"{path}, {what}", certain)
    if (proxy := settings.get("http.proxy.host")) is not None:
        yield Objection("(no http.proxy.host)", f"{proxy}: whether it leads to the keys is not known", certain=False)
    if (mode := str(settings.get("ssl.verification_mode", "full"))) != "full":
        yield Objection("ssl.verification_mode: full", f"{mode}: others could hand out keys", certain=False)
    for name in ("ssl.certificate_authorities", "ssl.truststore.path"):
        if name in settings:
            trusted = f"{settings[name]}: whether it trusts the server of the keys is not known"
            yield Objection(f"(no {name})", trusted, certain=False)


def _required(settings: Mapping[str, Any], *, google: bool) -> Iterator[Objection]:
    """Judge the claims that a token must have, apart from the address, which is compared caller by caller."""
    for name, value in settings.items():
        if not name.startswith(REQUIRED) or name == EMAIL:
            continue
        claim = name.removeprefix(REQUIRED)
        if google and claim in _NOT_TEXT:
            yield Objection(f"(no {name})", f"{value}: Elasticsearch compares only text, and this claim is not text")
        elif google and claim in _ABSENT:
            yield Objection(f"(no {name})", f"{value}: tokens of service accounts lack it")
        else:
            yield Objection(f"(no {name})", f"{value}: it is not known which tokens have this claim", certain=False)


def _seconds(value: Any) -> float | None:
    """Return a time of Elasticsearch in seconds; None: it cannot be read."""
    if value is None:
        return _DEFAULT_SKEW
    found = _TIME.fullmatch(str(value).strip().lower())
    return int(found[1]) * _UNITS[found[2] or "ms"] if found else None
