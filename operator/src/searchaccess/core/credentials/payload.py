"""What a secret holds: the form in which consumers read an API key or a password."""

import base64
import binascii
import json
from typing import Any, Final

from searchaccess.api.stores.credentials import Auth, PayloadFormat
from searchaccess.core.credentials.sealed import Sealed

_LONGEST: Final = 65536
"""Bytes that a version of a secret may have. https://cloud.google.com/secret-manager/quotas"""


def build_payload(form: PayloadFormat, auth: Auth, key_id: str, secret: Sealed, url: str, expires: str) -> Sealed:
    """Return what to store.

    Args:
        form: how consumers want it.
        auth: what it is.
        key_id: the key's id, or the user's name.
        secret: the key's secret part, or the password.
        url: where to use it.
        expires: when a key ends (RFC 3339).
    """
    encoded = base64.b64encode(f"{key_id}:{secret.reveal()}".encode()).decode()
    if form is PayloadFormat.ENCODED:
        return Sealed(encoded)
    if auth is Auth.PASSWORD:
        body = {"username": key_id, "password": secret.reveal(), "encoded": encoded, "url": url}
    else:
        body = {"id": key_id, "api_key": secret.reveal(), "encoded": encoded, "url": url, "expires": expires}
    return Sealed(json.dumps(body))


_PARTS: Final = (
    ("url", "ELASTICSEARCH_URL"),
    ("id", "ELASTICSEARCH_API_KEY_ID"),
    ("expires", "ELASTICSEARCH_API_KEY_EXPIRES"),
    ("username", "ELASTICSEARCH_USERNAME"),
    ("password", "ELASTICSEARCH_PASSWORD"),
)
_ENCODED_KEY: Final = "ELASTICSEARCH_API_KEY"
PART_NAMES: Final = frozenset({_ENCODED_KEY, *(name for _, name in _PARTS)})
"""All names of parts, as environment variables."""


def parts_of(content: bytes | str) -> dict[str, Sealed]:
    """Return the parts of a payload by names of environment variables; none: it has one part alone.

    The same payload has the same parts at any time. Never raises, and never shows the content.
    """
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(body, dict) or not held_key(content):
        return {}
    found = {name: body[key] for key, name in _PARTS if isinstance(body.get(key), str)}
    if "api_key" in body:
        found[_ENCODED_KEY] = body["encoded"]
    return {name: Sealed(text) for name, text in found.items()}


def held_key(content: bytes | str) -> str:
    """Return the id of the key, or the name of the user, in a payload of either form; empty: it is something else.

    Never raises, and never shows the content.
    """
    if len(content) > _LONGEST:
        return ""
    try:
        text = content.decode() if isinstance(content, bytes) else content
    except UnicodeDecodeError:
        return ""
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        key_id, encoded = body.get("id", body.get("username")), body.get("encoded")
        whole = isinstance(key_id, str) and isinstance(encoded, str) and _id_in(encoded) == key_id
        return key_id if whole and isinstance(key_id, str) else ""
    return _id_in(text)


def _id_in(encoded: str) -> str:
    try:
        key_id, colon, _ = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error, UnicodeDecodeError):
        return ""
    return key_id if colon else ""
