"""Released rights: those that stayed in Elasticsearch when their SearchAccess was deleted (docs/adr/0034).

The SearchCluster's status records them, because a writer in Elasticsearch cannot change it. The metadata of a role
proves nothing about them. Each release has these steps, and may be interrupted after any of them: it is recorded, then
the rights are released in the role, then the SearchAccess's finalizer is removed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.clusters.orphans import ReleasedSelector
from searchaccess.api.clusters.status import RELEASED_ENTRIES_LIMIT, RELEASED_LIMIT, ReleasedRights
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.times.moments import NEVER
from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER, INDEX_PRIVILEGES
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.grants.actions import CONFINED_WRITE, FORMER_WRITE, letters_of
from searchaccess.core.model.grants.kibana import is_kibana_entry
from searchaccess.core.model.grants.remote import REMOTELY
from searchaccess.core.model.intake.reading import shortened
from searchaccess.core.model.restrictions.union import restricts
from searchaccess.core.model.summaries import Part, shown_rights
from searchaccess.core.policy.decision import AccessDecision, Do

RIGHTS_LIMIT: Final = 200
"""Characters of rights in short."""

_NOTED: Final = AccessDecision(
    Do.HOLD,
    Reason.PENDING,
    "its rights are being listed in status.released of the SearchCluster before they are released",
)
_FULL: Final = AccessDecision(
    Do.HOLD,
    Reason.RELEASED_LIST_FULL,
    f"its rights do not fit into status.released of the SearchCluster, which lists at most {RELEASED_LIMIT}, each with "
    f"{RELEASED_ENTRIES_LIMIT} entries: make room with spec.orphans.revoke of the SearchCluster, or revoke these "
    "rights with deletionPolicy: Delete",
)


INHERITED: Final = AccessDecision(
    Do.HOLD,
    Reason.PENDING,
    "rights that were released in the role are being listed in status.released of the SearchCluster, before the role "
    "is taken over",
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The recorded released rights of one role."""

    kept: tuple[ReleasedRights, ...] = ()
    """Rights that stay."""
    revoked: tuple[ReleasedRights, ...] = ()
    """Rights to revoke."""
    confirmed: tuple[ReleasedRights, ...] = ()
    """Those of both that are certainly recorded in Kubernetes."""
    full: bool = False
    """There is no room for more."""
    rehearsed: bool = False
    """A dry run: nothing is written, so nothing has to be recorded first."""

    def unrecorded(self, uids: Collection[str]) -> "Remembered":
        """Return the same without those that still have a record in the role: their entries are not released yet."""
        if not self.kept and not self.revoked:
            return self
        kept = tuple(item for item in self.kept if item.uid not in uids)
        return replace(self, kept=kept, revoked=tuple(item for item in self.revoked if item.uid not in uids))

    @property
    def is_recorded(self) -> bool:
        """Whether all of it is certainly recorded in Kubernetes, or need not be."""
        return self.rehearsed or len(self.confirmed) == len(self.all)

    @property
    def all(self) -> tuple[ReleasedRights, ...]:
        """Rights that stay, and rights to revoke."""
        return (*self.kept, *self.revoked)


@dataclass(frozen=True, slots=True)
class Releasing:
    """The part of a role's plan about released rights."""

    remember: tuple[ReleasedRights, ...] = ()
    """Rights to record before they can be released; their time is not set yet."""
    revoked: tuple[ReleasedRights, ...] = ()
    """Rights that are revoked when the plan is applied."""


def hashes_of(items: Iterable[ReleasedRights]) -> tuple[str, ...]:
    """Return the hashes of all entries of some released rights."""
    return tuple(entry for item in items for entry in item.entries)


def cluster_of(items: Iterable[ReleasedRights]) -> tuple[str, ...]:
    """Return the cluster privileges of some released rights."""
    return tuple(sorted({name for item in items for name in item.cluster}))


def release(
    role: str, principal: str, leaving: Iterable[tuple[Access, Share]], remembered: Remembered
) -> tuple[tuple[ReleasedRights, ...], dict[str, AccessDecision]]:
    """Return the rights to record before they can be released, and who waits for that, by uid.

    Args:
        role: name of the role.
        principal: whose role it is.
        leaving: the SearchAccesses that release their rights, each with its rights.
        remembered: the recorded rights of the role.
    """
    remember, held = list[ReleasedRights](), dict[str, AccessDecision]()
    for access, has in leaving:
        share = _releasable(access, has)
        if not (share.entries or share.cluster):
            continue
        known = next((item for item in remembered.all if access.uid and item.uid == access.uid), None)
        if known is None or not _covers(known, share):
            if len(share.entries) > RELEASED_ENTRIES_LIMIT or (remembered.full and known is None):
                held[access.uid] = _FULL
                continue
            remember.append(_item(role, principal, share, access))
        elif known in remembered.confirmed:
            continue
        if not remembered.rehearsed:
            held[access.uid] = _NOTED
    return tuple(remember), held


def _releasable(access: Access, has: Share) -> Share:
    """Return the rights of a SearchAccess that can be released: rights that cannot be declared were never its own."""
    entries = tuple(entry for entry in has.entries if entry in access.share.entries or is_declarable(entry))
    return Share(entries, tuple(name for name in has.cluster if name in DECLARABLE_ON_CLUSTER))


def _covers(item: ReleasedRights, share: Share) -> bool:
    """Return whether released rights are exactly these."""
    same = Counter(item.entries) == Counter(entry.hash for entry in share.entries)
    return same and set(item.cluster) == set(share.cluster)


def _item(role: str, principal: str, share: Share, access: Access | None = None) -> ReleasedRights:
    return ReleasedRights(
        namespace=access.namespace if access else "",
        name=access.name if access else "",
        uid=access.uid if access else "",
        role=role,
        principal=principal,
        since=NEVER,
        rights=in_short(share),
        entries=[entry.hash for entry in share.entries],
        cluster=list(share.cluster),
    )


def in_short(share: Share) -> str:
    """Return rights as the column ACCESS shows what is declared: ``rw orders-* +1``."""
    parts = [Part(_letters(entry), entry.indices, entry.clusters, restricts(entry)) for entry in share.on_indices]
    in_kibana = any(entry.application for entry in share.entries)
    return shortened(shown_rights(parts, on_cluster=bool(share.cluster), in_kibana=in_kibana), RIGHTS_LIMIT)


def _letters(entry: Entry) -> str:
    privileges = set(entry.privileges).difference(REMOTELY if entry.clusters else ())
    if privileges.issuperset(CONFINED_WRITE):
        privileges = privileges.difference(FORMER_WRITE) | set(Action.WRITE.privileges)
    whole = [action for action in Action if privileges.issuperset(action.privileges)]
    # An action that another one includes is not repeated.
    actions = tuple(
        action for action in whole if not any(set(action.privileges) < set(other.privileges) for other in whole)
    )
    covered = {name for action in actions for name in action.privileges}
    return letters_of(actions, raw=bool(privileges - covered))


# Rights to revoke


def to_revoke(
    item: ReleasedRights, selectors: Sequence[ReleasedSelector], admission: Admission = Admission.ALLOWED
) -> bool:
    """Return whether released rights are to be revoked.

    Args:
        item: the rights.
        selectors: ``spec.orphans.revoke`` of the SearchCluster.
        admission: whether the SearchCluster admits the namespace of their former SearchAccess.
    """
    if item.namespace and admission is Admission.REFUSED:
        return True
    return any(_names(selector, item) for selector in selectors)


def _names(selector: ReleasedSelector, item: ReleasedRights) -> bool:
    if selector.role is not None:
        return selector.role == item.role
    return selector.namespace == item.namespace and selector.name in {None, item.name}


def kept_of(share: Share, kept: Sequence[ReleasedRights]) -> Share:
    """Return those released rights of a role that stay."""
    wanted = Counter(hashes_of(kept))
    return Share(tuple(_taken(share.entries, wanted)), tuple(sorted({*share.cluster} & {*cluster_of(kept)})))


def _taken(entries: Iterable[Entry], wanted: Counter[str]) -> Iterator[Entry]:
    """Yield the entries whose hashes are wanted, and take each from the wanted ones."""
    for entry in entries:
        if wanted[entry.hash] > 0:
            wanted[entry.hash] -= 1
            yield entry


def without_revoked(body: RoleBody, remembered: Remembered) -> RoleBody | None:
    """Return the rest of a role without owners after revoking released rights; None: nothing is left.

    Only recorded rights are revoked: rights that others added to the role stay.

    Args:
        body: the role.
        remembered: its recorded rights.
    """
    staying = list(_taken(body.entries, Counter(hashes_of(remembered.kept))))
    rest, going = list(body.entries), Counter(hashes_of(remembered.revoked))
    for entry in staying:
        rest.remove(entry)
    for entry in _taken(tuple(rest), going):
        rest.remove(entry)
    cluster = {*body.cluster}.difference(cluster_of(remembered.revoked)) | (
        {*body.cluster} & {*cluster_of(remembered.kept)}
    )
    if not (staying or rest or cluster or body.other):
        return None
    return replace(body, cluster=tuple(sorted(cluster)), entries=(*staying, *rest))


# Rights in force


@dataclass(frozen=True, slots=True)
class RoleInForce:
    """A role that may contain released rights."""

    name: str
    principal: str
    body: RoleBody
    owned: tuple[str, ...] = ()
    """Hashes of the entries that its records name."""
    owners: frozenset[str] = frozenset()
    """The uids of its records."""


def still_there(items: Sequence[ReleasedRights], role: RoleInForce | None) -> list[ReleasedRights | None]:
    """Return for each of the released rights in one role what is still in force; None: nothing.

    Args:
        items: its recorded rights.
        role: the role; None: no role of this name is ours or was released by us.
    """
    if role is None:
        return [None] * len(items)
    free, found = _free(role), list[ReleasedRights | None]()
    for item in items:
        if item.uid and item.uid in role.owners:
            # It is not released yet.
            found.append(item)
            continue
        entries = [entry.hash for entry in _taken(free, Counter(item.entries))]
        for entry in entries:
            free.remove(next(one for one in free if one.hash == entry))
        cluster = sorted({*item.cluster} & {*role.body.cluster})
        same = len(entries) == len(item.entries) and len(cluster) == len(item.cluster)
        left = item if same else item.model_copy(update={"entries": entries, "cluster": cluster})
        found.append(left if entries or cluster else None)
    return found


def _free(role: RoleInForce) -> list[Entry]:
    """Return the entries that no record of a role names."""
    free = list(role.body.entries)
    for entry in list(_taken(tuple(free), Counter(role.owned))):
        free.remove(entry)
    return free


def believed(role: RoleInForce, entries: Iterable[str], cluster: Iterable[str]) -> list[ReleasedRights]:
    """Return the rights that count as released by an earlier version, by the metadata of a role without records.

    Rights that cannot be declared were never released, whatever the metadata says.

    Args:
        role: the role.
        entries: hashes of the entries that count.
        cluster: cluster privileges that count.
    """
    allowed = tuple(entry for entry in _taken(_free(role), Counter(entries)) if is_declarable(entry))
    also = tuple(sorted({*cluster} & {*role.body.cluster} & {*DECLARABLE_ON_CLUSTER}))
    if not (allowed or also):
        return []
    parts = range(0, max(len(allowed), 1), RELEASED_ENTRIES_LIMIT)
    return [
        _item(role.name, role.principal, Share(allowed[at : at + RELEASED_ENTRIES_LIMIT], () if at else also))
        for at in parts
    ]


def is_declarable(entry: Entry) -> bool:
    """Return whether a SearchAccess can declare such an entry."""
    if entry.application:
        return is_kibana_entry(entry)
    known = {name for name, privilege in INDEX_PRIVILEGES.items() if not privilege.refused}
    plain = not entry.restricted and not entry.other and bool(entry.indices)
    return plain and {*entry.privileges} <= known | {*FORMER_WRITE, *REMOTELY}


def shown(item: ReleasedRights) -> str:
    """Return released rights for messages: the rights, the former SearchAccess, and the role."""
    whose = f"SearchAccess {item.namespace}/{item.name}" if item.name else "an unknown SearchAccess"
    return f"{item.rights} of {whose}, in role {item.role}"
