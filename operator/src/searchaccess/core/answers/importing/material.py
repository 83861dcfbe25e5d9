"""What is imported, in one form, wherever it was read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.answers.importing.reasons import Leftover, Why
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.intake.reading import UNREADABLE, mapping, objects, text, texts
from searchaccess.core.rights.mapping import RoleMapping, mapping_of


@dataclass(frozen=True, slots=True)
class FoundRole:
    """A role."""

    name: str
    body: RoleBody
    built_in: bool = False
    """It comes with Elasticsearch."""
    disabled: bool = False
    """The license does not allow what it has, so it grants nothing."""


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A user of the native realm, without its password."""

    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundKey:
    """An API key, without its secret."""

    name: str
    id: str
    owner: str
    """Name of the user who made it; empty: not known."""
    rights: tuple[tuple[str, RoleBody], ...]
    """What its role descriptors allow, by their names; none: what its owner had."""
    limits: tuple[RoleBody, ...] | None
    """What its owner had when it was made or updated; None: not known."""
    for_clusters: bool = False
    """It is for other clusters' searches and replication."""


@dataclass(frozen=True)
class Material:
    """All that is imported at once."""

    roles: Mapping[str, FoundRole] = field(default_factory=dict)
    mappings: tuple[RoleMapping, ...] = ()
    users: tuple[FoundUser, ...] = ()
    keys: tuple[FoundKey, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    """What is known not to be importable before anything is converted."""
    ours: int = 0
    """Number of objects that an operator manages already."""
    notes: tuple[str, ...] = ()
    """What a reviewer should know."""
    partial: bool = False
    """Not everything could be read, so somebody may need what nobody seems to need."""

    def __add__(self, other: "Material") -> "Material":
        """Return both together; a role that both have is taken from the first."""
        twice = sorted(name for name in other.roles if name in self.roles and other.roles[name] != self.roles[name])
        again = tuple(
            Leftover(f"role {name}", "", Why.UNREADABLE, "two inputs have different roles of this name", roles=(name,))
            for name in twice
        )
        return replace(
            self,
            roles={**other.roles, **self.roles},
            mappings=(*self.mappings, *(each for each in other.mappings if each not in self.mappings)),
            users=(*self.users, *(each for each in other.users if each not in self.users)),
            keys=(*self.keys, *other.keys),
            leftovers=(*self.leftovers, *other.leftovers, *again),
            ours=self.ours + other.ours,
            partial=self.partial or other.partial,
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )


def as_of_files(found: Material) -> Material:
    """Return what files have as a part of what the cluster has: they do not show who else needs a role.

    Args:
        found: what all files have.
    """
    absent = [
        what
        for what, there in (
            ("role mappings", found.mappings),
            ("native users", found.users),
            ("API keys", found.keys),
        )
        if not there
    ]
    lacks = f", which have no {' and no '.join(absent)}" if absent else ""
    note = f"Elasticsearch was not read, only files{lacks}: who else needs a role cannot be seen, so keep the old roles"
    return replace(found, partial=True, notes=(*found.notes, note))


def is_ours(raw: Mapping[str, Any]) -> bool:
    """Return whether an operator manages an object, or released it, by its metadata."""
    metadata = mapping(raw.get("metadata"))
    return MANAGED_BY in (metadata.get("managed_by"), metadata.get("released_by"))


def roles_in(found: Mapping[str, Any]) -> Material:
    """Read roles by name, as the role API and ``roles.yml`` have them."""
    roles, bad, ours = dict[str, FoundRole](), list[Leftover](), 0
    for name, raw in sorted(found.items()):
        if not isinstance(raw, Mapping) or raw == UNREADABLE:
            bad.append(Leftover(f"role {name}", "", Why.UNREADABLE, "it is not a role, or is nested too deeply"))
        elif is_ours(raw):
            ours += 1
        else:
            built_in = mapping(raw.get("metadata")).get("_reserved") is True
            disabled = mapping(raw.get("transient_metadata")).get("enabled") is False
            roles[name] = FoundRole(name, role_from_json(raw), built_in, disabled)
    return Material(roles=roles, leftovers=tuple(bad), ours=ours)


def mappings_in(found: Mapping[str, Any]) -> Material:
    """Read role mappings by name, as the role mapping API has them."""
    mappings, bad, ours = list[RoleMapping](), list[Leftover](), 0
    for name, raw in sorted(found.items()):
        if not isinstance(raw, Mapping) or raw == UNREADABLE:
            bad.append(Leftover(f"role mapping {name}", "", Why.UNREADABLE, "it is none, or nested too deeply"))
        elif is_ours(raw):
            ours += 1
        else:
            mappings.append(mapping_of(name, raw))
    return Material(mappings=tuple(mappings), leftovers=tuple(bad), ours=ours)


def users_in(found: Iterable[Any]) -> Material:
    """Read users of the native realm, as the user API has them.

    Those that come with Elasticsearch, and those that are disabled, are left out.
    """
    users, ours = list[FoundUser](), 0
    for raw in objects(list(found)):
        name = text(raw.get("username"))
        if is_ours(raw):
            ours += 1
        elif name and raw.get("enabled") is not False and mapping(raw.get("metadata")).get("_reserved") is not True:
            users.append(FoundUser(name, texts(raw.get("roles"))))
    return Material(users=tuple(sorted(users, key=lambda user: user.name)), ours=ours)


def keys_in(found: Iterable[Any]) -> Material:
    """Read API keys, as the API for keys has them. Those that no longer work are left out."""
    keys, ours = list[FoundKey](), 0
    for raw in objects(list(found)):
        if raw.get("invalidated") is True:
            continue
        if is_ours(raw):
            ours += 1
            continue
        limits = objects(raw.get("limited_by"))
        keys.append(
            FoundKey(
                text(raw.get("name")) or "(without a name)",
                text(raw.get("id")) or "",
                text(raw.get("username")) or "",
                tuple(_bodies(raw.get("role_descriptors"))),
                tuple(body for _, body in _bodies(limits[0])) if len(limits) == 1 else None,
                raw.get("type") == "cross_cluster",
            )
        )
    return Material(keys=tuple(sorted(keys, key=lambda key: (key.name, key.id))), ours=ours)


MADE_BY_ADMIN: Final = (
    "API keys in files are taken to be made by a login that may do everything: if it may do less, so may the key"
)
_EVERYTHING: Final = {"owner": {"cluster": ["all"], "indices": [{"names": ["*"], "privileges": ["all"]}]}}


def key_in_file(name: str, raw: Mapping[str, Any]) -> Material:
    """Read an API key from a file, which does not say what the key's owner may do."""
    found = keys_in([{"name": name, **raw, "limited_by": [_EVERYTHING]}])
    return replace(found, notes=(MADE_BY_ADMIN,)) if found.keys else found


def _bodies(given: Any) -> Iterable[tuple[str, RoleBody]]:
    for name, raw in sorted(mapping(given).items()):
        yield name, role_from_json(mapping(raw))
