"""Tokens as an attacker could forge them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.stack.trust.tokens import DEFAULT_AUDIENCE, DEFAULT_ISSUER, TokenIssuer

IAP_ISSUER = "https://cloud.google.com/iap"
IAP_AUDIENCE = "/projects/123/global/backendServices/456"


class Forger:
    """Signs with Google's key, in place of Google, and with keys of the attacker."""

    def __init__(self) -> None:
        self.google = TokenIssuer()
        self.attacker = TokenIssuer()
        self.curve = ec.generate_private_key(ec.SECP256R1())
        self.iap = ec.generate_private_key(ec.SECP256R1())

    def mint(self, email: str, **claims: Any) -> str:
        """A token of Google."""
        return self.google.mint(email, **claims)

    def claims(self, email: str = "orders@acme-shop.iam.gserviceaccount.com", **more: Any) -> dict[str, Any]:
        """What a token of Google says; None removes a claim."""
        now = int(time.time())
        said = {
            "iss": DEFAULT_ISSUER,
            "aud": DEFAULT_AUDIENCE,
            "sub": "123456789012345678901",
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + 3000,
            **more,
        }
        return {name: value for name, value in said.items() if value is not None}

    def saying(self, email: str = "orders@acme-shop.iam.gserviceaccount.com", **more: Any) -> str:
        """A token with Google's signature that says anything."""
        return self.signed(self.claims(email, **more))

    def signed(
        self,
        claims: Any,
        head: Mapping[str, Any] | None = None,
        key: rsa.RSAPrivateKey | None = None,
        alg: str = "RS256",
    ) -> str:
        """A token with a signature, by Google unless there is another key. Claims may be a text."""
        text = claims if isinstance(claims, str) else json.dumps(claims)
        headers = {"kid": self.google.key_id, **(head or {})}
        signer = jwt.PyJWS()
        return signer.encode(text.encode(), key or self.google._key, algorithm=alg, headers=headers)

    def unsigned(self, head: Mapping[str, Any], signature: str = "") -> str:
        """A token without a valid signature."""
        return f"{encoded(head)}.{encoded(self.claims())}.{signature}"

    def by_secret(self, secret: bytes) -> str:
        """A token whose signature is an HMAC with what everybody can read."""
        text = f"{encoded({'alg': 'HS256', 'kid': self.google.key_id})}.{encoded(self.claims())}"
        signature = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    def assertion(self, email: str, **more: Any) -> str:
        """What the Identity-Aware Proxy says."""
        said = self.claims(email, **{"iss": IAP_ISSUER, "aud": IAP_AUDIENCE, "email_verified": None, **more})
        return jwt.encode(said, self.iap, algorithm="ES256", headers={"kid": "iap"})

    def iap_keys(self) -> str:
        """The keys that the Identity-Aware Proxy publishes."""
        key = jwt.algorithms.ECAlgorithm.to_jwk(self.iap.public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": "iap", "use": "sig", "alg": "ES256"}]})


def encoded(part: Any) -> str:
    """A part of a token."""
    text = part if isinstance(part, str) else json.dumps(part)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def changed(token: str, part: int, change: Mapping[str, Any]) -> str:
    """A token whose head or payload was changed after it was signed."""
    parts = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    parts[part] = encoded({**said, **change})
    return ".".join(parts)
