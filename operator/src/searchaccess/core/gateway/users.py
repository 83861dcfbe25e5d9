"""Native users of Elasticsearch that callers behind a gateway run as: one for each principal with a role of ours.

Such a user has the name of the principal's role, that role alone, and a password hash that is random, so that nobody
knows a password for it. https://www.elastic.co/guide/en/elasticsearch/reference/8.19/run-as-privilege.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.core.model.canonical import canonical_json
from searchaccess.core.model.intake.reading import mapping, text, texts
from searchaccess.core.rights.diff import Difference, diff_metadata
from searchaccess.core.rights.ownership import Operator

_PRINCIPAL: Final = re.compile(r"[a-z0-9.-]+@([a-z0-9-]+\.)+gserviceaccount\.com")
"""What the gateway's own role may run as, after the prefix. Users with passwords have a slash in their names."""
_NAME_LIMIT: Final = 507


@dataclass(frozen=True, slots=True)
class NativeUser:
    """A user of the native realm, without its password."""

    name: str
    roles: tuple[str, ...]
    metadata: Mapping[str, Any]
    enabled: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the user as the API takes it, without a password."""
        return {"roles": list(self.roles), "metadata": dict(self.metadata), "enabled": self.enabled}


def user_of(raw: Mapping[str, Any]) -> NativeUser:
    """Read a user as the API returns it."""
    name = text(raw.get("username"), _NAME_LIMIT) or ""
    return NativeUser(name, texts(raw.get("roles")), dict(mapping(raw.get("metadata"))), raw.get("enabled") is True)


def principal_of(operator: Operator, name: str) -> str:
    """Return the principal whose user has this name; empty: no user of a principal is named so."""
    prefix = operator.role_name("")
    principal = name.removeprefix(prefix)
    return principal if name.startswith(prefix) and _PRINCIPAL.fullmatch(principal) else ""


def build_user(operator: Operator, principal: str) -> NativeUser:
    """Return the user that a principal should have."""
    name = operator.role_name(principal)
    return NativeUser(name, (name,), operator.stamp() | {"principal": principal})


@dataclass(frozen=True, slots=True)
class UserPlan:
    """What is to be done about one user."""

    name: str
    write: NativeUser | None = None
    """With a new random hash in any case."""
    delete: bool = False
    conflict: str = ""
    """Name of a foreign user with a name of ours."""
    drift: tuple[Difference, ...] = ()
    """What somebody changed."""

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.delete or self.write is not None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan depends on, beside the user itself."""

    needed: bool
    """Whether the principal's role exists and is ours, or was released by us; False: the role is certainly gone."""
    enforced: bool = True
    """False: all SearchAccesses of the principal are held or observed; what somebody changed is reported alone."""
    seen: bool = False
    """Whether it is known from an earlier reconcile, so that its absence is drift."""
    reset: bool = False
    """Whether its password may have been set by somebody, so that it gets a new hash in any case."""
    restamp: bool = True
    """Whether a predecessor's user, otherwise as desired, is written to have our stamp."""


def plan_user(operator: Operator, principal: str, observed: NativeUser | None, known: Circumstances) -> UserPlan:
    """Plan one principal's user.

    Args:
        operator: this operator.
        principal: whose user it is.
        observed: the user of its name; None: there is none.
        known: what else matters.
    """
    desired = build_user(operator, principal)
    name, target = desired.name, f"user/{desired.name}"
    if observed is not None and not operator.owns(observed.metadata):
        # Nobody knows who has its password, so it is not adopted either.
        return UserPlan(name, conflict=name if known.needed else "")
    if not known.needed:
        return UserPlan(name, delete=observed is not None)
    if observed is None:
        drift = (Difference(target, ".", canonical_json(desired.to_json()), ""),) if known.seen else ()
        return UserPlan(name, write=desired if known.enforced or not drift else None, drift=drift)
    differences = tuple(diff_user(target, desired, observed, operator))
    stale = known.restamp and not operator.wrote(observed.metadata)
    if known.enforced and (differences or stale or known.reset):
        return UserPlan(name, write=desired, drift=differences)
    # What is held stays as it is, but for the password.
    return UserPlan(name, write=observed if known.reset else None, drift=differences)


def diff_user(target: str, want: NativeUser, have: NativeUser, operator: Operator) -> list[Difference]:
    """Return the differences between two users. A predecessor's stamp is not one."""
    pairs = (
        ("enabled", canonical_json(want.enabled), canonical_json(have.enabled)),
        ("roles", canonical_json(sorted(want.roles)), canonical_json(sorted(have.roles))),
    )
    found = [Difference(target, path, one, other) for path, one, other in pairs if one != other]
    return found + diff_metadata(target, want.metadata, {**have.metadata, "controller": operator.controller})
