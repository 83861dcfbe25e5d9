"""Finds declared rights that let a caller read more than is declared.

Elasticsearch grants actions on indices without regard to what the caller may read in them. A caller that may change a
mapping can have a hidden field copied into a visible one. A caller that may add aliases can give a readable name to
documents that it may not read. What cannot be prevented is reported. See docs/adr/0028.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.union import restricts
from searchaccess.core.patterns.meeting import meet
from searchaccess.core.patterns.namesets import has_all_of
from searchaccess.core.patterns.parsed import PatternError, matches, parse_index_pattern

_ACTION: Final = "indices:"
_READING: Final = frozenset({"all", "read"})
_MAPPING: Final = frozenset({"all", "manage", "write", "index", "create", "create_doc", "create_index"})
"""Privileges with which a mapping can be changed. They include those to write, until Elasticsearch changes that."""
_NAMING: Final = frozenset({"all", "manage"})
_UPDATING: Final = frozenset({"all", "write", "index"})
"""Privileges with which a document can be updated, which also shows the document."""
_ACTIONS: Final = {
    _UPDATING: ("indices:data/write/update",),
    _READING: ("indices:data/read/search",),
    _MAPPING: ("indices:admin/mapping/put", "indices:admin/create"),
    _NAMING: ("indices:admin/aliases",),
}
"""Actions that belong to such privileges, where an entry names actions."""
_MOVING: Final = {
    "manage_index_templates": "an index template can give indices that others create an alias that the caller may read",
    "manage_ingest_pipelines": "an ingest pipeline can copy what others write to where the caller may read",
}


@dataclass(frozen=True, slots=True)
class Bypass:
    """A way around a restriction."""

    reason: Reason
    message: str


def depends_on_others(own: Share) -> bool:
    """Return whether ways around restrictions may concern a SearchAccess, so that others' grants matter."""
    return any(name in own.cluster for name in _MOVING) or any(
        restricts(entry) or _allows(entry, _NAMING) for entry in own.local
    )


def bypasses(own: Share, beside: Sequence[Share], copies: Sequence[str] = ()) -> tuple[Bypass, ...]:
    """Return the ways around restrictions that concern a SearchAccess, the most important first.

    Args:
        own: what the SearchAccess grants.
        beside: what others grant the same caller.
        copies: which hidden fields mappings copy to readable ones, for people.
    """
    if not depends_on_others(own):
        return ()
    entries = [entry for share in (own, *beside) for entry in share.local]
    readers = [entry for entry in entries if _allows(entry, _READING)]
    if not readers:
        return ()
    found = [Bypass(Reason.DOCUMENTS_REACHABLE, f"{name}: {_MOVING[name]}") for name in _MOVING if name in own.cluster]
    found += [_renaming(entry) for entry in own.local if _allows(entry, _NAMING) and _is_renamable(entry, readers)]
    limited = _limited(own, readers)
    # Elasticsearch refuses updates by an entry that is restricted itself.
    updating = [entry for entry in entries if _allows(entry, _UPDATING) and not restricts(entry)]
    found += [_updating(entry, writer) for entry, writer in _meeting(limited, updating)]
    found += [Bypass(Reason.FIELDS_REACHABLE, copy) for copy in copies]
    changing = [entry for entry in entries if _allows(entry, _MAPPING)]
    found += [_changing(entry, writer) for entry, writer in _meeting(limited, changing)]
    return tuple(dict.fromkeys(found))


def _limited(own: Share, readers: Sequence[Entry]) -> list[Entry]:
    """Return the entries that restrict what the caller reads, where no other entry lets it read everything."""
    return [
        entry
        for entry in own.local
        if restricts(entry) and _allows(entry, _READING)
        if not any(not restricts(reader) and has_all_of(reader.names, entry.indices) for reader in readers)
    ]


def _meeting(limited: Iterable[Entry], writers: Sequence[Entry]) -> Iterable[tuple[Entry, Entry]]:
    """Return each restricted entry for whose indices there is a writer, with the first of these."""
    for entry in limited:
        if (writer := next((item for item in writers if meet(entry.names, item.names)), None)) is not None:
            yield entry, writer


def _renaming(entry: Entry) -> Bypass:
    text = f"manage on {some_of(entry.indices)}: an index created in advance can have an alias that the caller may read"
    return Bypass(Reason.DOCUMENTS_REACHABLE, text)


def _is_renamable(manager: Entry, readers: Iterable[Entry]) -> bool:
    """Return whether a caller that may create indices can give one an alias by which it reads what others write to it.

    An alias also needs the privilege on its own name, so only names in both entries count. Elasticsearch adds no alias
    to an existing index that would allow more.
    """
    return any(
        meet(manager.names, reader.names) and not has_all_of(reader.names, manager.names)
        for reader in readers
        if reader is not manager
    )


def _updating(entry: Entry, writer: Entry) -> Bypass:
    by = next((name for name in writer.privileges if name in _UPDATING), "the right to update documents")
    what = "where" if entry.query else "fields"
    text = f"{what} of {some_of(entry.indices)}: {by} on {some_of(writer.indices)} shows a document by its id (_update)"
    return Bypass(Reason.DOCUMENTS_REACHABLE, text)


def _changing(entry: Entry, writer: Entry) -> Bypass:
    by = next((name for name in writer.privileges if name in _MAPPING), "the right to change mappings")
    how = "copy a hidden field (copy_to)" if entry.hides_fields else "change what its fields hold (copy_to)"
    what = "fields" if entry.hides_fields else "where"
    text = f"{what} of {some_of(entry.indices)}: {by} on {some_of(writer.indices)} lets the caller {how}"
    return Bypass(Reason.MAPPING_CHANGEABLE, text)


def _allows(entry: Entry, privileges: frozenset[str]) -> bool:
    return _is_one_of(entry.privileges, privileges)


@lru_cache(1 << 10)
def _is_one_of(names: tuple[str, ...], privileges: frozenset[str]) -> bool:
    """Return whether an entry's privileges have one of some: every SearchAccess of a principal asks it of all."""
    return any(
        name in privileges or (name.startswith(_ACTION) and _names_one(name, _ACTIONS[privileges])) for name in names
    )


@lru_cache(1 << 10)
def _names_one(pattern: str, actions: tuple[str, ...]) -> bool:
    """Return whether an action, as Elasticsearch reads it in a privilege (with any rest), is one of some."""
    try:
        parsed = parse_index_pattern(f"{pattern}*")
    except PatternError:
        return True
    return any(matches(parsed, action) for action in actions)
