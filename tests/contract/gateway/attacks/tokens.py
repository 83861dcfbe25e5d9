"""Tokens that are no tokens, not Google's, or not of now."""

import json
import time
from collections.abc import Callable
from typing import Any

import jwt

from tests.contract.gateway.attacks.row import CALLER, VICTIM, Row, raw, row, with_token
from tests.contract.gateway.tokens import Forger, changed, encoded

_NOT = "no token of Google"


def _duplicate(forger: Forger, first: str, second: str) -> str:
    text = json.dumps(forger.claims(first))[:-1] + f', "email": "{second}"}}'
    return forger.signed(text)


def _flipped(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _saying(claims: dict[str, Any]) -> Callable[[Forger], str]:
    return lambda forger: forger.saying(**claims)


TOKENS: list[Row] = [
    with_token("good", lambda f: f.mint(CALLER), 200, "the control"),
    with_token("without kid", lambda f: f.signed(f.claims(), {"kid": ""}), 200, "all keys are tried"),
    row("none", raw(token=None), 401, "no token"),
    with_token("garbage", lambda _: "x", 401, _NOT),
    with_token("empty", lambda _: "", 401, _NOT),
    with_token("two parts", lambda f: f.mint(CALLER).rpartition(".")[0], 401, _NOT),
    with_token("four parts", lambda f: f.mint(CALLER) + ".x", 401, _NOT),
    with_token("only dots", lambda _: "..", 401, _NOT),
    with_token("alg none", lambda f: f.unsigned({"alg": "none"}), 401, "not signed"),
    with_token("alg None", lambda f: f.unsigned({"alg": "None"}), 401, "not signed"),
    with_token("alg NONE, signed", lambda f: f.unsigned({"alg": "NONE"}, "AAAA"), 401, "not signed"),
    with_token("alg empty", lambda f: f.unsigned({"alg": ""}, "AAAA"), 401, "not signed"),
    with_token("no alg", lambda f: f.unsigned({"typ": "JWT"}, "AAAA"), 401, "not signed"),
    with_token("alg list", lambda f: f.unsigned({"alg": ["RS256"]}, "AAAA"), 401, "not signed"),
    with_token("HMAC by the public key", lambda f: f.by_secret(f.google.public_pem().encode()), 401, "confusion"),
    with_token("HMAC by the published keys", lambda f: f.by_secret(f.google.jwks().encode()), 401, "confusion"),
    with_token("HMAC by nothing", lambda f: f.by_secret(b""), 401, "confusion"),
    with_token("another's key", lambda f: f.attacker.mint(CALLER), 401, "unknown key"),
    with_token("another's key, Google's kid", lambda f: f.signed(f.claims(), key=f.attacker._key), 401, "wrong key"),
    with_token(
        "another's key in the head",
        lambda f: f.signed(f.claims(), {"jwk": json.loads(f.attacker.jwks())["keys"][0]}, f.attacker._key),
        401,
        "the head is the attacker's",
    ),
    with_token(
        "another's key behind an address",
        lambda f: f.signed(f.claims(), {"jku": "https://127.0.0.1/", "x5u": "https://127.0.0.1/"}, f.attacker._key),
        401,
        "the head is the attacker's",
    ),
    with_token("unknown kid", lambda f: f.signed(f.claims(), {"kid": "other"}), 401, "no such key"),
    with_token("kid a path", lambda f: f.signed(f.claims(), {"kid": "../../dev/null"}), 401, "no such key"),
    with_token("kid a number", lambda f: f"{encoded({'alg': 'RS256', 'kid': 1})}.{encoded(f.claims())}.AA", 401, _NOT),
    with_token("signature cut", lambda f: f.mint(CALLER)[:-9], 401, "wrong signature"),
    with_token("signature flipped", lambda f: _flipped(f.mint(CALLER)), 401, "wrong signature"),
    with_token("signature empty", lambda f: f.mint(CALLER).rpartition(".")[0] + ".", 401, "no signature"),
    with_token("payload changed", lambda f: changed(f.mint(CALLER), 1, {"email": VICTIM}), 401, "wrong signature"),
    with_token("head changed", lambda f: changed(f.mint(CALLER), 0, {"typ": "x"}), 401, "wrong signature"),
    with_token("RS512 of the same key", lambda f: f.signed(f.claims(), alg="RS512"), 401, "the key is for RS256"),
    with_token("PS256 of the same key", lambda f: f.signed(f.claims(), alg="PS256"), 401, "the key is for RS256"),
    with_token(
        "ES256 with Google's kid",
        lambda f: jwt.encode(f.claims(), f.curve, algorithm="ES256", headers={"kid": f.google.key_id}),
        401,
        "wrong key",
    ),
    with_token("expired", lambda f: f.saying(exp=int(time.time()) - 120), 401, "expired"),
    with_token("expired within the skew", lambda f: f.saying(exp=int(time.time()) - 5), 200, "clocks differ"),
    with_token("not yet valid", lambda f: f.saying(nbf=int(time.time()) + 120), 401, "of the future"),
    with_token("valid in a moment", lambda f: f.saying(nbf=int(time.time()) + 5), 200, "clocks differ"),
    with_token("without expiry", lambda f: f.saying(exp=None), 401, "valid for ever"),
    with_token("expiry a text", lambda f: f.saying(exp=str(int(time.time()) + 600)), 401, "no time"),
    with_token("expiry null", lambda f: f.signed({**f.claims(), "exp": None}), 401, "no time"),
    with_token("expiry true", lambda f: f.saying(exp=True), 401, "no time"),
    with_token("expiry zero", lambda f: f.saying(exp=0), 401, "expired; Envoy takes 0 for none"),
    with_token("expiry negative", lambda f: f.saying(exp=-1), 401, "no time"),
    with_token("expiry in two hours", lambda f: f.saying(exp=int(time.time()) + 7200), 401, "too long"),
    with_token("expiry in 1000 years", lambda f: f.saying(exp=int(time.time()) + 10**11), 401, "too long"),
    with_token("expiry beyond all numbers", lambda f: f.saying(exp=10**30), 401, "no time"),
    with_token("unknown critical extension", lambda f: f.signed(f.claims(), {"crit": ["x"], "x": 1}), 200, "ignored"),
    with_token("compressed, says its head", lambda f: f.signed(f.claims(), {"zip": "DEF"}), 200, "ignored: it is not"),
    with_token("payload a list", lambda f: f.signed([f.claims()]), 401, _NOT),
    with_token("payload null", lambda f: f.signed("null"), 401, _NOT),
    with_token("payload no JSON", lambda f: f.signed("{"), 401, _NOT),
    with_token(
        "two e-mail addresses", lambda f: _duplicate(f, CALLER, VICTIM), 401, "no JSON that two readers agree on"
    ),
    with_token("padded", lambda f: f.mint(CALLER) + "==", 200, "the same signature"),
    with_token("a space inside", lambda f: f.mint(CALLER).replace(".", ". ", 1), 401, _NOT),
    with_token("a space before", lambda f: " " + f.mint(CALLER), 200, "skipped"),
    with_token("quoted", lambda f: f'"{f.mint(CALLER)}"', 401, _NOT),
    with_token("more after a comma", lambda f: f.mint(CALLER) + ",x", 401, "no signature"),
    with_token("of 20 kB", lambda f: f.saying(more="x" * 14_000), 200, "within the limit of headers"),
    with_token("of 40 kB", lambda f: f.saying(more="x" * 30_000), 431, "beyond the limit of headers"),
]

_CLAIMS: list[tuple[str, dict[str, Any], int, str]] = [
    ("another audience", {"aud": "https://other.example.com"}, 403, "for somebody else"),
    ("no audience", {"aud": None}, 403, "for nobody"),
    ("audience empty", {"aud": ""}, 403, "for nobody"),
    ("audience longer", {"aud": "https://es.example.com.evil.com"}, 403, "for somebody else"),
    ("audience without scheme", {"aud": "es.example.com"}, 403, "Envoy compares without"),
    ("audience with http", {"aud": "http://es.example.com"}, 403, "Envoy compares without"),
    ("audience with a slash", {"aud": "https://es.example.com/"}, 403, "Envoy compares without"),
    ("audience in a list", {"aud": ["https://es.example.com"]}, 403, "Google never sends one"),
    ("audience in a list of two", {"aud": ["https://a.example.com", "https://es.example.com"]}, 403, "the same"),
    ("e-mail not verified", {"email_verified": False}, 403, "somebody else's address"),
    ("e-mail verified, a text", {"email_verified": "true"}, 403, "no truth value"),
    ("e-mail verified, a number", {"email_verified": 1}, 403, "no truth value"),
    ("e-mail verified, a list", {"email_verified": [True]}, 403, "no truth value"),
    ("e-mail verified, nothing", {"email_verified": None}, 403, "not verified"),
    ("no e-mail", {"email": None}, 403, "nobody"),
    ("e-mail empty", {"email": ""}, 403, "nobody"),
    ("e-mail in a list", {"email": [CALLER]}, 403, "no text"),
    ("e-mail in an object", {"email": {"a": CALLER}}, 403, "no text"),
    ("e-mail a number", {"email": 1}, 403, "no text"),
    ("a person", {"email": "somebody@example.com"}, 403, "no service account"),
    ("domain before", {"email": "x@gserviceaccount.com.example.com"}, 403, "not Google's"),
    ("domain after", {"email": "x@example.com/gserviceaccount.com"}, 403, "not Google's"),
    ("domain without a dot before", {"email": "x@evilgserviceaccount.com"}, 403, "not Google's"),
    ("domain alone", {"email": "x@gserviceaccount.com"}, 403, "no project"),
    ("nobody at a domain", {"email": "@acme.iam.gserviceaccount.com"}, 403, "nobody"),
    ("two at signs", {"email": f"x@{CALLER}"}, 403, "one of them"),
    ("upper case", {"email": CALLER.upper()}, 403, "users' names are exact"),
    ("upper case in the name", {"email": CALLER.capitalize()}, 403, "users' names are exact"),
    ("newline at the end", {"email": CALLER + "\n"}, 403, "another user"),
    ("newline and header", {"email": CALLER + "\r\nes-secondary-authorization: x"}, 403, "another header"),
    ("newline before", {"email": "x\n" + CALLER}, 403, "another user"),
    ("zero byte", {"email": CALLER + "\0"}, 403, "another user"),
    ("space at the end", {"email": CALLER + " "}, 403, "another user"),
    ("comma", {"email": f"{CALLER},{VICTIM}"}, 403, "two users"),
    ("asterisk", {"email": "*@acme-shop.iam.gserviceaccount.com"}, 403, "a pattern"),
    ("slash", {"email": "a/b@acme-shop.iam.gserviceaccount.com"}, 403, "a password user"),
    ("percent", {"email": "%2a@acme-shop.iam.gserviceaccount.com"}, 403, "a format"),
    ("command of a format", {"email": "%REQ(es-x)%@acme-shop.iam.gserviceaccount.com"}, 403, "a format"),
    ("dot before", {"email": ".x@acme-shop.iam.gserviceaccount.com"}, 403, "no address"),
    ("letter of another alphabet", {"email": CALLER.replace("o", "\u043e")}, 403, "another user"),
    (
        "600 characters",
        {"email": "a" * 600 + "@acme-shop.iam.gserviceaccount.com"},
        200,
        "Elasticsearch knows no such user",
    ),
    ("subject a number", {"sub": 1}, 401, "no text"),
    ("audience an object", {"aud": {"a": "https://es.example.com"}}, 401, "no text"),
    ("another issuer", {"iss": "https://evil.example.com"}, 401, "of somebody else"),
    ("issuer without scheme", {"iss": "accounts.google.com"}, 401, "not to the letter"),
    ("issuer with a slash", {"iss": "https://accounts.google.com/"}, 401, "not to the letter"),
    ("no issuer", {"iss": None}, 401, "of nobody"),
    ("issuer in a list", {"iss": ["https://accounts.google.com"]}, 401, "no text"),
]

CLAIMS: list[Row] = [with_token(name, _saying(said), status, why) for name, said, status, why in _CLAIMS]
