"""What several roles together allow on an index, as Elasticsearch unites them.

Entries of all roles of a caller with the same set of index names become one: it has the privileges of all of them, and
a restriction only if each of them has one. An action then gets the documents and the fields of all entries that match
the index and allow this action: the union of the documents, and separately the union of the fields (docs/adr/0011,
0029). An API key gets what its own rights and those of its owner both allow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from searchaccess.core.answers.access.actions import Question, Way, all_patterns, is_allowed, patterns_of
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.restrictions.union import Fields, fields_of
from searchaccess.core.patterns.parsed import PatternError, parse_index_pattern
from searchaccess.core.patterns.parsed import matches as matches_pattern
from searchaccess.core.patterns.restricted import RESTRICTED
from searchaccess.core.patterns.wildcards import is_name
from searchaccess.core.patterns.wildcards import matches as matches_wildcard

_KEPT: Final = 1 << 16
_STEPS: Final = 20_000
_METADATA: Final = "_*"
"""Elasticsearch shows metadata fields whatever is included."""

Queries: TypeAlias = frozenset[str] | None
"""Canonical JSON of queries, of which each shows documents; None: all documents."""
Shown: TypeAlias = frozenset[Fields] | None
"""Lists of field patterns, of which each shows fields; None: all fields."""


@dataclass(frozen=True, slots=True)
class Part:
    """A role, or a descriptor of an API key, and where it comes from.

    Args:
        source: the name of the role or descriptor.
        body: what it allows.
    """

    source: str
    body: RoleBody


@dataclass(frozen=True, slots=True)
class Group:
    """Entries with the same set of index names, united."""

    names: frozenset[str]
    restricted: bool
    patterns: tuple[str, ...]
    """Of the actions that are allowed."""
    queries: Queries
    fields: Shown
    sources: tuple[str, ...]
    """Names of the roles that have the entries."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What is allowed on an index."""

    how: str
    """What is special about the way; empty: nothing."""
    documents: tuple[frozenset[str], ...] = ()
    """Of each of these, a document must match any; empty: all documents."""
    fields: tuple[frozenset[Fields], ...] = ()
    """Of each of these, any must show a field; empty: all fields."""
    sources: tuple[str, ...] = ()
    """Roles that allow it."""
    names: tuple[str, ...] = ()
    """By which of the index's names it is allowed."""

    @property
    def is_open(self) -> bool:
        """Whether all documents and all fields are shown."""
        return not self.documents and not self.fields

    def shows(self, field: str) -> bool:
        """Return whether a field is shown."""
        return all(any(shows_field(one, field) for one in some) for some in self.fields)


def groups_of(parts: Iterable[Part], names: Sequence[str]) -> list[Group]:
    """Return the united entries of roles that match an index.

    Args:
        parts: the roles of one caller.
        names: of the index, and of what leads to it.
    """
    found: dict[tuple[frozenset[str], bool], list[tuple[Entry, str]]] = {}
    for part in parts:
        for entry in part.body.entries:
            if not entry.application and not entry.clusters and any(matches_entry(entry, name) for name in names):
                found.setdefault((frozenset(entry.names), entry.restricted), []).append((entry, part.source))
    return [_united(*key, entries) for key, entries in found.items()]


def _united(names: frozenset[str], restricted: bool, entries: Sequence[tuple[Entry, str]]) -> Group:  # noqa: FBT001 - a key
    if len(entries) == 1:
        # As nearly always: of thousands of callers each has roles of its own.
        [(entry, source)] = entries
        query = frozenset((entry.query,)) if entry.query else None
        shown = frozenset((fields_of(entry),)) if entry.hides_fields else None
        return Group(names, restricted, patterns_of(entry.privileges), query, shown, (source,))
    queries, fields = {entry.query for entry, _ in entries}, {fields_of(entry) for entry, _ in entries}
    return Group(
        names,
        restricted,
        all_patterns(privilege for entry, _ in entries for privilege in entry.privileges),
        None if "" in queries else frozenset(queries),
        None if any(not entry.hides_fields for entry, _ in entries) else frozenset(fields),
        tuple(dict.fromkeys(source for _, source in entries)),
    )


def rights_of(groups: Sequence[Group], names: Sequence[str], question: Question) -> Rights | None:
    """Return what united entries allow on an index; None: not what is asked about.

    Args:
        groups: of one caller.
        names: of the index, and of what leads to it: whoever may use several gets the union.
        question: what is asked about.
    """
    for way in question.ways:
        if (found := _by(way, groups, names, question)) is not None:
            return found
    return None


def _by(way: Way, groups: Sequence[Group], names: Sequence[str], question: Question) -> Rights | None:
    granting, by = dict[int, Group](), list[str]()
    for name in names:
        # They match one of the names: if there is only one, this.
        here = groups if len(names) == 1 else [group for group in groups if matches_group(group, name)]
        allowing = [[group for group in here if is_allowed(way, need, group.patterns)] for need in way.needs]
        if all(allowing) or (not any(way.needs)):
            by.append(name)
            # The first need is the request itself: restrictions of the others do not matter.
            granting |= {id(group): group for group in allowing[0]}
        elif len(here) > 1 and _together(way, here):
            by.append(name)
            granting |= {id(group): group for group in here}
    if not by:
        return None
    used = list(granting.values())
    documents = () if not question.reads else _restricting([group.queries for group in used])
    fields = () if not question.reads else _restricting([group.fields for group in used])
    if way.only_open and (documents or fields):
        return None
    sources = tuple(dict.fromkeys(source for group in used for source in group.sources))
    return Rights(way.how, documents, fields, sources, tuple(by))


def _together(way: Way, groups: Sequence[Group]) -> bool:
    """Return whether entries allow all needs only together: one needs a whole family of actions."""
    patterns = tuple(sorted({pattern for group in groups for pattern in group.patterns}))
    return all(is_allowed(way, need, patterns) for need in way.needs)


def _restricting(found: Sequence[frozenset[Fields] | frozenset[str] | None]) -> tuple[frozenset, ...]:  # type: ignore[type-arg]
    """Return the union of restrictions, as one part of what restricts; nothing, if one of them has none."""
    if any(each is None for each in found):
        return ()
    return (frozenset(one for each in found if each is not None for one in each),)


def both(one: Rights, another: Rights) -> Rights:
    """Return what is allowed only where two sets of roles allow it, as for API keys."""
    return Rights(
        "; ".join(dict.fromkeys(filter(None, (one.how, another.how)))),
        tuple(dict.fromkeys((*one.documents, *another.documents))),
        tuple(dict.fromkeys((*one.fields, *another.fields))),
        tuple(dict.fromkeys((*one.sources, *another.sources))),
        tuple(name for name in one.names if name in another.names),
    )


def matches_entry(entry: Entry, name: str) -> bool:
    """Return whether an entry of a role is about an index of this name."""
    return _reaches(entry.restricted, name) and any(matches_index(pattern, name) for pattern in entry.indices)


def matches_group(group: Group, name: str) -> bool:
    """Return whether united entries are about an index of this name."""
    return _reaches(group.restricted, name) and any(matches_index(pattern, name) for pattern in group.names)


def _reaches(restricted: bool, name: str) -> bool:  # noqa: FBT001 - as an entry has it
    return restricted or not is_restricted(name)


@lru_cache(1 << 10)
def is_restricted(name: str) -> bool:
    """Return whether an index is one of Elasticsearch's own, which only some entries reach."""
    return name.startswith(".") and any(matches_wildcard(pattern, name) for pattern in RESTRICTED)


@lru_cache(_KEPT)
def matches_index(pattern: str, name: str) -> bool:
    """Return whether an index pattern matches a name; also if that takes too long to find out.

    A pattern that cannot be read matches nothing: Elasticsearch answers the requests of its users with an error.
    """
    if is_name(pattern):
        return pattern == name
    if not pattern.startswith("/"):
        return matches_wildcard(pattern, name)
    try:
        parsed = parse_index_pattern(pattern)
    except PatternError:
        return False
    try:
        return matches_pattern(parsed, name, _STEPS)
    except PatternError:
        return True


@lru_cache(_KEPT)
def shows_field(fields: Fields, name: str) -> bool:
    """Return whether lists of field patterns show a field."""
    include, exclude = fields
    is_included = any(matches_index(pattern, name) for pattern in (*include, _METADATA))
    return is_included and not any(matches_index(pattern, name) for pattern in exclude)
