"""Finds SearchAccesses of one principal that show documents or fields which others of it hide.

A SearchAccess that would make the union inexact is refused (`searchaccess.core.rights.refused.widening`). What is left
is exact, and still shows a caller more than one SearchAccess allows: another one, which allows more, is in force too.
Rights that nobody may revoke, such as those under Observe, are compared as well, as the role has them. Within a
namespace that is its team's own choice. Otherwise both are told who the other is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.restrictions.union import (
    NAMED,
    Fields,
    Questions,
    allows_fields,
    fields_of,
    matters,
    reads,
)
from searchaccess.core.patterns.meeting import Prefixes, can_meet, meet
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import Member, in_order
from searchaccess.core.rights.refused.widening import RELEASED

_Restriction: TypeAlias = tuple[str, Fields]
"""The query and the fields of an entry."""
_TOO_MANY: Final = "it has too many SearchAccesses with where and fields to compare all of them"


@dataclass(frozen=True, slots=True)
class Widening:
    """One SearchAccess shows more than another one, with the same principal.

    Args:
        hides: which SearchAccess hides something, with a pattern of it.
        shows: which one shows it, with a pattern of it.
        what: what it shows: documents, fields, or both.
    """

    hides: str
    shows: str
    what: str


@dataclass(frozen=True, slots=True)
class Widened:
    """What one SearchAccess is to say.

    Args:
        by: what others show that it hides.
        others: what it shows that others hide.
        unknown: why others may show more; empty: all were compared.
    """

    by: tuple[Widening, ...] = ()
    others: tuple[Widening, ...] = ()
    unknown: str = ""

    def __bool__(self) -> bool:
        return bool(self.by or self.others or self.unknown)

    @property
    def message(self) -> str:
        """Name the others, and what is shown."""
        by = [f"{each.shows} shows {each.what} that this one hides" for each in self.by]
        others = [f"this one shows {each.what} that {each.hides} hides" for each in self.others]
        return "; ".join(filter(None, (some_of(by), some_of(others), self.unknown)))


NOT_WIDENED: Final = Widened()


def together(some: Iterable[Widened | None]) -> Widened | None:
    """Return what one SearchAccess is to say of its roles under several names; None: none of them was planned."""
    known = [each for each in some if each is not None]
    if not known:
        return None
    return Widened(
        tuple(dict.fromkeys(widening for each in known for widening in each.by)),
        tuple(dict.fromkeys(widening for each in known for widening in each.others)),
        next((each.unknown for each in known if each.unknown), ""),
    )


def widened_in(members: Sequence[Member], shares: Shares) -> Mapping[str, Widened]:
    """Return what each SearchAccess of a principal is to say of the others, by uid; most are not in it.

    Args:
        members: its SearchAccesses, and what is done about each.
        shares: its role as Elasticsearch has it, split by owner.
    """
    if len(members) < 2 and not shares.released.entries:  # noqa: PLR2004 - there are no others
        return {}
    parts = list(_parts(members, shares))
    places = {part.namespace for part in parts}
    if len(places) <= 1 or not any(map(matters, _entries(parts))):
        return {}
    return _Comparison(parts).result()


@dataclass(frozen=True, slots=True)
class _Part:
    """What one SearchAccess has in the role, once it is written."""

    uid: str
    """Empty: it was released, and belongs to none."""
    namespace: str
    label: str
    entries: tuple[Entry, ...]


def _parts(members: Sequence[Member], shares: Shares) -> Iterator[_Part]:
    if found := _reading(shares.released):
        yield _Part("", "", RELEASED, found)
    for member in in_order(members):
        access, share = member.access, shares.by_uid.get(member.access.uid, Share())
        if member.decision.do is Do.ENFORCE:
            share = access.share
        elif member.decision.do not in {Do.HOLD, Do.RELEASE}:
            continue
        if not (found := _reading(share)):
            continue
        if member.decision.do is Do.RELEASE:
            yield _Part("", "", RELEASED, found)
        else:
            yield _Part(access.uid, access.namespace, f"SearchAccess {access.ref}", found)


def _reading(share: Share) -> tuple[Entry, ...]:
    return tuple(entry for entry in share.on_indices if reads(entry))


def _entries(parts: Iterable[_Part]) -> Iterator[Entry]:
    return (entry for part in parts for entry in part.entries)


@dataclass(slots=True)
class _Place:
    """What one namespace hides on the cluster, or on some remote ones."""

    prefixes: Prefixes = field(default_factory=Prefixes)
    hiding: dict[str, dict[_Restriction, list[_Part]]] = field(default_factory=dict)
    """By index pattern and restriction, who declares it."""

    def add(self, part: _Part, entry: Entry) -> None:
        for pattern in entry.indices:
            if pattern not in self.hiding:
                self.prefixes.add(pattern)
            known = self.hiding.setdefault(pattern, {}).setdefault(_restriction(entry), [])
            if not known or known[-1] is not part:
                known.append(part)


class _Comparison:
    """Compares what is hidden with what is shown, within a number of steps."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        self._questions = Questions()
        self._places: dict[tuple[str, tuple[str, ...]], _Place] = defaultdict(_Place)
        """By namespace, and the remote clusters that are named."""
        for part in parts:
            for entry in filter(matters, part.entries):
                self._places[part.namespace, entry.clusters].add(part, entry)

    def result(self) -> dict[str, Widened]:
        """Return what each SearchAccess is to say, by uid."""
        by, others = defaultdict[str, list[Widening]](list), defaultdict[str, list[Widening]](list)
        for part in self._parts:
            for uid, widening in self._widened_by(part).items():
                by[uid].append(widening)
                others[part.uid].append(widening)
        found = {
            part.uid: Widened(
                tuple(by.get(part.uid, ())),
                tuple(others.get(part.uid, ())),
                _TOO_MANY if self._is_over and any(map(matters, part.entries)) else "",
            )
            for part in self._parts
            if part.uid
        }
        return {uid: widened for uid, widened in found.items() if widened}

    @property
    def _is_over(self) -> bool:
        return self._questions.steps <= 0

    def _widened_by(self, one: _Part) -> dict[str, Widening]:
        """Return who hides what one SearchAccess shows, by uid."""
        found: dict[str, Widening] = {}
        for entry, pattern, other, restriction, parts in self._near(one):
            what = self._shown(entry, restriction)
            if not what or not self._questions.ask(can_meet, pattern, other):
                continue
            for part in parts:
                self._questions.steps -= 1
                if part.uid and part.uid not in found:
                    found[part.uid] = Widening(_named(part, other), _named(one, pattern), what)
        return found

    def _near(self, one: _Part) -> Iterator[tuple[Entry, str, str, _Restriction, list[_Part]]]:
        """Yield each entry with its pattern, and each restriction of another namespace on a pattern near it.

        The parts are those with that restriction. Nothing more comes once the steps are used up.
        """
        for entry, place in self._places_beside(one):
            for pattern, other in ((mine, each) for mine in entry.indices for each in place.prefixes.near(mine)):
                for restriction, parts in place.hiding[other].items():
                    self._questions.steps -= 1
                    if self._is_over:
                        return
                    yield entry, pattern, other, restriction, parts

    def _places_beside(self, one: _Part) -> Iterator[tuple[Entry, _Place]]:
        for entry in one.entries:
            for (namespace, clusters), place in self._places.items():
                self._questions.steps -= 1
                met = clusters == entry.clusters or (clusters and entry.clusters and meet(clusters, entry.clusters))
                if met and namespace != one.namespace:
                    yield entry, place

    def _shown(self, entry: Entry, hidden: _Restriction) -> str:
        """Return what an entry shows that a restriction hides; empty: nothing."""
        query, fields = hidden
        documents = ["documents"] if query and query != entry.query else []
        return " and ".join(
            documents if self._questions.ask(allows_fields, fields, fields_of(entry)) else [*documents, "fields"]
        )


def _restriction(entry: Entry) -> _Restriction:
    return entry.query, fields_of(entry)


def _named(part: _Part, pattern: str) -> str:
    return f"{part.label} ({bounded_text(pattern, NAMED)})"
