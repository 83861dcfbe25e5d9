"""Composes the role of one principal from what its SearchAccesses declare and what Elasticsearch has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.canonical import RoleBody, digest, plain_json
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.attribution import Shares, released_of
from searchaccess.core.rights.ownership import (
    Operator,
    Record,
    Released,
    Role,
    RoleMetadata,
    describe,
    record_of,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A SearchAccess of a principal, and what is done about it."""

    access: Access
    decision: AccessDecision


def in_order(members: Sequence[Member]) -> list[Member]:
    """Return members in the one order in which a role names them."""
    if len(members) < 2:  # noqa: PLR2004 - most roles have one
        return list(members)
    return sorted(members, key=lambda item: (item.access.namespace, item.access.name, item.access.uid))


def spec_hash_of(records: Sequence[Record]) -> str:
    """Identify all that is declared in a role, independent of changes that somebody made to its content."""
    return digest(plain_json([record.spec_hash for record in records]))


def record_for(access: Access, recorded: Record | None) -> Record:
    """Return the record of a SearchAccess with its declared rights.

    The generation in it is the one that made these rights: a later generation with the same rights writes nothing.
    """
    record = record_of(access)
    if recorded and recorded.spec_hash == record.spec_hash and 0 < recorded.generation <= record.generation:
        return recorded if recorded == record else replace(record, generation=recorded.generation)
    return record


@dataclass(slots=True)
class _Parts:
    """A role under construction."""

    records: list[Record]
    shares: list[Share]
    released: list[Share]
    releasing: bool = False
    """A SearchAccess releases its rights in this reconcile."""
    disabled_since: str = ""
    disabled_by: str = ""


def _collect(members: Sequence[Member], metadata: RoleMetadata, shares: Shares) -> _Parts:
    parts = _Parts([], [], [shares.released] if metadata.released else [])
    records = {record.uid: record for record in metadata.records}
    for member in in_order(members):
        access, recorded = member.access, records.get(member.access.uid)
        match member.decision.do:
            case Do.ENFORCE:
                parts.records.append(record_for(access, recorded))
                parts.shares.append(access.share)
            case Do.HOLD if recorded:
                share = shares.by_uid[access.uid]
                # Its present rights are recorded as its own, so that they can still be distinguished from added ones.
                parts.records.append(
                    replace(recorded, entries=tuple(entry.hash for entry in share.entries), cluster=share.cluster)
                )
                parts.shares.append(share)
            case Do.RELEASE if recorded:
                parts.released.append(shares.by_uid[access.uid])
                parts.releasing = True
            case Do.DISABLE if recorded:
                parts.disabled_since, parts.disabled_by = access.deleted_at, access.ref
            case _:
                pass
    return parts


def compose(
    operator: Operator,
    principal: str,
    members: Sequence[Member],
    observed: Role | None,
    metadata: RoleMetadata,
    shares: Shares,
    *,
    revoking: bool = False,
) -> Role | None:
    """Return the desired role after this reconcile, or None if there should be none.

    Args:
        operator: this operator.
        principal: whose role it is.
        members: the principal's SearchAccesses and what is done about each.
        observed: the role as Elasticsearch has it; None: there is none.
        metadata: its metadata, with records of owners that lost theirs.
        shares: the observed role, split by owner.
        revoking: whether released rights in it are to go.
    """
    name = operator.role_name(principal)
    enforced = any(member.decision.do is Do.ENFORCE for member in members)
    if observed is None and not enforced:
        return None
    held = {member.access.uid for member in members if member.decision.do is Do.HOLD}
    if not revoking and not enforced and held and all(record.uid in held for record in metadata.records):
        # No member enforces and none leaves: the role is not changed, whatever its content.
        return observed
    parts = _collect(members, metadata, shares)
    if observed is not None and not parts.records:
        return _without_owners(operator, principal, observed, metadata, parts, shares.extra)
    # Added rights are removed if a member enforces; while all members are held, they stay.
    extra = Share() if enforced or observed is None else shares.extra
    kept = [*parts.shares, *parts.released, extra]
    released = Released(
        tuple(item for share in parts.released for item in released_of(share).entries),
        tuple(sorted({item for share in parts.released for item in share.cluster})),
    )
    records = tuple(parts.records)
    body = RoleBody(
        cluster=tuple(sorted({name for share in kept for name in share.cluster})),
        entries=tuple(entry for share in kept for entry in share.entries),
        description=describe(records, "", ""),
        other="" if enforced or observed is None else observed.body.other,
    )
    return Role(name, body, RoleMetadata(principal, spec_hash_of(records), records, released).to_json(operator))


def _without_owners(
    operator: Operator, principal: str, observed: Role, metadata: RoleMetadata, parts: _Parts, extra: Share
) -> Role | None:
    """Return what remains of a role in which no SearchAccess has a part any more."""
    # Releasing changes nothing, so added rights stay too. Otherwise they are removed with the rest.
    left = [*parts.released, extra] if parts.releasing else parts.released
    other = observed.body.other if parts.releasing else ""
    if other or any(share.entries or share.cluster for share in left):
        body = RoleBody(
            cluster=tuple(sorted({name for share in left for name in share.cluster})),
            entries=tuple(entry for share in left for entry in share.entries),
            description=f"Released by {MANAGED_BY} (deletionPolicy Orphan). Nobody manages this role any more.",
            other=other,
        )
        return Role(observed.name, body, {"released_by": MANAGED_BY, "principal": principal})
    since, by = parts.disabled_since, parts.disabled_by
    if not since and not metadata.records:
        since, by = metadata.disabled_since, metadata.disabled_by
    if not since:
        return None
    body = RoleBody(description=describe((), since, by))
    record = RoleMetadata(principal, spec_hash_of(()), disabled_since=since, disabled_by=by)
    return Role(observed.name, body, record.to_json(operator))
