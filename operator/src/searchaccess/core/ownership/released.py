"""Released rights: those that stayed in Elasticsearch when their SearchAccess was deleted (docs/adr/0034).

The SearchCluster's status remembers them, where nobody can write who may only write in Elasticsearch. What the metadata
of a role says about them proves nothing. Each of them goes through these steps, and may be cut off after any:
remembered, then released in the role, then the SearchAccess's finalizer goes.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from searchaccess.api.clusters.orphans import ReleasedSelector
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import NEVER, RELEASED_ENTRIES_LIMIT, RELEASED_LIMIT, ReleasedRights
from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER, INDEX_PRIVILEGES
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.actions import CONFINED_WRITE, FORMER_WRITE, letters_of
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.intake.reading import shortened
from searchaccess.core.model.kibana import is_kibana_entry
from searchaccess.core.model.remote import REMOTELY
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
    f"its rights have no room in status.released of the SearchCluster, which lists {RELEASED_LIMIT} at most, each with "
    f"{RELEASED_ENTRIES_LIMIT} entries: spec.orphans.revoke of the SearchCluster makes room, or deletionPolicy: Delete "
    "revokes these",
)


INHERITED: Final = AccessDecision(
    Do.HOLD,
    Reason.PENDING,
    "what was released in the role is being listed in status.released of the SearchCluster, before it is taken over",
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered about one role."""

    kept: tuple[ReleasedRights, ...] = ()
    """What stays."""
    revoked: tuple[ReleasedRights, ...] = ()
    """What is to go."""
    confirmed: tuple[ReleasedRights, ...] = ()
    """Of both, what Kubernetes surely has."""
    full: bool = False
    """There is no room for more."""
    rehearsed: bool = False
    """Nothing is written, so nothing waits for being written first."""

    def unrecorded(self, uids: Collection[str]) -> "Remembered":
        """Return what is left without those of whom the role has a record: their entries are still their own."""
        kept = tuple(item for item in self.kept if item.uid not in uids)
        return replace(self, kept=kept, revoked=tuple(item for item in self.revoked if item.uid not in uids))

    @property
    def is_recorded(self) -> bool:
        """Whether Kubernetes surely has all of it, or need not."""
        return self.rehearsed or len(self.confirmed) == len(self.all)

    @property
    def all(self) -> tuple[ReleasedRights, ...]:
        """Both what stays and what is to go."""
        return (*self.kept, *self.revoked)


@dataclass(frozen=True, slots=True)
class Releasing:
    """What a plan for a role says about released rights."""

    remember: tuple[ReleasedRights, ...] = ()
    """What is to be remembered before it can be released; since when is not said yet."""
    revoked: tuple[ReleasedRights, ...] = ()
    """What is gone when the plan is applied."""


def hashes_of(items: Iterable[ReleasedRights]) -> tuple[str, ...]:
    """Return the hashes of all entries of some released rights."""
    return tuple(entry for item in items for entry in item.entries)


def cluster_of(items: Iterable[ReleasedRights]) -> tuple[str, ...]:
    """Return the cluster privileges of some released rights."""
    return tuple(sorted({name for item in items for name in item.cluster}))


def release(
    role: str, principal: str, leaving: Iterable[tuple[Access, Share]], remembered: Remembered
) -> tuple[tuple[ReleasedRights, ...], dict[str, AccessDecision]]:
    """Return what must be remembered before rights can be released, and who waits for that, by uid.

    Args:
        role: name of the role.
        principal: whose role it is.
        leaving: who is to release its rights, each with what it has.
        remembered: what is remembered about the role.
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
    """Return what of the rights of a SearchAccess can be released: what nobody can declare was never its own."""
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
    # What another action includes is not said twice.
    actions = tuple(
        action for action in whole if not any(set(action.privileges) < set(other.privileges) for other in whole)
    )
    said = {name for action in actions for name in action.privileges}
    return letters_of(actions, raw=bool(privileges - said))


# What goes


def to_revoke(
    item: ReleasedRights, selectors: Sequence[ReleasedSelector], admission: Admission = Admission.ALLOWED
) -> bool:
    """Return whether released rights are to go.

    Args:
        item: the rights.
        selectors: what ``spec.orphans.revoke`` of the SearchCluster names.
        admission: whether the SearchCluster admits the namespace that they are of.
    """
    if item.namespace and admission is Admission.REFUSED:
        return True
    return any(_names(selector, item) for selector in selectors)


def _names(selector: ReleasedSelector, item: ReleasedRights) -> bool:
    if selector.role is not None:
        return selector.role == item.role
    return selector.namespace == item.namespace and selector.name in {None, item.name}


def kept_of(share: Share, kept: Sequence[ReleasedRights]) -> Share:
    """Return of released rights, as a role has them, those that stay."""
    wanted = Counter(hashes_of(kept))
    return Share(tuple(_taken(share.entries, wanted)), tuple(sorted({*share.cluster} & {*cluster_of(kept)})))


def _taken(entries: Iterable[Entry], wanted: Counter[str]) -> Iterator[Entry]:
    """Yield those entries whose hashes are wanted, each as often as it is; they are wanted no more."""
    for entry in entries:
        if wanted[entry.hash] > 0:
            wanted[entry.hash] -= 1
            yield entry


def without_revoked(body: RoleBody, remembered: Remembered) -> RoleBody | None:
    """Return what is left of a role that is nobody's any more, without what is to go; None: nothing.

    Only what is remembered goes: what others added to the role stays.

    Args:
        body: the role.
        remembered: what is remembered about it.
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


# What is there


@dataclass(frozen=True, slots=True)
class RoleInForce:
    """A role as far as released rights may be in it."""

    name: str
    principal: str
    body: RoleBody
    owned: tuple[str, ...] = ()
    """Hashes of the entries that its records name."""
    owners: frozenset[str] = frozenset()
    """The uids of its records."""


def still_there(items: Sequence[ReleasedRights], role: RoleInForce | None) -> list[ReleasedRights | None]:
    """Return of each of the released rights in one role what is in force; None: nothing of them.

    Args:
        items: those that are remembered about it.
        role: the role; None: there is none of this name that is ours or was released by us.
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
    """Return what counts as released where nothing was ever remembered, as the metadata of a role says.

    It was released by an earlier version. What nobody can declare was never released, whoever says so.

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
    """Return released rights for people: whose, which, and where."""
    whose = f"SearchAccess {item.namespace}/{item.name}" if item.name else "a SearchAccess that is not known"
    return f"{item.rights} of {whose}, in role {item.role}"
