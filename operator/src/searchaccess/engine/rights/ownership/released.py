"""Keeps the list of released rights of one SearchCluster, in its status and in line with Elasticsearch."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from searchaccess.api.clusters.orphans import ReleasedSelector
from searchaccess.api.clusters.status import RELEASED_LIMIT, ReleasedRights
from searchaccess.api.status import SearchClusterStatus
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.ownership.released import (
    Releasing,
    Remembered,
    RoleInForce,
    believed,
    still_there,
    to_revoke,
)
from searchaccess.core.rights.ownership import metadata_from_json, released_by_us
from searchaccess.core.status import released as events
from searchaccess.core.status.credential import epoch
from searchaccess.core.status.events import Note
from searchaccess.engine.barrier import caught
from searchaccess.engine.state import ClusterState, Context, Session
from searchaccess.ports.errors import Unexpected
from searchaccess.ports.kubernetes import Plural

SEARCHABLE: Final = 10.0
"""Seconds after which a full read certainly has a role that was written: the index is refreshed every second."""

log = structlog.get_logger(__name__)


class ReleasedLedger:
    """The list of released rights on one SearchCluster.

    The list is in the reconciler's state, from where it is published with the SearchCluster's status; a new reconciler
    reads it from there.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
    """

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name
        self._stored: tuple[str, tuple[ReleasedRights, ...] | None] = ("", None)
        """The stored status, and the list in it."""
        self._by_role: Mapping[str, Remembered] = {}
        self._nothing = Remembered()
        self.operator = context.operator
        """With the predecessors of the SearchCluster."""
        self._read_of = frozenset[str]()
        """Predecessors whose roles were read for released rights."""
        self._unread: set[str] = set()
        """Roles whose released rights of an earlier version could not be read because of an internal error."""
        self.pending_revocation: frozenset[str] = frozenset()
        """Principals whose roles have released rights that are to be revoked."""

    async def refresh(self, session: Session) -> None:
        """Read the SearchCluster again when its reconciler begins.

        Another replica may just have released rights, and the watch may lag behind: without this they would look like
        drift, and be revoked.

        Raises:
            ExternalError: the API server did not respond.
        """
        if session.state.released is not None:
            return
        following, first = "", True
        while following or first:
            page = await self._context.kubernetes.list_page(Plural.CLUSTERS, following)
            for raw in page.items:
                self._context.inventory.see_cluster(raw)
            following, first = page.following, False

    def begin(self, session: Session) -> bool:
        """Prepare the list for a reconcile; return whether it is known. If not, a full read is needed."""
        state, stored = session.state, self._read()
        if state.released is None:
            state.released = stored
        self._arrange(session, stored or ())
        return state.released is not None and not self._unread and self.operator.predecessors <= self._read_of

    def _read(self) -> tuple[ReleasedRights, ...] | None:
        """Return the list that Kubernetes has stored; None: it has none."""
        record = self._context.inventory.clusters.get(self._name)
        text = record.stored_json if record else ""
        if self._stored[0] is not text:
            listed = SearchClusterStatus.parse(text).released if text else None
            self._stored = (text, None if listed is None else tuple(listed))
        return self._stored[1]

    def _arrange(self, session: Session, stored: Sequence[ReleasedRights]) -> None:
        """Group the list by role, and by whether rights stay or are revoked."""
        listed = session.state.released or ()
        if not listed and not self._by_role and self._nothing.rehearsed is (self._context.dry_run is not None):
            return  # As before. Most clusters have none, and each reconcile asks.
        selectors = session.cluster.orphans.revoke
        parts: dict[str, tuple[list[ReleasedRights], list[ReleasedRights]]] = defaultdict(lambda: ([], []))
        pending_revocation = set()
        for item in listed:
            goes = self._is_to_revoke(item, selectors)
            parts[item.role][goes].append(item)
            if goes:
                pending_revocation.add(item.principal)
        full, rehearsed = len(listed) >= RELEASED_LIMIT, self._context.dry_run is not None
        self._nothing = Remembered(full=full, rehearsed=rehearsed)
        self._by_role = {
            role: replace(
                self._nothing,
                kept=tuple(kept),
                revoked=tuple(gone),
                confirmed=tuple(item for item in (*kept, *gone) if item in stored),
            )
            for role, (kept, gone) in parts.items()
        }
        self.pending_revocation = frozenset(pending_revocation)

    def _is_to_revoke(self, item: ReleasedRights, selectors: Sequence[ReleasedSelector]) -> bool:
        admission = Admission.ALLOWED
        try:
            if item.namespace:
                admission = self._context.inventory.namespaces.admission(self._name, item.namespace, read=False)
            return to_revoke(item, selectors, admission)
        except Exception as error:  # noqa: BLE001 - the barrier: an item that cannot be judged stays
            self._caught(error)
            return False

    def _caught(self, error: Exception) -> None:
        caught(self._context.meter, self._name, "released rights", error)

    def of(self, role: str) -> Remembered:
        """Return the released rights of a role.

        Raises:
            Unexpected: they could not be read, so the role must not be changed.
        """
        if role in self._unread:
            raise Unexpected("what was released in the role is not known")
        return self._by_role.get(role, self._nothing)

    def compare(self, session: Session, roles: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
        """Compare the list with all roles, as just read.

        If there is no list yet, it is built once from the roles' metadata. Rights that are no longer in force leave the
        list.

        Returns:
            The principals whose entries in the list changed.
        """
        state = session.state
        before = state.released
        listed = self._in_force(state, before or (), roles)
        again = set(roles) if before is None and not self._unread else {*self._unread, *self._inherited(listed, roles)}
        state.released = self._taken_over(state, listed, roles, again)
        self._read_of = self.operator.predecessors
        self.begin(session)
        changed = [*_without(state.released, before or ()), *_without(before or (), state.released)]
        return frozenset(item.principal for item in changed)

    def note(self, state: ClusterState, releasing: Iterable[Releasing]) -> None:
        """Record the released and revoked rights of applied plans."""
        for one in releasing:
            try:
                self._note(state, one)
            except Exception as error:  # noqa: BLE001 - the barrier: the next plan or full read finds it again
                self._caught(error)

    def _note(self, state: ClusterState, releasing: Releasing) -> None:
        for item in releasing.remember:
            self._remember(state, item)
        for item in releasing.revoked:
            state.released = tuple(_without(state.released or (), (item,)))
            self._emit(state, events.revoked(item))

    def _remember(self, state: ClusterState, item: ReleasedRights) -> None:
        listed = state.released or ()
        if any(one.model_copy(update={"since": item.since}) == item for one in listed):
            return
        others = [one for one in listed if (one.uid, one.role) != (item.uid, item.role)]
        if len(others) >= RELEASED_LIMIT:
            return
        state.released = (*others, item.model_copy(update={"since": self._context.clock.now()}))
        self._emit(state, events.released(item))

    def _emit(self, state: ClusterState, event: Note) -> None:
        log.info("released rights", reason=event.reason, message=event.message)
        self._context.meter.event_emitted(self._name, event.reason)
        state.released_notes.append(event)

    # What is in force

    def _in_force(
        self, state: ClusterState, listed: Sequence[ReleasedRights], roles: Mapping[str, Mapping[str, Any]]
    ) -> tuple[ReleasedRights, ...]:
        """Return the items that are in force; recent ones that may not be readable yet stay."""
        now = epoch(self._context.clock.now())
        by_role: dict[str, list[ReleasedRights]] = defaultdict(list)
        for item in listed:
            by_role[item.role].append(item)
        left = list[ReleasedRights]()
        for name, items in by_role.items():
            try:
                found = still_there(items, self._role(name, roles))
            except Exception as error:  # noqa: BLE001 - the barrier: a role that cannot be read keeps its items
                self._caught(error)
                found = list(items)
            for item, there in zip(items, found, strict=True):
                if there == item or now - epoch(item.since) < SEARCHABLE:
                    left.append(item)
                    continue
                left += [there] if there else []
                self._emit(state, events.gone(item, some=there is not None))
        return tuple(left)

    def _taken_over(
        self,
        state: ClusterState,
        before: Sequence[ReleasedRights],
        roles: Mapping[str, Mapping[str, Any]],
        again: set[str],
    ) -> tuple[ReleasedRights, ...]:
        """Add released rights from roles' metadata to the list, if a SearchAccess could have declared them."""
        found = list[ReleasedRights]()
        self._unread = set()
        for name in sorted(again & roles.keys()):
            try:
                found += self._recorded(name, roles)
            except Exception as error:  # noqa: BLE001 - the barrier: this role waits, the others do not
                self._caught(error)
                self._unread.add(name)
        since = self._context.clock.now()
        room = RELEASED_LIMIT - len(before)
        listed = [item.model_copy(update={"since": since}) for item in found[:room]]
        for item in listed:
            self._emit(state, events.taken_over(item))
        if len(found) > len(listed):
            self._emit(state, events.left_out(len(found) - len(listed)))
        return (*before, *listed)

    def _inherited(self, listed: Sequence[ReleasedRights], roles: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Yield predecessors' roles that SearchAccesses take over: the predecessor's list is lost.

        A role that was taken over before is left alone: its predecessor still runs (docs/adr/0035).
        """
        if not self.operator.predecessors:
            return
        known = {item.role for item in listed}
        for principal in self._context.inventory.principals(self._name):
            name = self.operator.role_name(principal)
            metadata = roles[name].get("metadata") if name in roles and name not in known else None
            if not isinstance(metadata, Mapping) or not self.operator.owns(metadata) or self.operator.wrote(metadata):
                continue
            records = self._context.inventory.of_principal(self._name, principal)
            if not any((had := record.status_summary.placed) is not None and had.role == name for record in records):
                yield name

    def _recorded(self, name: str, roles: Mapping[str, Mapping[str, Any]]) -> list[ReleasedRights]:
        """Return the released rights recorded in a role's metadata."""
        operator, raw = self.operator, roles[name].get("metadata")
        if not name.startswith(operator.role_name("")) or not isinstance(raw, Mapping):
            return []
        if operator.owns(raw):
            recorded = metadata_from_json(raw).released
            entries, cluster = recorded.entries, recorded.cluster
        elif released_by_us(raw):
            body = role_from_json(roles[name])
            entries, cluster = tuple(entry.hash for entry in body.entries), body.cluster
        else:
            return []
        role = self._role(name, roles) if entries or cluster else None
        return believed(role, entries, cluster) if role else []

    def _role(self, name: str, roles: Mapping[str, Mapping[str, Any]]) -> RoleInForce | None:
        """Return a role that is ours, or was released by us; None: there is none."""
        operator, raw = self.operator, roles.get(name)
        metadata = raw.get("metadata") if raw else None
        if raw is None or not isinstance(metadata, Mapping):
            return None
        principal = name.removeprefix(operator.role_name(""))
        if operator.owns(metadata):
            records = metadata_from_json(metadata).records
            owned = tuple(entry for record in records for entry in record.entries)
            owners = frozenset(record.uid for record in records)
            return RoleInForce(name, principal, role_from_json(raw), owned, owners)
        return RoleInForce(name, principal, role_from_json(raw)) if released_by_us(metadata) else None


def _without(items: Iterable[ReleasedRights], others: Sequence[ReleasedRights]) -> list[ReleasedRights]:
    return [item for item in items if item not in others]
