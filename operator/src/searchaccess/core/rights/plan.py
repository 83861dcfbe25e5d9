"""Plans one principal's role: the difference, as a change to make and as findings for each SearchAccess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from searchaccess.api.clusters.status import ReleasedRights
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import RoleBody, canonical_json
from searchaccess.core.ownership.adoption import Agreed, Judgment, Refusal, Request, judge, seen_as, written_again
from searchaccess.core.ownership.adoption import Seen as Foreign
from searchaccess.core.ownership.released import (
    INHERITED,
    Releasing,
    Remembered,
    cluster_of,
    hashes_of,
    kept_of,
    release,
    without_revoked,
)
from searchaccess.core.patterns.marks import without_marks
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.attribution import Shares, split
from searchaccess.core.rights.compose import Member, compose, in_order, record_for, spec_hash_of
from searchaccess.core.rights.diff import Difference, diff_extra, diff_metadata, diff_share, shown
from searchaccess.core.rights.ownership import (
    Operator,
    Released,
    Role,
    RoleMetadata,
    describe,
    metadata_from_json,
    released_by_us,
)
from searchaccess.core.rights.recollection import Known, Seen, recollect
from searchaccess.core.rights.refused.refusals import refused_among, with_refusals
from searchaccess.core.rights.widened import Widened, widened_in


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reconcile found about one SearchAccess."""

    pending: bool = False
    """The declaration is not applied yet (new, or changed)."""
    drift: tuple[Difference, ...] = ()
    """What somebody changed."""
    differences: tuple[Difference, ...] = ()
    """Everything that differs from the declaration, whatever the cause."""
    conflict: str = ""
    """Name of a foreign object with a name of ours."""
    refusal: Refusal | None = None
    """Why that is not adopted."""
    adopted: str = ""
    """What was replaced by adoption, as JSON."""
    owned: bool = False
    """Whether Elasticsearch has rights recorded for it."""


@dataclass(frozen=True, slots=True)
class RolePlan:
    """What to do about one role."""

    name: str
    write: Role | None = None
    whole: bool = False
    """The existing role must be replaced as a whole: merging would keep parts that must be removed."""
    delete: bool = False
    findings: Mapping[str, Finding] = field(default_factory=dict)
    """By uid."""
    refused: Mapping[str, AccessDecision] = field(default_factory=dict)
    """By uid, what is done about those that would widen others, or make the role too complicated, or wait for their
    rights to be remembered."""
    releasing: Releasing = Releasing()
    """What it says about released rights."""
    foreign: Foreign | None = None
    """The foreign role that is replaced; without ``write``: that is to be recorded before."""
    widened: Mapping[str, Widened] = field(default_factory=dict)
    """By uid, who shows what others of the same principal hide."""
    held: Mapping[str, Share] = field(default_factory=dict)
    """By uid, what those whose rights are held have in the role as Elasticsearch has it."""
    waits: bool = False
    """It is taken over as soon as the rights that were released in it are recorded."""

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.delete or self.write is not None


_NOTHING_RELEASED: Final = Remembered()


def plan_role(
    operator: Operator,
    principal: str,
    members: Sequence[Member],
    observed: Role | None,
    seen: Mapping[str, Seen],
    remembered: Remembered = _NOTHING_RELEASED,
    agreed: Agreed | None = None,
) -> RolePlan:
    """Plan one principal's role.

    Args:
        operator: this operator.
        principal: whose role it is.
        members: its SearchAccesses on this cluster, in any order, and what is done about each.
        observed: the role as Elasticsearch has it; None: there is none.
        seen: by uid, what statuses say of earlier reconciles on this same cluster.
        remembered: what is known of rights in it that were released.
        agreed: which foreign roles may be adopted; None: none may.
    """
    name = operator.role_name(principal)
    recorded, adopted, foreign = RoleMetadata(), "", None
    if observed is not None and _is_ours(operator, observed, members, seen):
        recorded = metadata_from_json(observed.metadata)
    elif observed is not None:
        foreign = seen_role(observed)
        judged = _judged(foreign, members, agreed or Agreed())
        if not judged.adopts:
            asked = foreign if judged.asks else None
            again = operator.owns(observed.metadata) and not judged.asks
            refusal = written_again(foreign) if again else judged.refusal
            plan = _nobodys(observed, members, seen, remembered, refusal)
            # Revoking rights changes its content, to which nobody has agreed.
            return plan if plan.changes else replace(plan, foreign=asked)
        adopted = without_marks(canonical_json(observed.body.to_json()))
    known = recollect(name, recorded, members, seen)
    released = remembered.unrecorded({record.uid for record in known.metadata.records})
    if adopted:
        released = _NOTHING_RELEASED
    if released.all or known.metadata.released:
        known = replace(known, metadata=replace(known.metadata, released=_released(released)))
    shares = split(observed.body if observed else RoleBody(), known.metadata, by_place=known.complete)
    if not adopted:
        shares = known.attribute(shares, members)
    if released.revoked:
        shares.released = kept_of(shares.released, released.kept)
    refused = refused_among(members, known.metadata, shares)
    members = with_refusals(members, refused)
    remember, waiting = _to_remember(name, principal, members, shares, remembered)
    waits = not adopted and _waits(operator, observed, remembered)
    refused |= (waiting := waiting | (_all_held(members) if waits else {}))
    members = with_refusals(members, waiting)
    revoking = bool(released.revoked) and observed is not None and not waits
    target = (
        observed
        if waits
        else compose(operator, principal, members, observed, known.metadata, shares, revoking=revoking)
    )
    findings = _findings(operator, principal, members, observed, known, shares, adopted)
    writes = target is not None and (bool(adopted) or not target.same_as(observed))
    return RolePlan(
        name,
        write=target if writes else None,
        whole=writes and target is not None and target.sheds(observed),
        delete=target is None and observed is not None,
        findings=findings,
        refused=refused,
        releasing=Releasing(remember, released.revoked if revoking else ()),
        widened=widened_in(members, shares),
        held=_held(members, shares),
        waits=waits,
        foreign=foreign if writes else None,
    )


def _held(members: Sequence[Member], shares: Shares) -> dict[str, Share]:
    held = (member.access.uid for member in members if member.decision.do is Do.HOLD)
    return {uid: shares.by_uid[uid] for uid in held if uid in shares.by_uid}


def _to_remember(
    name: str, principal: str, members: Sequence[Member], shares: Shares, remembered: Remembered
) -> tuple[tuple[ReleasedRights, ...], dict[str, AccessDecision]]:
    """Return what must be remembered before rights in a role can be released, and who waits for that, by uid."""
    leaving = [
        (member.access, shares.by_uid.get(member.access.uid, Share()))
        for member in in_order(members)
        if member.decision.do is Do.RELEASE
    ]
    return release(name, principal, leaving, remembered) if leaving else ((), {})


def _waits(operator: Operator, observed: Role | None, remembered: Remembered) -> bool:
    """Return whether a predecessor's role must not be written yet, because released rights could be forgotten."""
    return observed is not None and not operator.wrote(observed.metadata) and not remembered.is_recorded


def _all_held(members: Sequence[Member]) -> dict[str, AccessDecision]:
    return {member.access.uid: INHERITED for member in members if member.decision.do is not Do.HOLD}


def _released(remembered: Remembered) -> Released:
    return Released(hashes_of(remembered.all), cluster_of(remembered.all))


def _is_ours(operator: Operator, observed: Role, members: Sequence[Member], seen: Mapping[str, Seen]) -> bool:
    """Return whether a role is ours. A predecessor's role that was ours before is not: the predecessor still runs."""
    if not operator.owns(observed.metadata) or operator.wrote(observed.metadata):
        return operator.owns(observed.metadata)
    had = (seen.get(member.access.uid) for member in members)
    return not any(known is not None and known.role == observed.name for known in had)


def seen_role(role: Role) -> Foreign:
    """Identify a foreign role by its content; the order of its entries means nothing."""
    return seen_as("role", role.name, role.body.sorted().to_json(), role.metadata)


def _judged(foreign: Foreign, members: Sequence[Member], agreed: Agreed) -> Judgment:
    """Decide what is done about a foreign role; nothing, if nobody's rights are enforced in it."""
    enforced = [member.access for member in members if member.decision.do is Do.ENFORCE]
    if not enforced:
        agreed = replace(agreed, objects={})
    requests = [
        Request(access.adopt, access.namespace, access.namespace in agreed.namespaces)
        for access in enforced
        if access.adopt
    ]
    return judge(foreign, agreed, requests)


def _nobodys(
    observed: Role,
    members: Sequence[Member],
    seen: Mapping[str, Seen],
    remembered: Remembered,
    refusal: Refusal | None,
) -> RolePlan:
    """Plan a role that is not ours: nothing is done to it, unless we released it and rights in it are to go."""
    plan = RolePlan(observed.name, findings=_conflicts(observed, members, seen, remembered, refusal))
    if not remembered.revoked or not released_by_us(observed.metadata):
        return plan
    plan = replace(plan, releasing=Releasing(revoked=remembered.revoked))
    left = without_revoked(observed.body, remembered)
    if left is None:
        return replace(plan, delete=True)
    return plan if left.same_as(observed.body) else replace(plan, write=replace(observed, body=left))


def _conflicts(
    observed: Role,
    members: Sequence[Member],
    seen: Mapping[str, Seen],
    remembered: Remembered,
    refusal: Refusal | None,
) -> dict[str, Finding]:
    found = {}
    # The metadata alone is no proof.
    released = released_by_us(observed.metadata) and bool(remembered.all)
    for member in members:
        access = member.access
        had_rights = access.uid in seen and seen[access.uid].role == observed.name
        # A deleted SearchAccess waits for a person only if rights of it may be left that are to go: not if it never had
        # any in this role, if they are to stay, or if we took them out before we released the role.
        waits = had_rights and member.decision.do is not Do.RELEASE and not released
        concerned = waits if access.deleted_at else True
        found[access.uid] = Finding(
            conflict=observed.name if concerned else "", refusal=refusal if concerned else None, owned=had_rights
        )
    return found


def _whole(share: Share) -> str:
    lists: dict[str, Any] = {"indices": [], "cluster": list(share.cluster)}
    for entry in share.entries:
        lists.setdefault(entry.kind, []).append(shown(entry))
    return canonical_json(lists)


def _findings(
    operator: Operator,
    principal: str,
    members: Sequence[Member],
    observed: Role | None,
    known: Known,
    shares: Shares,
    adopted: str,
) -> dict[str, Finding]:
    metadata = known.metadata
    records = {record.uid: record for record in metadata.records}
    target = f"role/{operator.role_name(principal)}"
    pending = {
        member.access.uid: not member.decision.unseen
        and (
            (record := records.get(member.access.uid)) is None
            or record.spec_hash != member.access.share.hash
            or member.access.uid in known.recreated
        )
        for member in members
    }
    common: list[Difference] = []
    if observed and not adopted:
        common = diff_extra(target, shares.extra, observed.body.other)
        if _settled(members, metadata, pending):
            common += _metadata_drift(operator, principal, members, observed, metadata)
    found = {}
    for member in members:
        access = member.access
        owned = observed is not None and access.uid in records
        if not _stays(member) or not member.decision.reports:
            found[access.uid] = Finding(owned=owned)
            continue
        if observed is None and not pending[access.uid]:
            own = [Difference(target, ".", _whole(access.share), "")]
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


def _stays(member: Member) -> bool:
    return member.decision.do in {Do.ENFORCE, Do.HOLD}


def _settled(members: Sequence[Member], metadata: RoleMetadata, pending: Mapping[str, bool]) -> bool:
    """Return whether no member comes, goes or changes, so that the correct metadata is known."""
    staying = all((member.decision.reports or member.decision.unseen) and _stays(member) for member in members)
    return staying and not any(pending.values()) and all(record.uid in pending for record in metadata.records)


def _metadata_drift(
    operator: Operator, principal: str, members: Sequence[Member], observed: Role, metadata: RoleMetadata
) -> list[Difference]:
    """Return what differs in the metadata and description of a role in which nothing is pending.

    The record of an access that is held is as it is; that its entries were changed is reported of the entries.
    """
    by_uid = {record.uid: record for record in metadata.records}
    records = tuple(
        record_for(member.access, record) if member.decision.do is Do.ENFORCE else record
        for member in in_order(members)
        if (record := by_uid.get(member.access.uid)) is not None
    )
    ideal = RoleMetadata(principal, spec_hash_of(records), records, _rightly(observed, metadata)).to_json(operator)
    target = f"role/{observed.name}"
    # A predecessor's stamp is replaced by ours. That is not drift.
    found = diff_metadata(target, ideal, observed.metadata | {"controller": operator.controller})
    description = describe(records, "", "")
    if description != observed.body.description:
        want, have = canonical_json(description), canonical_json(observed.body.description)
        found.append(Difference(target, "description", want, have))
    return found


def _rightly(observed: Role, metadata: RoleMetadata) -> Released:
    """Return the correct part of the metadata about released rights; rights that are gone do not matter."""
    noted, true = metadata_from_json(observed.metadata).released, metadata.released
    return Released(
        tuple(item for item in noted.entries if item in true.entries),
        tuple(item for item in noted.cluster if item in true.cluster),
    )
