"""What some rights allow that others do not: on which indices, of which documents and fields.

Rights are entries of a role. An entry is a product: indices by privileges by documents by fields. It allows something
new unless the entries before cover all of it, several of them together if need be. The union of grants is exact, see
`searchaccess.core.model.restrictions.union`, so that entries can be compared as they are written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, combinations
from typing import Final

from searchaccess.core.answers.plan.documents import shows_all_of
from searchaccess.core.answers.plan.implied import implies, implies_on_cluster, shows
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.restrictions.union import Fields, allows_fields, fields_of
from searchaccess.core.patterns.containment import measured
from searchaccess.core.patterns.expressions import Expression, complement, intersection, union
from searchaccess.core.patterns.meeting import STEPS, Prefixes, can_meet, expression_of, has_names

MOST_STEPS: Final = 2_000_000
"""That the comparison of all roles of one plan takes: some seconds. Then everything counts as new."""
_MOST_FIELD_LISTS: Final = 4
"""Different lists of fields that are united; of more, each is compared alone."""
_KEPT: Final = 1 << 12
_METADATA: Final = "_*"
"""Elasticsearch lets metadata fields be read too, unless they are excluded."""


@dataclass(slots=True)
class Effort:
    """How much may still be compared.

    Args:
        steps: of searches for names.
    """

    steps: int = MOST_STEPS

    @property
    def is_over(self) -> bool:
        """Whether nothing more is compared."""
        return self.steps <= 0


@dataclass(frozen=True, slots=True, order=True)
class Gain:
    """Something that is newly allowed.

    Args:
        indices: the pattern of indices; empty: it is not on indices.
        can: the privileges.
        clusters: remote clusters that have the indices; empty: the SearchCluster's own.
        more: why it is more than before: ``indices``, ``actions``, ``documents`` or ``fields``.
        query: the documents that it is limited to, as JSON; empty: all.
        fields: the fields that it is limited to; empty: all.
        hidden: fields that it hides.
        example: an index that it is new on; empty: it is none, or the pattern itself.
        certain: False: it could not be compared within limits, or patterns cannot be read.
    """

    indices: str
    can: tuple[str, ...]
    clusters: tuple[str, ...] = ()
    more: str = "actions"
    query: str = ""
    fields: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    example: str = ""
    certain: bool = True


def gains(after: RoleBody, before: RoleBody, effort: Effort | None = None) -> tuple[Gain, ...]:
    """Return what some rights allow that others do not; with the arguments exchanged, what is taken away.

    Args:
        after: the rights that may be new.
        before: the rights that are not.
        effort: how much may be compared.
    """
    effort = effort or Effort()
    known = _Known(before.entries)
    found = list(chain.from_iterable(_of_entry(entry, known, effort) for entry in after.entries))
    lacking = [name for name in after.cluster if not any(implies_on_cluster(given, name) for given in before.cluster)]
    if lacking:
        found.append(Gain("", tuple(lacking), more="cluster"))
    if after.other and after.other != before.other:
        found.append(Gain("", (after.other,), more="other", certain=False))
    return tuple(dict.fromkeys(found))


class _Known:
    """Entries by their index patterns: a caller may have thousands, of which few are near another pattern.

    Args:
        entries: what was allowed before.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.applications = [entry for entry in entries if entry.application]
        self._prefixes = Prefixes()
        self._having: dict[str, list[Entry]] = {}
        for entry in entries:
            for name in () if entry.application else entry.indices:
                if name not in self._having:
                    self._prefixes.add(name)
                self._having.setdefault(name, []).append(entry)

    def near(self, pattern: str) -> list[Entry]:
        """Return the entries with the names that can match what a pattern matches, each with no other names."""
        names = dict[Entry, list[str]]()
        for name in self._prefixes.near(pattern):
            for entry in self._having[name]:
                names.setdefault(entry, []).append(name)
        return [replace(entry, names=tuple(found)) for entry, found in names.items()]


def _of_entry(entry: Entry, before: _Known, effort: Effort) -> Iterator[Gain]:
    if entry.application:
        yield from _of_application(entry, before.applications)
        return
    for pattern in entry.indices:
        beside = [each for each in before.near(pattern) if _is_comparable(entry, each)]
        by_reason = dict[tuple[str, str, bool], list[str]]()
        for privilege in entry.privileges:
            if privilege != "none" and (new := _new(entry, pattern, privilege, beside, effort)):
                by_reason.setdefault(new, []).append(privilege)
        for (more, example, certain), privileges in by_reason.items():
            limited = any(map(shows, privileges))
            yield Gain(
                pattern,
                tuple(privileges),
                entry.clusters,
                more,
                entry.query if limited else "",
                entry.include if limited and entry.hides_fields else (),
                entry.exclude if limited else (),
                "" if example == pattern else example,
                certain,
            )


def _of_application(entry: Entry, before: Sequence[Entry]) -> Iterator[Gain]:
    """Yield new rights in an application: its privileges are names of ours, and its resources are compared as text."""
    same = [each for each in before if each.application == entry.application]
    for resource in entry.names:
        known = {name for each in same if {resource, "*"} & set(each.names) for name in each.privileges}
        if lacking := tuple(name for name in entry.privileges if name not in known and "all" not in known):
            yield Gain(resource, lacking, more=entry.application)


def _is_comparable(entry: Entry, other: Entry) -> bool:
    """Return whether the other entry can allow what this one does, apart from names, documents and fields."""
    if other.application or bool(entry.clusters) != bool(other.clusters):
        return False
    if not all(measured(cluster, other.clusters)[0].contained for cluster in entry.clusters):
        return False
    # What is not known of an entry may limit what it allows.
    return (other.restricted or not entry.restricted) and entry.other == other.other


def _new(
    entry: Entry, pattern: str, privilege: str, before: Sequence[Entry], effort: Effort
) -> tuple[str, str, bool] | None:
    """Return why a privilege on a pattern is new, an index that it is new on, and whether that is certain.

    Returns:
        None: it is not new.
    """
    if effort.is_over:
        return "actions", "", False
    able = [each for each in before if any(implies(given, privilege) for given in each.privileges)]
    alone = _outside(pattern, able, effort)
    if alone is not None:
        elsewhere = _outside(pattern, before, effort)
        return "actions" if elsewhere is None and before else "indices", *alone
    if not shows(privilege):
        return None
    seeing = [each for each in able if shows_all_of(each.query, entry.query)]
    of_documents = _outside(pattern, seeing, effort)
    if of_documents is not None:
        return "documents", *of_documents
    of_fields = _fields_outside(pattern, entry, seeing, effort)
    return None if of_fields is None else ("fields", *of_fields)


def _outside(pattern: str, entries: Sequence[Entry], effort: Effort) -> tuple[str, bool] | None:
    """Return an index of a pattern that none of some entries names, and whether it is certain; None: there is none."""
    names = tuple(dict.fromkeys(name for each in entries for name in each.indices))
    verdict, steps = measured(pattern, names)
    effort.steps -= steps
    if verdict.contained:
        return None
    # Where nothing of the pattern was allowed, the pattern itself says most.
    partly = verdict.example.isprintable() and any(can_meet(pattern, name).yes for name in names)
    return verdict.example if partly else "", not verdict.undecided


def _fields_outside(pattern: str, entry: Entry, seeing: Sequence[Entry], effort: Effort) -> tuple[str, bool] | None:
    """Return an index of which fields are new, and whether it is certain; None: there is none."""
    wanted = fields_of(entry)
    wide = [each for each in seeing if allows_fields(fields_of(each), wanted).yes]
    if (alone := _outside(pattern, wide, effort)) is None:
        return None
    effort.steps -= STEPS * len(seeing)
    lists = tuple(dict.fromkeys(fields_of(each) for each in seeing))
    if len(lists) > _MOST_FIELD_LISTS:
        return alone[0], False
    # Some field is in exactly these lists: all entries with one of them allow it.
    for having in _found_together(wanted, lists):
        if (new := _outside(pattern, [each for each in seeing if fields_of(each) in having], effort)) is not None:
            return new
    return None


@lru_cache(_KEPT)
def _found_together(wanted: Fields, lists: tuple[Fields, ...]) -> tuple[frozenset[Fields], ...]:
    """Return for which of some lists there is a field in exactly these, of those that are wanted."""
    read = [_expression(each) for each in (wanted, *lists)]
    if None in read:
        return (frozenset(),)
    whole, *others = (each for each in read if each is not None)
    found = list[frozenset[Fields]]()
    for size in range(len(lists) + 1):
        for chosen in combinations(range(len(lists)), size):
            parts = [each if at in chosen else complement(each) for at, each in enumerate(others)]
            if has_names(intersection((whole, *parts))):
                found.append(frozenset(lists[at] for at in chosen))
    return tuple(found)


@lru_cache(_KEPT)
def _expression(fields: Fields) -> Expression | None:
    include, exclude = fields
    shown = [expression_of(each) for each in (*include, _METADATA)]
    hidden = [expression_of(each) for each in exclude]
    if None in (*shown, *hidden):
        return None
    return intersection(
        (
            union(each for each in shown if each is not None),
            complement(union(each for each in hidden if each is not None)),
        )
    )
