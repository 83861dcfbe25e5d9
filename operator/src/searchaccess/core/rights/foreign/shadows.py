"""Whether a role in a file of a node shadows a role of ours: what a caller really has, and what the role API shows.

A role in ``roles.yml`` takes precedence over the one of the same name that the role API writes, and the role API shows
only the latter. https://www.elastic.co/guide/en/elasticsearch/reference/8.19/defining-roles.html (file-based)
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final, TypeAlias

from searchaccess.core.model.canonical import Entry, RoleBody, canonical_json, role_from_json
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.intake.reading import mapping, within
from searchaccess.core.rights.foreign.additions import Budget, Declared, added_by

CLEAN: Final = 10
"""Checks in a row without a shadow after which it is over: each may reach another node, and only one may have the
file."""
_MOST: Final = 3
"""Different shadows of one role that are remembered: each node may have a file of its own."""
_NAME, _SHOWN = 120, 125
"""Characters of the role's name, and of what it adds or lacks: the whole fits into a status, so it is recalled as it
was."""
_TOGETHER: Final = 64
"""Combinations of queries and fields of one entry that are compared."""
_INDICES: Final = ("indices", "remote_indices")
_RUN_AS: Final = "run_as"
_NEVER_COMPARED: Final = frozenset({"global"})
"""It has another form in effective privileges; roles of ours have none of it. Alone it gives no rights on data."""

_ALL_FIELDS: Final = ("*",)
NO_RIGHTS: Final = RoleBody()


@dataclass(frozen=True, slots=True, order=True)
class Shadow:
    """A role in a file that is in force instead of one of ours.

    Args:
        role: name of both.
        text: for people: what it adds and lacks, and where to look.
    """

    role: str
    text: str


Seen: TypeAlias = Mapping[Shadow, int]
"""The shadows of one role, each with the number of checks since it was last seen."""


def effective_role(raw: Any) -> RoleBody:
    """Return what a user really has, as if it were one role.

    Args:
        raw: the answer of ``GET _security/user/_privileges``, of any type. Roles of a user are merged in it: an entry
            has lists of queries and of field security.
    """
    if not isinstance(raw, Mapping) or not within(raw):
        return RoleBody(other=canonical_json({"unreadable": True}))
    given = {key: value for key, value in raw.items() if key not in _NEVER_COMPARED}
    for kind in _INDICES:
        if isinstance(raw.get(kind), list):
            given[kind] = [one for entry in raw[kind] for one in _one_by_one(entry)]
    return role_from_json(given)


def _one_by_one(entry: Any) -> Iterator[Any]:
    """Yield an entry once for each of its queries with each of its field security."""
    if not isinstance(entry, Mapping):
        yield entry
        return
    queries, fields = (entry.get(key) or [None] for key in ("query", "field_security"))
    if not isinstance(queries, list) or not isinstance(fields, list):
        yield entry
        return
    rest = {key: value for key, value in entry.items() if key not in {"query", "field_security"}}
    if len(queries) * len(fields) > _TOGETHER:
        rest["more"] = "queries and fields than are compared"
    for query, field_security in islice(product(queries, fields), _TOGETHER):
        yield rest | {"query": query, "field_security": field_security}


def shadow_of(role: str, stored: RoleBody, effective: RoleBody, everybody: RoleBody = NO_RIGHTS) -> Shadow | None:
    """Return what is in force instead of a role; None: the role itself, or one that means the same.

    Args:
        role: its name.
        stored: as the role API shows it.
        effective: what a user has who has only this role.
        everybody: what any user has: the roles of the anonymous user.
    """
    stored, effective = _joined(stored), _joined(effective)
    if _atoms(stored) == _atoms(effective):
        return None
    everybody = _joined(everybody)
    both = (stored, everybody)
    allowed = Declared(
        (*stored.entries, *everybody.entries), frozenset(name for each in both for name in _lower(each.cluster))
    )
    has = Declared(effective.entries, _lower(effective.cluster))
    extra = added_by(_without_others_of(effective, both), allowed, Budget())
    missing = added_by(_without_others_of(stored, [effective]), has, Budget())
    if not (extra or missing):
        return None
    changes = (("adds", extra), ("lacks", missing))
    shown = "; ".join(f"it {verb} {bounded_text(what, _SHOWN)}" for verb, what in changes if what)
    name = bounded_text(role, _NAME)
    return Shadow(
        role,
        f"role {name} in a file of a node is in force instead of the one in Elasticsearch: {shown}. Look for it in "
        "roles.yml on each node",
    )


def ignores_run_as(effective: RoleBody, login: RoleBody) -> bool:
    """Return whether an answer is about the login itself: where run_as is off, Elasticsearch ignores the header.

    Args:
        effective: what the user has, as it was answered.
        login: what the login itself has. Only it may run as callers.
    """
    return bool(_others(login).get(_RUN_AS)) and _others(effective).get(_RUN_AS) == _others(login).get(_RUN_AS)


def of_everybody(login: RoleBody) -> RoleBody:
    """Return what any user has, by what a gateway's login has: its own role lets it run as callers, and no more."""
    others = {key: value for key, value in _others(login).items() if key != _RUN_AS}
    return replace(login, other=canonical_json(others) if others else "")


def seen_after(known: Seen, found: Shadow | None) -> Seen:
    """Return what is known of the shadows of a role after another check.

    Args:
        known: before.
        found: by this check; None: there was no shadow.
    """
    kept = {shadow: checks + 1 for shadow, checks in known.items() if checks + 1 < CLEAN}
    if found is not None:
        kept[found] = 0
    return dict(sorted(kept.items(), key=lambda item: item[1])[:_MOST])


def shadows_in(seen: Seen) -> tuple[Shadow, ...]:
    """Return the shadows that are still believed to be there, in an order that does not change."""
    return tuple(sorted(seen))


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str.lower, names))


def _others(role: RoleBody) -> dict[str, Any]:
    return dict(mapping(json.loads(role.other))) if role.other else {}


def _without_others_of(role: RoleBody, known: Iterable[RoleBody]) -> RoleBody:
    """Return a role without what is rare in roles and others have too, whatever its form."""
    named = {key for each in known for key in _others(each)} | _NEVER_COMPARED
    others = {key: value for key, value in _others(role).items() if key not in named}
    return replace(role, other=canonical_json(others) if others else "")


def _joined(role: RoleBody) -> RoleBody:
    """Return a role with its entries joined as Elasticsearch does it, one for each query with each field security.

    It joins entries with the same names: privileges, queries and fields of all of them, and no query or field security
    if one of them has none.
    """
    groups: dict[Entry, list[Entry]] = {}
    for entry in role.entries:
        alike = replace(entry, privileges=(), query="", include=_ALL_FIELDS, exclude=())
        groups.setdefault(alike, []).append(entry)
    found = list[Entry]()
    for alike, entries in groups.items():
        privileges = tuple(sorted(_lower(name for each in entries for name in each.privileges)))
        queries, fields = {each.query for each in entries}, {(each.include, each.exclude) for each in entries}
        both = product(
            [""] if "" in queries else sorted(queries),
            sorted(fields) if all(each.hides_fields for each in entries) else [(_ALL_FIELDS, ())],
        )
        for query, (include, exclude) in islice(both, _TOGETHER):
            found.append(replace(alike, privileges=privileges, query=query, include=include, exclude=exclude))
    return replace(role, entries=tuple(found))


def _atoms(role: RoleBody) -> frozenset[object]:
    """Return the parts of a joined role, in no order."""
    others = {key: value for key, value in _others(role).items() if key not in _NEVER_COMPARED}
    return frozenset((*role.entries, *_lower(role.cluster), canonical_json(others)))
