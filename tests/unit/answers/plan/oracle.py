"""What grants allow, decided without the algorithms that are tested: automata-lib compares languages of patterns.

A caller is asked about everything at once: a privilege, the queries that a document matches, and one of a few fields.
What is then left to compare are names of indices.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, combinations
from typing import Final, NamedTuple

from automata.fa.dfa import DFA

from searchaccess.core.model.canonical import Entry
from tests.support.indexpatterns.languages import names

FIELDS: Final = ("amount", "customer.name", "customer.ssn", "customer.ssn.keyword", "region", "other", "_id")
"""Every combination of the patterns that are tried shows some of these and hides the others."""
SHOWN_BY: Final[dict[str, frozenset[str]]] = {
    "*": frozenset(FIELDS),
    "customer.*": frozenset({"customer.name", "customer.ssn", "customer.ssn.keyword"}),
    "customer.ssn": frozenset({"customer.ssn"}),
    "customer.ssn.*": frozenset({"customer.ssn.keyword"}),
    "amount": frozenset({"amount"}),
    "region": frozenset({"region"}),
}
METADATA: Final = frozenset({"_id"})
CLOSURE: Final[dict[str, frozenset[str]]] = {
    "read": frozenset({"read"}),
    "view_index_metadata": frozenset({"view_index_metadata"}),
    "monitor": frozenset({"monitor"}),
    "manage": frozenset({"manage", "monitor", "view_index_metadata"}),
    "delete": frozenset({"delete"}),
    "all": frozenset({"all", "read", "view_index_metadata", "monitor", "manage", "delete"}),
}
"""By privilege, those of the privileges that are tried that come with it."""
READING: Final = frozenset({"read", "all"})


class Point(NamedTuple):
    """What a caller tries."""

    privilege: str
    matched: frozenset[str]
    """Queries that the document matches."""
    field: str


def points(entries: Iterable[Entry]) -> Iterator[Point]:
    """Yield all that can make a difference to some entries."""
    queries = sorted({entry.query for entry in entries if entry.query})
    matched = list(chain.from_iterable(combinations(queries, size) for size in range(len(queries) + 1)))
    for privilege in CLOSURE:
        if privilege in READING:
            yield from (Point(privilege, frozenset(some), field) for some in matched for field in FIELDS)
        else:
            yield Point(privilege, frozenset(), "")


def widens(after: Iterable[Entry], before: Iterable[Entry]) -> bool:
    """Return whether some entries allow anything on some index that others do not."""
    after, before = tuple(after), tuple(before)
    return any(not _where(after, point).issubset(_where(before, point)) for point in points((*after, *before)))


def _where(entries: tuple[Entry, ...], point: Point) -> DFA:
    """Return on which indices something is allowed."""
    return _united(tuple(sorted({name for entry in entries if _allows(entry, point) for name in entry.indices})))


@lru_cache(1 << 12)
def _united(patterns: tuple[str, ...]) -> DFA:
    found = [names(pattern) for pattern in patterns]
    nothing = names("d").difference(names("d"))
    for each in found:
        nothing = nothing.union(each)
    return nothing


def _allows(entry: Entry, point: Point) -> bool:
    if not any(point.privilege in CLOSURE[name] for name in entry.privileges):
        return False
    if point.privilege not in READING:
        return True
    if entry.query and entry.query not in point.matched:
        return False
    shown = frozenset().union(*(SHOWN_BY[name] for name in entry.include)) | METADATA
    hidden = frozenset().union(*(SHOWN_BY[name] for name in entry.exclude))
    return point.field in shown - hidden
