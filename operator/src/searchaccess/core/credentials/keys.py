"""API keys of ours in Elasticsearch: their names, their metadata, and how both are read back.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-api-create-api-key.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.core.credentials.credential import DESCRIPTOR, NOWHERE, Key, Slot
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.rights.ownership import Operator

NAME_LIMIT: Final = 256
"""Longest name of a key that Elasticsearch takes."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who the operator is in Elasticsearch."""

    username: str
    realm: str
    by_api_key: bool
    """It logs in by an API key: that can make no keys with rights."""


def names_of_keys(operator: Operator) -> str:
    """Give the pattern of the names of all keys of ours."""
    return f"{operator.mapping_name}.*"


def key_name(operator: Operator, namespace: str, name: str, sequence: int) -> str:
    """Give a key's name: the audit log shows it with every use."""
    tail = f".{sequence}"
    head = f"{operator.mapping_name}.{namespace}/{name}"
    return head[: NAME_LIMIT - len(tail)] + tail


def key_metadata(
    operator: Operator, access: Access, sequence: int, requested: str, slot: Slot = NOWHERE, replaces: str = ""
) -> dict[str, Any]:
    """Give what a key's metadata says.

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


def key_from_json(raw: Mapping[str, Any], operator: Operator, login: Login) -> Key | None:
    """Read a key as Elasticsearch gives it; None: it is not ours, or does not work any more."""
    metadata = raw.get("metadata")
    if raw.get("invalidated") or not isinstance(metadata, Mapping) or not operator.owns(metadata):
        return None
    owner = metadata.get("owner")
    owner = owner if isinstance(owner, Mapping) else {}
    uid = owner.get("uid")
    descriptors = raw.get("role_descriptors")
    descriptors = descriptors if isinstance(descriptors, Mapping) else {}
    expires = raw.get("expiration")
    return Key(
        id=str(raw.get("id", "")),
        owner=uid if isinstance(uid, str) else "",
        sequence=number_in(metadata.get("sequence")),
        created=number_in(raw.get("creation")) / 1000,
        expires=number_in(expires) / 1000 if expires is not None else None,
        rights=_rights(descriptors),
        slot=slot_in(metadata),
        requested=str(metadata.get("requested") or ""),
        namespace=str(owner.get("namespace") or ""),
        place=(str(metadata.get("store") or ""), str(metadata.get("name") or "")),
        ours=(raw.get("username"), raw.get("realm")) == (login.username, login.realm),
        replaces=replaced_in(metadata),
    )


def _rights(descriptors: Mapping[str, Any]) -> RoleBody:
    """Give what a key may do; with other descriptors than our one, something that nobody ever wants."""
    ours = descriptors.get(DESCRIPTOR)
    if len(descriptors) != 1 or not isinstance(ours, Mapping):
        return RoleBody(description="not the one role descriptor that it was made with")
    return role_from_json(ours)


def slot_in(metadata: Mapping[str, Any]) -> Slot:
    """Read where metadata says that the value is stored."""
    secret = metadata.get("secret")
    return Slot(secret, number_in(metadata.get("version"))) if isinstance(secret, str) and secret else NOWHERE


def replaced_in(metadata: Mapping[str, Any]) -> str:
    """Read which key worked when this one was made."""
    replaces = metadata.get("replaces")
    return replaces if isinstance(replaces, str) else ""


def number_in(value: Any) -> int:
    """Read a number that somebody may have tampered with."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
