"""Determines who has rights in a role, from its metadata, corrected by statuses.

Others can change metadata in Elasticsearch, and a SearchAccess can be recreated under its old name. Neither may revoke
the rights of a held SearchAccess, nor leave rights of a deleted one behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.core.model.access import Access, Share
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import Member, in_order, record_for
from searchaccess.core.rights.ownership import Record, RoleMetadata


@dataclass(frozen=True, slots=True)
class Seen:
    """What a SearchAccess's status says of an earlier reconcile on the same cluster."""

    role: str
    spec_hash: str


_CLAIM: Final = {Do.REMOVE: 0, Do.DISABLE: 0, Do.HOLD: 1, Do.RELEASE: 1, Do.ENFORCE: 2}
"""Priority where several may have had rights: rights that may belong to a revoked SearchAccess are revoked. It matters
least to those whose rights are enforced again."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who has rights in a role."""

    metadata: RoleMetadata
    claimant: str = ""
    """The uid of an owner that had some rights, but it is not known which."""
    recreated: frozenset[str] = frozenset()
    """The uids of those that inherit the record of an earlier SearchAccess of their name."""
    complete: bool = True
    """Whether the metadata had all records, so that the positions of entries identify their owners."""

    def attribute(self, shares: Shares, members: Sequence[Member]) -> Shares:
        """Assign rights without a record or declaration to the owner with unknown rights."""
        if not self.claimant:
            return shares
        others = [member.access.share for member in members if member.access.uid != self.claimant]
        declared = {entry for share in others for entry in share.entries}
        claimed = tuple(entry for entry in shares.extra.entries if entry not in declared)
        shares.by_uid[self.claimant] = Share(claimed, shares.extra.cluster)
        shares.extra = Share(tuple(entry for entry in shares.extra.entries if entry in declared))
        return shares


def recollect(name: str, metadata: RoleMetadata, members: Sequence[Member], seen: Mapping[str, Seen]) -> Known:
    """Return who has rights in a role.

    Args:
        name: the role's name.
        metadata: what its metadata says; empty for a role that is not ours yet.
        members: the principal's SearchAccesses.
        seen: by uid, what statuses say of earlier reconciles on this same cluster.
    """
    live = {member.access.uid for member in members}
    old = {(record.namespace, record.name): record for record in metadata.records if record.uid not in live}
    records = {record.uid: record for record in metadata.records}
    claimants, recreated, complete = [], set(), True
    for member in in_order(members):
        access = member.access
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
                complete = False
                records[access.uid] = record_for(access, None) if exact else _blank(access, known)
                claimants += [] if exact else [member]
            elif exact and record.spec_hash != known.spec_hash:
                records[access.uid] = replace(record, spec_hash=known.spec_hash)
    claimant = min(claimants, key=lambda item: _CLAIM[item.decision.do]).access.uid if claimants else ""
    if records or metadata.records:
        metadata = replace(metadata, records=tuple(records.values()))
    return Known(metadata, claimant, frozenset(recreated), complete)


def _blank(access: Access, known: Seen) -> Record:
    return Record(access.namespace, access.name, access.uid, 0, known.spec_hash, (), ())
