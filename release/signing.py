"""Signs statements, and verifies them: DSSE envelopes, which in-toto and cosign use too."""

import json
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from release.errors import BadKey, NotGenuine

PAYLOAD: Final = "application/vnd.in-toto+json"


def sign(statement: dict[str, Any], key: Path, password: str = "") -> str:
    """Return an envelope with a statement and its signature, as JSON.

    Args:
        statement: what to sign.
        key: a private key (PEM; ECDSA, Ed25519 or RSA).
        password: of the key, if it is encrypted.

    Raises:
        BadKey: the key cannot be read, or is of another kind.
    """
    try:
        signer = CryptoSigner(load_pem_private_key(key.read_bytes(), password.encode() or None))
    except (OSError, TypeError, ValueError) as error:
        raise BadKey(f"no usable private key in {key}: {error}") from None
    envelope = Envelope(json.dumps(statement, sort_keys=True).encode(), PAYLOAD, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict())


def verified(envelope: str, key: Path) -> dict[str, Any]:
    """Return the statement in an envelope.

    Args:
        envelope: the envelope, as JSON.
        key: the public key (PEM).

    Raises:
        BadKey: the key cannot be read.
        NotGenuine: the statement was not signed by this key.
    """
    try:
        public = SSlibKey.from_crypto(load_pem_public_key(key.read_bytes()))
    except (OSError, TypeError, ValueError) as error:
        raise BadKey(f"no usable public key in {key}: {error}") from None
    try:
        found = Envelope.from_dict(json.loads(envelope))
        found.verify([public], 1)
        statement = json.loads(found.payload)
    except VerificationError:
        raise NotGenuine("the signature is not of this key, or what it signed was changed") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotGenuine(f"it is no signed statement: {error!r}") from None
    if found.payload_type != PAYLOAD or not isinstance(statement, dict):
        raise NotGenuine("it is no signed statement of in-toto")
    return statement
