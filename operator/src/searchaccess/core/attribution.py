"""Which parts of a shared role are due to which SearchAccess.

A role's metadata holds, for each owner, the hashes of its entries. Unchanged entries are found by
hash. An entry that somebody changed has another hash; it is given back to the owner that misses one, by its index
names where we know what the missing one looked like, and by its place otherwise. What remains was added by somebody.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from searchaccess.core.access import Share
from searchaccess.core.canonical import Entry, RoleBody
from searchaccess.core.ownership import Released, RoleMetadata

RELEASED = ""
"""Stands for the owner of rights that were released. No record has this uid."""


@dataclass(slots=True)
class Shares:
    """An observed role, split by owner."""

    by_uid: dict[str, Share] = field(default_factory=dict)
    released: Share = Share()
    extra: Share = Share()
    """What no record accounts for: somebody added it."""


def _slots(metadata: RoleMetadata) -> Iterable[tuple[str, str]]:
    for record in metadata.records:
        for entry_hash in record.entries:
            yield record.uid, entry_hash
    for entry_hash in metadata.released.entries:
        yield RELEASED, entry_hash


def split(body: RoleBody, metadata: RoleMetadata, declared: Mapping[str, Share]) -> Shares:
    """Split an observed role into what each owner has.

    Args:
        body: the role as Elasticsearch has it.
        metadata: its metadata.
        declared: by uid, the rights that a SearchAccess declares; they tell how a changed entry looked before.
    """
    slots = list(_slots(metadata))
    hashes = [entry.hash for entry in body.entries]
    free = set(range(len(hashes)))
    owner_of: dict[int, str] = {}
    unfilled: list[tuple[int, str, str]] = []
    for place, (uid, entry_hash) in enumerate(slots):
        match = place if place in free and hashes[place] == entry_hash else None
        if match is None:
            match = next((index for index in sorted(free) if hashes[index] == entry_hash), None)
        if match is None:
            unfilled.append((place, uid, entry_hash))
            continue
        free.discard(match)
        owner_of[match] = uid
    known = {entry.hash: entry for share in declared.values() for entry in share.entries}
    still: list[tuple[int, str]] = []
    for place, uid, entry_hash in unfilled:
        before = known.get(entry_hash)
        match = _by_names(body.entries, free, before) if before else None
        if match is None:
            still.append((place, uid))
            continue
        free.discard(match)
        owner_of[match] = uid
    for place, uid in still:
        if place in free:
            free.discard(place)
            owner_of[place] = uid
    return _collect(body, metadata, owner_of)


def _by_names(entries: tuple[Entry, ...], free: set[int], before: Entry) -> int | None:
    return next((index for index in sorted(free) if entries[index].names == before.names), None)


def _collect(body: RoleBody, metadata: RoleMetadata, owner_of: Mapping[int, str]) -> Shares:
    entries: dict[str, list[Entry]] = defaultdict(list)
    extra: list[Entry] = []
    for index, entry in enumerate(body.entries):
        if index in owner_of:
            entries[owner_of[index]].append(entry)
        else:
            extra.append(entry)
    present = set(body.cluster)
    accounted = set(metadata.released.cluster).union(*(record.cluster for record in metadata.records))
    return Shares(
        by_uid={
            record.uid: Share(tuple(entries.get(record.uid, ())), tuple(sorted(present.intersection(record.cluster))))
            for record in metadata.records
        },
        released=Share(
            tuple(entries.get(RELEASED, ())), tuple(sorted(present.intersection(metadata.released.cluster)))
        ),
        extra=Share(tuple(extra), tuple(sorted(present - accounted))),
    )


def released_of(share: Share) -> Released:
    """Give the record of released rights."""
    return Released(tuple(entry.hash for entry in share.entries), share.cluster)
