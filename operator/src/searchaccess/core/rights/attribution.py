"""Which parts of a shared role belong to which SearchAccess.

A role's metadata has, for each owner, the hashes of its entries. Unchanged entries are found by hash. An entry that
somebody changed has another hash. It is assigned to an owner that lacks one: by its index names, or by its position if
these changed too. Somebody added the remaining entries. Released entries count only as recorded. A changed one counts
as added by somebody.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import NAMES_HASH_LENGTH, Entry, RoleBody, place_of
from searchaccess.core.rights.ownership import Released, RoleMetadata

RELEASED = ""
"""Represents the owner of rights that were released. No record has this uid."""


@dataclass(slots=True)
class Shares:
    """An observed role, split by owner."""

    by_uid: dict[str, Share] = field(default_factory=dict)
    released: Share = Share()
    extra: Share = Share()
    """Rights without a record: somebody added them."""


def _slots(metadata: RoleMetadata) -> Iterable[tuple[str, str]]:
    for record in metadata.records:
        for entry_hash in record.entries:
            yield record.uid, entry_hash
    for entry_hash in metadata.released.entries:
        yield RELEASED, entry_hash


def split(body: RoleBody, metadata: RoleMetadata, *, by_place: bool = True) -> Shares:
    """Split an observed role into what each owner has.

    Args:
        body: the role as Elasticsearch has it.
        metadata: its metadata.
        by_place: whether its places can be trusted: not when records were lost.
    """
    if not body.entries and not body.cluster and not metadata.records and not metadata.released:
        # There is no role yet.
        return Shares()
    by_hash, by_names = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for index, entry in enumerate(body.entries):
        by_hash[entry.hash].add(index)
        by_names[entry.names_hash].add(index)
    free = set(range(len(body.entries)))
    owner_of: dict[int, str] = {}
    # As the role has them, list by list.
    unfilled = list(enumerate(sorted(_slots(metadata), key=lambda slot: place_of(slot[1]))))
    # The most certain first: the entry itself, then one with its index names, then one in its place.
    for candidates in (
        lambda _, wanted: free.intersection(by_hash.get(wanted, ())),
        lambda _, wanted: free.intersection(by_names.get(wanted[:NAMES_HASH_LENGTH], ())),
        lambda place, _: free & {place} if by_place else set(),
    ):
        still = []
        for place, (uid, wanted) in unfilled:
            found = candidates(place, wanted)
            if found:
                match = place if place in found else min(found)
                free.discard(match)
                owner_of[match] = uid
            else:
                still.append((place, (uid, wanted)))
        unfilled = [slot for slot in still if slot[1][0] != RELEASED]
    return _collect(body, metadata, owner_of)


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
    """Return the record of released rights."""
    return Released(tuple(entry.hash for entry in share.entries), share.cluster)
