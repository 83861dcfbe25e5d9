"""Plans one principal's role: the difference, as a change to make and as findings for each SearchAccess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from searchaccess.core.access import Access, Share
from searchaccess.core.attribution import Shares, split
from searchaccess.core.canonical import canonical_json
from searchaccess.core.compose import Member, compose, record_for
from searchaccess.core.diff import Difference, diff_extra, diff_metadata, diff_share
from searchaccess.core.ownership import Operator, Role, RoleMetadata, metadata_from_json
from searchaccess.core.stance import Do, Stance


@dataclass(frozen=True, slots=True)
class Seen:
    """What a SearchAccess's status says of an earlier pass on the same cluster."""

    role: str
    spec_hash: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a pass found about one SearchAccess."""

    pending: bool = False
    """The declaration is not applied yet (new, or changed)."""
    drift: tuple[Difference, ...] = ()
    """What somebody changed."""
    differences: tuple[Difference, ...] = ()
    """All that differs from the declaration, whoever is the cause."""
    conflict: str = ""
    """Name of a foreign object that is in the way."""
    adopted: str = ""
    """What was replaced by adoption, as JSON."""
    owned: bool = False
    """Whether Elasticsearch has rights recorded for it."""


@dataclass(frozen=True, slots=True)
class RolePlan:
    """What is to be done about one role."""

    name: str
    write: Role | None = None
    delete: bool = False
    findings: Mapping[str, Finding] = field(default_factory=dict)
    """By uid."""

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.delete or self.write is not None


def plan_role(
    operator: Operator,
    principal: str,
    members: Sequence[Member],
    observed: Role | None,
    seen: Mapping[str, Seen],
) -> RolePlan:
    """Plan one principal's role.

    Args:
        operator: this operator.
        principal: whose role it is.
        members: its SearchAccesses on this cluster, in any order, and what is done about each.
        observed: the role as Elasticsearch has it; None: there is none.
        seen: by uid, what statuses say of earlier passes on this same cluster.
    """
    name = operator.role_name(principal)
    live = {member.access.uid: member.access for member in members}
    adopted = ""
    if observed is not None and not operator.owns(observed.metadata):
        if not any(member.stance.do is Do.ENFORCE and member.access.adopt == name for member in members):
            return RolePlan(name, findings=_conflicts(name, members, seen))
        adopted = canonical_json(observed.body.to_json())
        observed_metadata = RoleMetadata()
    else:
        observed_metadata = metadata_from_json(observed.metadata) if observed else RoleMetadata()
    metadata = observed_metadata if adopted else _with_lost_records(name, observed_metadata, live, seen)
    shares = _split(observed, metadata, live, adopted=bool(adopted))
    target = compose(operator, principal, members, None if adopted else observed, metadata, shares)
    findings = _findings(operator, principal, members, observed, metadata, shares, adopted)
    if target is None:
        return RolePlan(name, delete=observed is not None, findings=findings)
    if not adopted and target.same_as(observed):
        return RolePlan(name, findings=findings)
    return RolePlan(name, write=target, findings=findings)


def _split(observed: Role | None, metadata: RoleMetadata, live: Mapping[str, Access], *, adopted: bool) -> Shares:
    if observed is None or adopted:
        return Shares(by_uid={record.uid: Share() for record in metadata.records})
    return split(observed.body, metadata, {uid: access.share for uid, access in live.items()})


def _conflicts(name: str, members: Sequence[Member], seen: Mapping[str, Seen]) -> dict[str, Finding]:
    found = {}
    for member in members:
        access = member.access
        # A deleted SearchAccess waits for a person only if it ever had rights in this role: else nothing is left of it.
        had_rights = access.uid in seen and seen[access.uid].role == name
        concerned = not access.deleted_at or had_rights
        found[access.uid] = Finding(conflict=name if concerned else "", owned=had_rights)
    return found


def _with_lost_records(
    name: str, metadata: RoleMetadata, live: Mapping[str, Access], seen: Mapping[str, Seen]
) -> RoleMetadata:
    """Put back the records of owners that somebody took out of the metadata: their statuses still know."""
    lost = [
        record_for(access, None)
        for uid, access in live.items()
        if metadata.record(uid) is None
        and uid in seen
        and seen[uid].role == name
        and seen[uid].spec_hash == access.share.hash
        and not access.invalid
    ]
    return replace(metadata, records=(*metadata.records, *lost)) if lost else metadata


def _findings(
    operator: Operator,
    principal: str,
    members: Sequence[Member],
    observed: Role | None,
    metadata: RoleMetadata,
    shares: Shares,
    adopted: str,
) -> dict[str, Finding]:
    name = operator.role_name(principal)
    target = f"role/{name}"
    extra = diff_extra(target, shares.extra, observed.body.other) if observed and not adopted else []
    pending = {
        member.access.uid: (record := metadata.record(member.access.uid)) is None
        or record.spec_hash != member.access.share.hash
        for member in members
    }
    uids = {member.access.uid for member in members}
    settled = (
        not any(pending.values())
        and all(record.uid in uids for record in metadata.records)
        and not any(member.access.deleted_at or (member.stance.do is Do.HOLD and not member.stance.reports)
                    for member in members)
    )  # fmt: skip
    common = [*extra]
    if settled and observed and not adopted:
        common += _metadata_drift(operator, principal, members, observed, metadata, shares)
    found = {}
    for member in members:
        access = member.access
        owned = metadata.record(access.uid) is not None
        if access.deleted_at or not member.stance.reports:
            found[access.uid] = Finding(owned=owned)
            continue
        if observed is None and not pending[access.uid]:
            whole = canonical_json({"indices": [entry.to_json() for entry in access.share.entries]})
            own = [Difference(target, ".", whole, "")]
        else:
            own = diff_share(target, access.share, shares.by_uid.get(access.uid, Share()))
        drift = [*common] if pending[access.uid] else [*own, *common]
        found[access.uid] = Finding(
            pending=pending[access.uid],
            drift=tuple(drift),
            differences=(*own, *common),
            adopted=adopted,
            owned=owned,
        )
    return found


def _metadata_drift(
    operator: Operator,
    principal: str,
    members: Sequence[Member],
    observed: Role,
    metadata: RoleMetadata,
    shares: Shares,
) -> list[Difference]:
    """Give what differs in the metadata and description of a role in which nothing is pending."""
    everyone = [replace(member, stance=Stance(Do.ENFORCE)) for member in members]
    ideal = compose(operator, principal, everyone, observed, metadata, shares)
    if ideal is None:
        return []
    target = f"role/{ideal.name}"
    found = diff_metadata(target, ideal.metadata, observed.metadata)
    if ideal.body.description != observed.body.description:
        found.append(
            Difference(
                target, "description", canonical_json(ideal.body.description), canonical_json(observed.body.description)
            )
        )
    return found
