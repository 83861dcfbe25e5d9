"""Whether a caller with several reading grants sees exactly what each of them allows, and nothing more.

Elasticsearch unites the queries of all entries that apply to an index. It unites their fields separately. So {documents
of the EU, all fields} and {all documents, the field region} together show all fields of all documents. The caller sees
only what some entry allows if one of these is true for every two entries that can meet in an index:

- they have the same query;
- they have the same fields;
- one of them allows at least the documents and at least the fields that the other does.

It is enough to compare two at a time. Let D be the documents of an entry and F its fields. The caller sees the product
of the union of all D and the union of all F. Each part of that product is a D(a) x F(b) of two entries. If one of the
three is true for these two, the part is within D(a) x F(a) or D(b) x F(b), so one entry allows it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.patterns.expressions import (
    NOTHING,
    Expression,
    complement,
    intersection,
    literal,
    union,
)
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.meeting import (
    PAIRS_KEPT,
    STEPS,
    Answer,
    Prefixes,
    after,
    can_meet,
    expression_of,
    has_names,
    meet,
    prefix_of,
)
from searchaccess.core.patterns.namesets import Names

MOST_STEPS: Final = 20_000
"""That the comparison of all entries of one principal takes at most: some 30 ms."""
MOST_SEARCHES: Final = 8
"""Of searches for a field that one list of patterns allows and the other does not, for two lists."""
NAMED: Final = 80
"""Characters of a pattern that a message has."""

Fields: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Patterns of the fields that may be read, and of those of them that may not."""

T = TypeVar("T")

_NO_DOCUMENTS: Final = frozenset(
    {
        "auto_configure",
        "create",
        "create_doc",
        "create_index",
        "delete",
        "delete_index",
        "maintenance",
        "manage",
        "manage_data_stream_lifecycle",
        "manage_failure_store",
        "manage_follow_index",
        "manage_ilm",
        "manage_leader_index",
        "monitor",
        "none",
        "view_index_metadata",
    }
)
"""Privileges with no action that shows documents. Each other name, known or not, reads: ``index`` and ``write`` too, as
an update returns the document."""
_NO_DOCUMENT_ACTIONS: Final = ("indices:admin/", "indices:monitor/")


def reads(entry: Entry) -> bool:
    """Return whether an entry lets documents be read."""
    return any(
        name not in _NO_DOCUMENTS and not name.startswith(_NO_DOCUMENT_ACTIONS)
        for name in map(str.lower, entry.privileges)
    )


def restricts(entry: Entry) -> bool:
    """Return whether an entry needs document- or field-level security."""
    return bool(entry.query) or entry.hides_fields


def matters(entry: Entry) -> bool:
    """Return whether an entry can widen another: it reads, and not everything."""
    return restricts(entry) and reads(entry)


def allows_fields(wider: Fields, narrower: Fields) -> Answer:
    """Return whether some field patterns allow at least the fields that others do; no also when that takes too long."""
    if wider in {narrower, (("*",), ())}:
        return Answer(yes=True, steps=1)
    return _allows_fields(wider, narrower)


_METADATA: Final = "_*"
"""Elasticsearch lets metadata fields be read too, unless they are excluded."""


@lru_cache(PAIRS_KEPT)
def _allows_fields(wider: Fields, narrower: Fields) -> Answer:
    include, exclude = narrower
    if set(include) <= set(wider[0]) and set(wider[1]) <= set(exclude):
        return Answer(yes=True, steps=len(include))
    if "*" in include and "*" not in wider[0]:
        return Answer(yes=False, steps=1)
    searches, steps = 0, len(include) * (2 + len(exclude) + len(wider[0]) + len(wider[1])) // 8
    # One pattern after the other: few others are near each, while the union of all is a large expression.
    for pattern in (*include, _METADATA):
        left = _not_allowed(pattern, exclude, (*wider[0], _METADATA), wider[1])
        if left == NOTHING:
            continue
        searches += not _is_name(pattern)
        if left is None or searches > MOST_SEARCHES or has_names(left):
            return Answer(yes=False, steps=steps + STEPS * searches)
    return Answer(yes=True, steps=steps + STEPS * searches)


def _is_name(pattern: str) -> bool:
    return expression_of(pattern) == literal(prefix_of(pattern))


def _not_allowed(
    pattern: str, hidden: Sequence[str], allowed: Sequence[str], excepted: Sequence[str]
) -> Expression | None:
    """Return the fields of a pattern that are neither hidden nor allowed elsewhere; None: one pattern cannot be read.

    Args:
        pattern: of fields.
        hidden: patterns of fields that it does not give.
        allowed: patterns of fields that are allowed elsewhere.
        excepted: patterns of fields that are not, although they are among these.
    """
    excepted = _near(pattern, excepted)
    if pattern in hidden or (not {pattern, "*"}.isdisjoint(allowed) and set(excepted) <= set(hidden)):
        return NOTHING
    expressions = [_union((pattern,)), *map(_union, (_near(pattern, hidden), _near(pattern, allowed), excepted))]
    if None in expressions:
        return None
    given, beside, elsewhere, but = (each for each in expressions if each is not None)
    left = intersection((given, complement(beside), complement(intersection((elsewhere, complement(but))))))
    return after(left, prefix_of(pattern))


def _near(pattern: str, others: Iterable[str]) -> list[str]:
    """Return those patterns that may match what this one matches."""
    prefix = prefix_of(pattern)
    return [each for each in others if prefix.startswith(known := prefix_of(each)) or known.startswith(prefix)]


def _union(patterns: Sequence[str]) -> Expression | None:
    found = [expression_of(each) for each in patterns]
    return None if None in found else union(each for each in found if each is not None)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two entries that together show what neither of them allows."""

    label: str
    """Of the one that was to be added."""
    pattern: str
    """Its index pattern that can meet the other's."""
    other: str
    """The other's label."""
    other_pattern: str
    endless: bool = False
    """Whether they conflict is not known: the comparison would take too long."""

    def message(self, separate: str) -> str:
        """Return the message that names both entries, and what to write instead.

        Args:
            separate: how one of them can be kept apart.
        """
        mine = f"{self.label} ({bounded_text(self.pattern, NAMED)})"
        if self.endless:
            return (
                f"{mine}: the principal has too many grants with different where and fields to compare all of them; "
                f"use the same where or the same fields in more of them, or {separate}"
            )
        return (
            f"{mine} and {self.other} ({bounded_text(self.other_pattern, NAMED)}) can read the same index. There, "
            "Elasticsearch would show the documents of both with the fields of both, which neither allows: give both "
            "the same where or the same fields, let one of them allow everything that the other allows, use indices "
            f"that cannot be the same, or {separate}"
        )


def widening_grants(found: Conflict) -> str:
    """Return the message about two grants of one SearchAccess that conflict, and what to write instead."""
    return found.message("move one into a SearchAccess with auth: ApiKey")


@dataclass(slots=True)
class Questions:
    """Questions about patterns, of which many are the same.

    Args:
        steps: that all answers together may take.
    """

    steps: int = MOST_STEPS
    _answers: dict[tuple[object, object], bool] = field(default_factory=dict)
    """By two index patterns, or two lists of field patterns."""

    def ask(self, question: Callable[[T, T], Answer], one: T, another: T) -> bool:
        """Return the answer to a question; what was asked before costs no more."""
        known = self._answers.get((one, another))
        if known is None:
            answer = question(one, another)
            self.steps -= answer.steps
            self._answers[one, another] = known = answer.yes
        return known


@dataclass(slots=True)
class Together(Questions):
    """Entries of one caller, of which any two are exactly their union.

    Args:
        steps: that all comparisons may take; then whatever would have to be compared conflicts.
    """

    _places: "dict[Names, _Place]" = field(default_factory=dict)
    """By the remote clusters that are named; none of them: the cluster itself."""

    def add(self, entries: Iterable[Entry], label: str) -> None:
        """Take in entries with which nothing conflicts."""
        for entry in entries:
            if matters(entry):
                self._places.setdefault(entry.clusters, _Place()).add(entry, label)

    def conflict(self, entries: Iterable[Entry], label: str) -> Conflict | None:
        """Return the first entry that cannot be added, and why; None: all can be added.

        They are not compared with each other: `conflict_within` does that.
        """
        for entry in entries:
            if matters(entry):
                for place in self._places_of(entry.clusters):
                    if place.agrees(entry):
                        continue
                    for pattern in _patterns(entry):
                        if found := self._conflict(entry, pattern, label, place):
                            return found
        return None

    def _places_of(self, clusters: Names) -> "Iterator[_Place]":
        """Yield what is known of these clusters: a remote one is never the cluster itself."""
        for known, place in self._places.items():
            if known == clusters:
                yield place
            elif known and clusters:
                self.steps -= 1
                if self.steps <= 0 or meet(known, clusters):
                    yield place

    def _conflict(self, entry: Entry, pattern: str, label: str, place: "_Place") -> Conflict | None:
        for other in place.prefixes.near(pattern):
            same = place.known[other]
            self.steps -= 1
            if same.agrees(entry):
                continue
            if self.steps <= 0:
                return Conflict(label, pattern, "", other, endless=True)
            if self.ask(can_meet, pattern, other) and (theirs := self._widened(entry, same)) is not None:
                return Conflict(label, pattern, theirs, other)
        return None

    def _widened(self, entry: Entry, same: "_Same") -> str | None:
        """Return the label of one with which the entry is not exact on common indices; None: there is none."""
        fields = fields_of(entry)
        for their_fields, labels in same.labels.items():
            self.steps -= 1
            if their_fields == fields or (not entry.query and self.ask(allows_fields, fields, their_fields)):
                continue
            for query, label in labels.items():
                if query != entry.query and (query or not self.ask(allows_fields, their_fields, fields)):
                    return label
        return None


@dataclass(slots=True)
class _Same:
    """What entries with a common index pattern allow there."""

    labels: dict[Fields, dict[str, str]] = field(default_factory=dict)
    """By fields and query, the label of the first such entry."""
    queries: set[str] = field(default_factory=set)

    def add(self, entry: Entry, label: str) -> None:
        self.queries.add(entry.query)
        self.labels.setdefault(fields_of(entry), {}).setdefault(entry.query, label)

    def agrees(self, entry: Entry) -> bool:
        """Return whether it is easily seen that all have the query, or the fields, of this entry."""
        return self.queries == {entry.query} or (len(self.labels) == 1 and fields_of(entry) in self.labels)


@dataclass(slots=True)
class _Place:
    """What entries allow on one cluster, or on some remote ones."""

    prefixes: Prefixes = field(default_factory=Prefixes)
    known: dict[str, _Same] = field(default_factory=dict)
    """By index pattern."""
    together: _Same = field(default_factory=_Same)
    """Of all patterns: often all have the same fields, and there are millions of pairs."""

    def agrees(self, entry: Entry) -> bool:
        """Return whether it is easily seen that all patterns agree with this entry."""
        return self.together.agrees(entry)

    def add(self, entry: Entry, label: str) -> None:
        self.together.add(entry, label)
        for pattern in _patterns(entry):
            if pattern not in self.known:
                self.known[pattern] = _Same()
                self.prefixes.add(pattern)
            self.known[pattern].add(entry, label)


def fields_of(entry: Entry) -> Fields:
    """Return the field patterns of an entry."""
    return entry.include, entry.exclude


def _patterns(entry: Entry) -> Iterator[str]:
    """Yield the index patterns of an entry, without the name that keeps it apart, which no index has."""
    return (name for name in entry.names if not is_mark(name))


def conflict_within(entries: Sequence[Entry], labels: Iterable[str]) -> Conflict | None:
    """Return the first entry that conflicts with those before it, and why; None: there is none.

    Args:
        entries: those of one SearchAccess.
        labels: of each of them.
    """
    if sum(map(matters, entries)) <= 1:
        return None
    together = Together()
    for entry, label in zip(entries, labels, strict=True):
        if found := together.conflict((entry,), label):
            return found
        together.add((entry,), label)
    return None
