"""API keys of ours in Elasticsearch: their names, their metadata, and how both are read back.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-api-create-api-key.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.stores.credentials import SECRET_PATTERN, STORE_PATTERN, PayloadFormat
from searchaccess.core.credentials.credential import DESCRIPTOR, NOWHERE, Key, Slot
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import ANNOTATIONS, LATEST, mapping, text, whole_number
from searchaccess.core.rights.ownership import Operator, owner_in

NAME_LIMIT: Final = 256
"""Longest name of a key that Elasticsearch accepts."""
_STORE: Final = re.compile(STORE_PATTERN)
_SECRET: Final = re.compile(SECRET_PATTERN)


@dataclass(frozen=True, slots=True)
class Login:
    """Who the operator is in Elasticsearch."""

    username: str
    realm: str
    by_api_key: bool
    """It logs in by an API key: that can make no keys with rights."""


def names_of_keys(operator: Operator) -> str:
    """Return the pattern of the names of all keys of ours."""
    return f"{operator.mapping_name}.*"


def key_name(operator: Operator, namespace: str, name: str, sequence: int) -> str:
    """Return a key's name: the audit log shows it with every use."""
    tail = f".{sequence}"
    head = f"{operator.mapping_name}.{namespace}/{name}"
    return head[: NAME_LIMIT - len(tail)] + tail


def key_metadata(
    operator: Operator, access: Access, sequence: int, requested: str, slot: Slot = NOWHERE, replaces: str = ""
) -> dict[str, Any]:
    """Return what a key's metadata says.

    Args:
        operator: this operator.
        access: whose key it is.
        sequence: its number among that one's keys.
        requested: the request for a rotation that it answers.
        slot: where its value is stored.
        replaces: id of the key that worked when it was made.
    """
    body = operator.stamp() | {
        "owner": {"namespace": access.namespace, "name": access.name, "uid": access.uid},
        "sequence": sequence,
        "requested": requested,
    }
    if replaces:
        body |= {"replaces": replaces}
    if access.credential:
        body |= {"store": access.credential.store, "name": access.credential.name}
    return body | {"secret": slot.secret, "version": slot.number} if slot != NOWHERE else body


def form_metadata(key: Key) -> dict[str, str]:
    """Return what metadata says about the format of a secret's content."""
    return {"format": key.form.value} if key.form else {}


def key_from_json(raw: Mapping[str, Any], operator: Operator, login: Login) -> Key | None:
    """Read a key as Elasticsearch gives it.

    Returns:
        None: it is not ours, or is not valid any more. It is not ours either if its metadata does not name its owner as
        Kubernetes would: anybody who may create keys can write metadata.
    """
    metadata, key_id = mapping(raw.get("metadata")), text(raw.get("id"))
    if raw.get("invalidated") or not key_id or not operator.owns(metadata):
        return None
    owner = owner_in(metadata.get("owner"))
    if owner is None:
        return None
    expires = raw.get("expiration")
    return Key(
        id=key_id,
        owner=owner.uid,
        sequence=number_in(metadata.get("sequence")),
        created=moment_in(raw.get("creation")),
        expires=moment_in(expires) if expires is not None else None,
        rights=_rights(mapping(raw.get("role_descriptors"))),
        slot=slot_in(metadata),
        requested=text(metadata.get("requested"), ANNOTATIONS) or "",
        namespace=owner.namespace,
        place=place_in(metadata),
        ours=(raw.get("username"), raw.get("realm")) == (login.username, login.realm),
        replaces=replaced_in(metadata),
        form=form_in(metadata),
        former=former_in(metadata, operator),
        name="" if operator.wrote(metadata) else owner.name,
    )


def _rights(descriptors: Mapping[str, Any]) -> RoleBody:
    """Return what a key may do; with other descriptors than our one, something that is never desired."""
    ours = descriptors.get(DESCRIPTOR)
    if len(descriptors) != 1 or not isinstance(ours, Mapping):
        return RoleBody(description="not the one role descriptor that it was made with")
    return role_from_json(ours)


def slot_in(metadata: Mapping[str, Any]) -> Slot:
    """Read where metadata says that the value is stored."""
    secret = text(metadata.get("secret"))
    return Slot(secret, number_in(metadata.get("version"))) if secret else NOWHERE


def place_in(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Read store and name of the secret in which metadata says that the value is; both empty: in none.

    Both become parts of paths. Longer names than any store takes are refused there.
    """
    store, name = text(metadata.get("store")) or "", text(metadata.get("name")) or ""
    good = _STORE.fullmatch(store) and _SECRET.fullmatch(name) and ".." not in name
    return (store, name) if good else ("", "")


def former_in(metadata: Mapping[str, Any], operator: Operator) -> str:
    """Return which predecessor issued what has metadata that says that it is ours; empty: we did."""
    return "" if operator.wrote(metadata) else text(metadata.get("controller")) or ""


def replaced_in(metadata: Mapping[str, Any]) -> str:
    """Read which key worked when this one was made."""
    return text(metadata.get("replaces")) or ""


def form_in(metadata: Mapping[str, Any]) -> PayloadFormat | None:
    """Read the format of the secret's content; None: metadata does not say it."""
    found = text(metadata.get("format"))
    return next((form for form in PayloadFormat if form.value == found), None)


def number_in(value: Any) -> int:
    """Read a number that somebody may have tampered with; 0: it is none."""
    return whole_number(value) or 0


def moment_in(value: Any) -> float:
    """Convert milliseconds since the epoch to seconds."""
    return (whole_number(value, LATEST) or 0) / 1000
