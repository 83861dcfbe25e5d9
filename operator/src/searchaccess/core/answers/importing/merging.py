"""Finds restrictions that Elasticsearch does not apply today, because it merges entries with the same names.

It merges all entries of a caller's roles whose sets of index names are identical: the privileges of all of them, with
the documents and the fields of all of them. A SearchAccess keeps restricted entries apart (docs/adr/0011), so it would
grant less. What is meant, a person has to say.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.restrictions.union import restricts

Place: TypeAlias = tuple[str, int]
"""Name of a role, and the position of one of its entries."""


def merged(bodies: Mapping[str, RoleBody]) -> dict[Place, Place]:
    """Return which restricted entries Elasticsearch merges with others, so that they mean something else.

    Args:
        bodies: all roles of one login, by name.

    Returns:
        By entry, one of those with which it is merged.
    """
    return dict(_found(_groups(bodies)))


def _groups(bodies: Mapping[str, RoleBody]) -> Iterable[list[tuple[Place, Entry]]]:
    groups: dict[object, list[tuple[Place, Entry]]] = {}
    for role, body in sorted(bodies.items()):
        for position, entry in enumerate(body.entries):
            if not entry.application:
                key = entry.clusters, entry.restricted, entry.names
                groups.setdefault(key, []).append(((role, position), entry))
    return groups.values()


def _found(groups: Iterable[list[tuple[Place, Entry]]]) -> Iterator[tuple[Place, Place]]:
    for group in groups:
        kinds = {(entry.query, entry.include, entry.exclude) for _, entry in group}
        # With the same privileges, it makes no difference whether entries are merged: each action has all of them.
        if len(kinds) == 1 or len({entry.privileges for _, entry in group}) == 1:
            continue
        for place, entry in group:
            if restricts(entry):
                yield place, next(other for other, their in group if _differ(entry, their))


def _differ(one: Entry, another: Entry) -> bool:
    return (one.query, one.include, one.exclude) != (another.query, another.include, another.exclude)
