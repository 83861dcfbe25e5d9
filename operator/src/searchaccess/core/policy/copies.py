"""Finds hidden fields whose values a mapping copies to fields that can be read (``copy_to``).

Elasticsearch hides a field under its own name alone. Whoever may not read it reads its values in the copy.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.intake.reading import mapping, text, texts
from searchaccess.core.patterns.meeting import meet
from searchaccess.core.patterns.namesets import Names, has_all_of

MOST_INDICES: Final = 5_000
MOST_ALIASES: Final = 50
"""Of one index."""
MOST_FIELDS: Final = 50_000
"""Of all mappings together."""
MOST_COPIES: Final = 100
"""Of one mapping."""
MOST_GROUPS: Final = 50
"""Different sets of copies."""

Copy = tuple[str, str]
"""The field whose values are copied, and where to."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Some indices whose mappings copy the same fields."""

    names: Names
    """Their names, and those of their aliases and data streams."""
    copies: tuple[Copy, ...]


def copied_in(indices: Mapping[str, Any]) -> tuple[Copied, ...]:
    """Read what mappings copy, as far as the limits above allow.

    Args:
        indices: by name, with aliases, mappings and the data stream, as Elasticsearch gives them; may be incomplete.
    """
    found: dict[tuple[Copy, ...], set[str]] = {}
    budget = iter(range(MOST_FIELDS))
    for name, raw in islice(indices.items(), MOST_INDICES):
        index = mapping(raw)
        fields = (field for field, _ in zip(_fields(mapping(index.get("mappings"))), budget, strict=False))
        copies = tuple(sorted(islice((copy for path, field in fields for copy in _copies(path, field)), MOST_COPIES)))
        if copies and (copies in found or len(found) < MOST_GROUPS):
            found.setdefault(copies, set()).update(_names(name, index))
    return tuple(Copied(tuple(sorted(names)), copies) for copies, names in sorted(found.items()))


def _names(name: str, index: Mapping[str, Any]) -> Iterator[str]:
    yield name
    yield from islice(mapping(index.get("aliases")), MOST_ALIASES)
    if stream := text(index.get("data_stream")):
        yield stream


def _fields(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    ahead = [("", body)]
    while ahead:
        prefix, node = ahead.pop()
        for name, raw in mapping(node.get("properties")).items():
            field = mapping(raw)
            yield prefix + name, field
            ahead.append((f"{prefix}{name}.", field))


def _copies(path: str, field: Mapping[str, Any]) -> Iterator[Copy]:
    targets = field.get("copy_to")
    return ((path, target) for target in texts([targets] if isinstance(targets, str) else targets))


def indices_to_read(shares: Iterable[Share]) -> frozenset[str]:
    """Return the index patterns of which some fields are hidden."""
    return frozenset(name for share in shares for entry in share.local if entry.hides_fields for name in entry.indices)


def reaching(share: Share, copied: Iterable[Copied]) -> tuple[str, ...]:
    """Return, for messages, which hidden fields can be read in the fields that a mapping copies them to.

    Args:
        share: what a SearchAccess grants.
        copied: what mappings copy.
    """
    hiding = [entry for entry in share.local if entry.hides_fields]
    found = [
        f"{source} of {some_of(one.names)} is copied to {target}"
        for entry in hiding
        for one in copied
        if meet(one.names, entry.names)
        for source, target in one.copies
        if not _may_read(entry, source) and _may_read(entry, target)
    ]
    return tuple(dict.fromkeys(found))


def _may_read(entry: Entry, field: str) -> bool:
    return has_all_of(entry.include, (field,)) and not meet(entry.exclude, (field,))
