"""The gateway's own login: two users in turn, with one role that may only run as callers.

The machine of all other credentials (``core/credentials/rotation``) decides about it. This module translates.
"""

import base64
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.constants import ROLE_PREFIX
from searchaccess.api.stores.credentials import Auth
from searchaccess.api.times.durations import seconds
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.credentials.credential import NOWHERE, Key, Secret, Seen, Version, Wish
from searchaccess.core.credentials.keys import former_in, moment_in, number_in, slot_in
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.objects import USER, VERSION, Holder, Observed
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import RoleBody, canonical_json
from searchaccess.core.model.intake.reading import ANNOTATIONS, digits, mapping, text
from searchaccess.core.rights.diff import Difference, diff_share
from searchaccess.core.rights.ownership import Operator, Role

OVERLAP: Final = 300.0
"""Seconds for which the former user still works: every kubelet writes a changed Secret into its pods by then. It syncs
every minute, and caches Secrets for a minute in addition.
https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod"""
SUFFIXES: Final = ("a", "b")
GATEWAY: Final = "gateway"
"""Key of the metadata of the role and the users that says whose they are."""
HEIR: Final = "heir"
"""Key in it: the SearchCluster that takes them over from one that is being deleted."""
WRONG_ROLES: Final = RoleBody(description="not the one role that it was made with")
"""Stands for the rights of a user whose roles somebody changed."""
_BASIC: Final = re.compile(r"Basic ([A-Za-z0-9+/]+=*)")
_PLAIN: Final = re.compile(r"[A-Za-z0-9]")
_SERVICE_ACCOUNT: Final = r"[a-z0-9\-\.]+\@([a-z0-9\-]+\.)+gserviceaccount\.com"
_ANY: Final = r"[A-Za-z0-9\.\_\%\+\-]*"
"""What ``*`` before the @ of a person's address stands for."""


@dataclass(frozen=True, slots=True)
class LoginNames:
    """Names of a gateway's role and users."""

    instance: str
    gateway: str

    @property
    def role(self) -> str:
        """The role, and what the users' names begin with."""
        return f"{ROLE_PREFIX}-gateway.{self.instance}.{self.gateway}"

    @property
    def users(self) -> tuple[str, ...]:
        """Both users."""
        return tuple(f"{self.role}.{suffix}" for suffix in SUFFIXES)


def escaped(text_: str) -> str:
    r"""Return a text as a regular expression of Lucene has it: everything but letters and digits is escaped.

    https://www.elastic.co/guide/en/elasticsearch/reference/8.19/regexp-syntax.html
    """
    return "".join(one if _PLAIN.fullmatch(one) else f"\\{one}" for one in text_)


def run_as_patterns(instance: str, people: Collection[str] = ()) -> list[str]:
    """Return as whom a gateway may run: service accounts' users of this instance, and those of people it accepts.

    They are regular expressions, because wildcards would cover the operator's own users too, and other instances.

    Args:
        instance: of the operator.
        people: e-mail addresses, with ``*`` before their @.
    """
    prefix = escaped(f"{ROLE_PREFIX}.{instance}.")
    persons = (_ANY.join(map(escaped, person.split("*"))) for person in sorted(people))
    return [f"/{prefix}{rest}/" for rest in (_SERVICE_ACCOUNT, *persons)]


def owner_metadata(operator: Operator, holder: Holder, gateway: str) -> dict[str, Any]:
    """Return the metadata that says whose a role or user of a gateway is."""
    return operator.stamp() | {GATEWAY: {"cluster": holder.cluster, "uid": holder.uid, "name": gateway}}


def is_own(metadata: Any, operator: Operator, holder: Holder) -> bool:
    """Return whether metadata says that a role or user belongs to the gateway of a SearchCluster of this name.

    What was handed over to it belongs to it, too.
    """
    owner = mapping(mapping(metadata).get(GATEWAY))
    # No set: what others write there may not be hashable.
    return operator.owns(metadata) and holder.cluster in (owner.get("cluster"), owner.get(HEIR))


def is_inherited(metadata: Any, holder: Holder) -> bool:
    """Return whether metadata does not say yet that a role or user belongs to a SearchCluster that took it over."""
    return mapping(mapping(metadata).get(GATEWAY)).get("cluster") != holder.cluster


def handed_over(metadata: Mapping[str, Any], heir: str) -> dict[str, Any]:
    """Return the metadata of a role or user that another SearchCluster takes over."""
    return dict(metadata) | {GATEWAY: dict(mapping(metadata.get(GATEWAY))) | {HEIR: heir}}


def wanted_role(operator: Operator, holder: Holder, gateway: str, people: Collection[str] = ()) -> Role:
    """Return the gateway's role: to run as callers, and nothing else."""
    body = RoleBody(
        description=f"Of the gateway of SearchCluster {holder.cluster} alone; changes are undone.",
        other=canonical_json({"run_as": run_as_patterns(operator.instance, people)}),
    )
    name = LoginNames(operator.instance, gateway).role
    return Role(name, body, owner_metadata(operator, holder, gateway))


def diff_role(want: Role, have: Role) -> list[Difference]:
    """Return how a gateway's role differs from what it should be."""
    target = f"role/{want.name}"
    found = diff_share(target, Share(want.body.entries, want.body.cluster), Share(have.body.entries, have.body.cluster))
    wanted, other = (mapping(_parsed(body.other)) for body in (want.body, have.body))
    for key in sorted({*wanted, *other}):
        if wanted.get(key) != other.get(key):
            found.append(Difference(target, key, _json(wanted.get(key)), _json(other.get(key))))
    if want.body.description != have.body.description:
        found.append(Difference(target, "description", want.body.description, have.body.description))
    return found


def diff_users(names: LoginNames, users: Mapping[str, Mapping[str, Any]]) -> list[Difference]:
    """Return what somebody changed in users: their roles, or whether they work."""
    found = []
    for name, raw in sorted(users.items()):
        target = f"user/{name}"
        if raw.get("roles") != [names.role]:
            found.append(Difference(target, "roles", _json([names.role]), _json(raw.get("roles"))))
        if raw.get("enabled") is not True:
            found.append(Difference(target, "enabled", "true", _json(raw.get("enabled"))))
    return found


def wish_of(gateway: Gateway, holder: Holder, requested: str) -> Wish:
    """Return what is declared about the login.

    Args:
        gateway: as declared.
        holder: its SearchCluster.
        requested: the newest request for a rotation.
    """
    every = seconds(gateway.rotate_every)
    return Wish(holder.uid, RoleBody(), every, min(OVERLAP, every / 2), 0.0, requested=requested, auth=Auth.PASSWORD)


def user_metadata(operator: Operator, holder: Holder, gateway: str, key: Key) -> dict[str, Any]:
    """Return what a user's metadata says."""
    body = owner_metadata(operator, holder, gateway) | {
        "sequence": key.sequence,
        "requested": key.requested,
        "created": round(key.created * 1000),
    }
    return body | {"secret": key.slot.secret, "version": key.slot.number} if key.slot != NOWHERE else body


def key_of(name: str, raw: Mapping[str, Any], operator: Operator, holder: Holder, *, refused: bool = False) -> Key:
    """Read one of a gateway's users, which is its own.

    Args:
        name: of the user.
        raw: the user, as Elasticsearch gives it.
        operator: this operator.
        holder: its SearchCluster.
        refused: Elasticsearch refuses its password, so somebody changed that.
    """
    metadata = mapping(raw.get("metadata"))
    role = name.rpartition(".")[0]
    return Key(
        id=name,
        owner=holder.uid,
        sequence=number_in(metadata.get("sequence")),
        created=moment_in(metadata.get("created")),
        expires=None,
        rights=RoleBody() if raw.get("roles") == [role] else WRONG_ROLES,
        slot=slot_in(metadata),
        requested=text(metadata.get("requested"), ANNOTATIONS) or "",
        auth=Auth.PASSWORD,
        disabled=refused or raw.get("enabled") is not True,
        former=former_in(metadata, operator),
    )


def seen_of(keys: Sequence[Key], secret: Observed | None, holder: Holder, ages: Mapping[str, float]) -> Seen:
    """Return the observed state of the login.

    Args:
        keys: the users.
        secret: the Secret; None: there is none.
        holder: the SearchCluster that it should belong to.
        ages: by user, how many seconds ago it was made.
    """
    if secret is None:
        return Seen(tuple(keys), ages=ages)
    number = digits(secret.annotations.get(VERSION))
    found = Secret(
        secret.uid,
        holder.uid if secret.belongs_to(holder) else "",
        (Version(number),) if number is not None else (),
        secret.version,
    )
    holds = {number: user_in(secret)} if number is not None else {}
    return Seen(tuple(keys), found, holds, ages=ages)


def user_in(secret: Observed) -> str:
    """Return whose password a Secret has; empty: somebody changed it, or it is not complete."""
    user, parts = secret.annotations.get(USER, ""), parts_of(secret.login)
    return user if parts and secret.is_as_written and parts[0] == user else ""


def parts_of(login: Sealed | None) -> tuple[str, Sealed] | None:
    """Return user and password of what a Secret has under ``login.yaml``; None: it has none."""
    found = _BASIC.search(login.reveal()) if login else None
    try:
        whole = base64.b64decode(found[1], validate=True).decode() if found else ""
    except ValueError:
        return None
    user, colon, password = whole.partition(":")
    return (user, Sealed(password)) if user and colon and password else None


def connection_as(connection: Connection, user: str, password: Sealed) -> Connection:
    """Return a connection with another login.

    Args:
        connection: the operator's own.
        user: of the native realm.
        password: its password.
    """
    return replace(
        connection, username=user, password=password.reveal(), api_key="", token="", google_audience="",
        client_secret="",
    )  # fmt: skip


def free_user(names: LoginNames, keys: Collection[Key], secret: Observed | None) -> str:
    """Return the user of both to create next.

    Args:
        names: of both.
        keys: the users that exist: one at most.
        secret: the Secret; if none exists, it is the other one than the Secret has.
    """
    taken, last = {key.id: key.sequence for key in keys}, secret.annotations.get(USER) if secret else None
    return min(names.users, key=lambda name: (taken.get(name, -1), name == last))


def _parsed(body: str) -> Any:
    return json.loads(body) if body else {}


def _json(value: Any) -> str:
    return "" if value is None else canonical_json(value)
