"""Who has rights in a role: what its metadata says, put right by what statuses know.

Metadata in Elasticsearch can be changed by others, and a SearchAccess can be made anew under its old name. Neither may
cost a held access its rights, nor leave rights of a deleted one behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from searchaccess.core.access import Access, Share
from searchaccess.core.attribution import Shares
from searchaccess.core.compose import Member, in_order, record_for
from searchaccess.core.ownership import Record, RoleMetadata


@dataclass(frozen=True, slots=True)
class Seen:
    """What a SearchAccess's status says of an earlier pass on the same cluster."""

    role: str
    spec_hash: str


@dataclass(frozen=True, slots=True)
class Known:
    """Who has rights in a role."""

    metadata: RoleMetadata
    claimant: str = ""
    """The uid of an owner of whose rights no more is known than that there were some."""
    recreated: frozenset[str] = frozenset()
    """The uids of those that inherit the record of an earlier SearchAccess of their name."""

    def attribute(self, shares: Shares) -> Shares:
        """Give what nobody accounts for to the owner of whose rights nothing is known."""
        if self.claimant:
            shares.by_uid[self.claimant] = shares.extra
            shares.extra = Share()
        return shares


def recollect(name: str, metadata: RoleMetadata, members: Sequence[Member], seen: Mapping[str, Seen]) -> Known:
    """Say who has rights in a role.

    Args:
        name: the role's name.
        metadata: what its metadata says; empty for a role that is not ours yet.
        members: the principal's SearchAccesses.
        seen: by uid, what statuses say of earlier passes on this same cluster.
    """
    live = {member.access.uid for member in members}
    old = {(record.namespace, record.name): record for record in metadata.records if record.uid not in live}
    records = {record.uid: record for record in metadata.records}
    claimant, recreated = "", set()
    for access in (member.access for member in in_order(members)):
        known, record = seen.get(access.uid), records.get(access.uid)
        if record is None and (inherited := old.get((access.namespace, access.name))):
            recreated.add(access.uid)
            records = {
                record.uid: record
                for record in (replace(r, uid=access.uid) if r is inherited else r for r in records.values())
            }
        elif known and known.role == name:
            exact = known.spec_hash == access.share.hash and not access.invalid
            if record is None:
                records[access.uid] = record_for(access, None) if exact else _blank(access, known)
                claimant = claimant or ("" if exact else access.uid)
            elif exact:
                records[access.uid] = replace(record, spec_hash=known.spec_hash)
    return Known(replace(metadata, records=tuple(records.values())), claimant, frozenset(recreated))


def _blank(access: Access, known: Seen) -> Record:
    return Record(access.namespace, access.name, access.uid, 0, known.spec_hash, (), ())
