"""Reads Secrets and ConfigMaps, for everything that the operator connects to."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from searchaccess.api.references import Certificates, SecretReference

NO_CERTIFICATE: Final = "contains no readable certificate: write it in PEM form, as in a .crt file"
_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_MARK: Final = "-----BEGIN CERTIFICATE-----"
_SEQUENCE: Final = 0x30
_LONG: Final = 0x80
"""From here on the first byte of a DER length says how many bytes of length follow."""


class Incomplete(ValueError):
    """Something that is needed to connect is missing or unusable; the message says what, without a secret."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Kubernetes object with a part of the connection parameters."""

    kind: Literal["Secret", "ConfigMap"]
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Contents: TypeAlias = Mapping[Source, Mapping[str, bytes] | None]
"""What each source has; None: there is no such object."""


def secret_source(reference: SecretReference | None) -> Source | None:
    """Return the Secret that is referred to; None: none is."""
    return Source("Secret", reference.namespace, reference.name) if reference else None


def certificates_place(ca: Certificates | None) -> tuple[Source, str] | None:
    """Return the object and the key with certificates; None: there is none."""
    if ca and ca.secret_ref:
        return Source("Secret", ca.secret_ref.namespace, ca.secret_ref.name), ca.secret_ref.key
    if ca and ca.config_map_ref:
        return Source("ConfigMap", ca.config_map_ref.namespace, ca.config_map_ref.name), ca.config_map_ref.key
    return None


def text_of(source: Source, key: str, read: Contents) -> str:
    """Return the text under a key.

    Raises:
        Incomplete: there is none.
    """
    content = read.get(source)
    if content is None:
        raise Incomplete(f"{source} does not exist")
    if not content.get(key):
        raise Incomplete(f"{source} lacks {key}")
    try:
        return content[key].decode().strip()
    except UnicodeDecodeError:
        raise Incomplete(f"{source}: {key} is not text") from None


def header_text_of(source: Source, key: str, read: Contents) -> str:
    """Return the text under a key, if it can be sent as a header.

    Raises:
        Incomplete: it cannot, or there is none.
    """
    text = text_of(source, key, read)
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise Incomplete(f"{source}: {key} has characters that cannot be sent in a header")
    return text


def certificates_of(place: tuple[Source, str], read: Contents) -> str:
    """Return certificates in PEM form.

    Raises:
        Incomplete: there are none.
    """
    text = text_of(*place, read)
    if not holds_certificates(text):
        raise Incomplete(f"{place[0]}: {place[1]} {NO_CERTIFICATE}")
    return text


def holds_certificates(text: str) -> bool:
    """Return whether a text has certificates in PEM form, each of them well-formed.

    A certificate is a DER sequence of the declared length that begins with another one (RFC 5280, section 4.1). Other
    errors show when it is used.
    """
    bodies = _CERTIFICATE.findall(text)
    return bool(bodies) and len(bodies) == text.count(_MARK) and all(map(_is_certificate, bodies))


def _is_certificate(body: str) -> bool:
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except ValueError:
        return False
    outer = _sequence(der)
    return outer is not None and _sequence(outer, whole=False) is not None


def _sequence(der: bytes, *, whole: bool = True) -> bytes | None:
    """Return the content of a DER sequence; None: it is not one, or its length is not the declared one."""
    if len(der) < 2 or der[0] != _SEQUENCE:  # noqa: PLR2004 - tag and length
        return None
    size, start = der[1], 2
    if size >= _LONG:
        start += size - _LONG
        size = int.from_bytes(der[2:start], "big")
    content = der[start : start + size]
    return content if len(content) == size and (not whole or len(der) == start + size) else None
