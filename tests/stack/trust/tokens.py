"""Identity tokens like Google's, signed by a key of our own."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DEFAULT_ISSUER = "https://accounts.google.com"
DEFAULT_AUDIENCE = "https://es.example.com"

_SUBJECT_DIGITS = 21
_OWNER_ONLY = 0o600


class TokenIssuer:
    """Mints RS256 identity tokens; Elasticsearch's realm trusts its JWKS."""

    def __init__(self, key: rsa.RSAPrivateKey | None = None) -> None:
        self._key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = hashlib.sha256(public).hexdigest()[:16]

    @classmethod
    def from_file(cls, path: Path) -> Self:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{path} is not an RSA private key.")
        return cls(key)

    def save(self, path: Path) -> None:
        """Write the signing key, readable by its owner only."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
            file.write(pem)

    def jwks(self) -> str:
        """The public key as the JSON Web Key Set that a realm's `pkc_jwkset_path` reads."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": self.key_id, "use": "sig", "alg": "RS256"}]})

    def public_pem(self) -> str:
        """The public key in PEM form, as Vault reads it."""
        public = self._key.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return public.public_bytes(serialization.Encoding.PEM, form).decode()

    def mint(
        self,
        email: str,
        *,
        sub: str | None = None,
        audience: str = DEFAULT_AUDIENCE,
        issuer: str = DEFAULT_ISSUER,
        lifetime: int = 3600,
        **claims: Any,
    ) -> str:
        """A signed token for a service account; more claims may be given, or override these."""
        now = int(time.time())
        subject = sub or subject_of(email)
        payload = {
            "iss": issuer,
            "aud": audience,
            "sub": subject,
            "azp": subject,
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + lifetime,
            **claims,
        }
        return jwt.encode(payload, self._key, algorithm="RS256", headers={"kid": self.key_id})


def subject_of(email: str) -> str:
    """A stable 21-digit number, as Google's unique ids are."""
    number = int.from_bytes(hashlib.sha256(email.encode()).digest())
    first = 10 ** (_SUBJECT_DIGITS - 1)
    return str(first + number % first)
