"""Users with passwords of ours in Elasticsearch's native realm: each has a role of its own, of the same name.

https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-api-put-user.html
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key
from searchaccess.core.credentials.keys import (
    form_in,
    form_metadata,
    former_in,
    key_metadata,
    moment_in,
    number_in,
    place_in,
    replaced_in,
    slot_in,
)
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import ANNOTATIONS, mapping, text
from searchaccess.core.rights.ownership import Operator, Role, owner_in

NAME_LIMIT: Final = 507
"""Longest name of a user that Elasticsearch accepts."""
TAIL: Final = 9
"""Characters that make a user's name unique for all time: a dot, and eight hexadecimal digits."""


def is_user_name(operator: Operator, name: str) -> bool:
    """Return whether a name is that of a user of ours, and of its role. No principal has a slash in it."""
    return name.startswith(operator.role_name("")) and "/" in name


def names_of_users(operator: Operator) -> str:
    """Return what the names of all users of ours begin with."""
    return operator.role_name("")


def user_name(operator: Operator, namespace: str, name: str, sequence: int) -> str:
    """Return what a user's name begins with: the audit log shows it with every use."""
    tail = f".{sequence}"
    head = operator.role_name(f"{namespace}/{name}")
    return head[: NAME_LIMIT - TAIL - len(tail)] + tail


def user_metadata(operator: Operator, access: Access, key: Key) -> dict[str, Any]:
    """Return what a user's metadata says; Elasticsearch itself does not record when it was made."""
    body = key_metadata(operator, access, key.sequence, key.requested, key.slot, key.replaces)
    return body | form_metadata(key) | {"created": round(key.created * 1000)}


def user_role(operator: Operator, access: Access, name: str, rights: RoleBody) -> Role:
    """Return the role of a user."""
    described = RoleBody(
        cluster=rights.cluster, entries=rights.entries, description=f"Of the user {name} alone; changes are undone."
    )
    owner = {"namespace": access.namespace, "name": access.name, "uid": access.uid}
    return Role(name, described, operator.stamp() | {"owner": owner})


def user_from_json(raw: Mapping[str, Any], role: Mapping[str, Any] | None, operator: Operator) -> Key | None:
    """Read a user as Elasticsearch gives it.

    Args:
        raw: the user.
        role: the role of the same name; None: there is none.
        operator: this operator.

    Returns:
        None: it is not ours, or does not say whose it is in names that Kubernetes has.
    """
    metadata, name = mapping(raw.get("metadata")), text(raw.get("username"), NAME_LIMIT) or ""
    owner = owner_in(metadata.get("owner"))
    if owner is None or not operator.owns(metadata) or not is_user_name(operator, name):
        return None
    return Key(
        id=name,
        owner=owner.uid,
        sequence=number_in(metadata.get("sequence")),
        created=moment_in(metadata.get("created")),
        expires=None,
        rights=_rights(name, raw.get("roles"), role),
        slot=slot_in(metadata),
        requested=text(metadata.get("requested"), ANNOTATIONS) or "",
        namespace=owner.namespace,
        place=place_in(metadata),
        auth=Auth.PASSWORD,
        disabled=raw.get("enabled") is not True,
        replaces=replaced_in(metadata),
        form=form_in(metadata),
        former=former_in(metadata, operator),
        name="" if operator.wrote(metadata) else owner.name,
    )


def _rights(name: str, roles: Any, role: Mapping[str, Any] | None) -> RoleBody:
    """Return what a user may do; with other roles than its own, something that is never desired."""
    if roles != [name]:
        return RoleBody(description="not the one role that it was made with")
    return RoleBody() if role is None else replace(role_from_json(role), description="")
