"""Keys and users that no SearchAccess declares any more: it is gone, or declares something else."""

from collections.abc import Sequence
from typing import Final

import structlog

from searchaccess.api.times.durations import seconds
from searchaccess.core.credentials.credential import Key
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.policy.decision import Do
from searchaccess.core.policy.former import Former, RightsPlace, decide_former
from searchaccess.core.status.credential import epoch
from searchaccess.core.status.placed import place_of
from searchaccess.engine.credentials.steps import Credentials
from searchaccess.engine.inventory.former import KEYS
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.pacing.agenda import Agenda
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.engine.state import ClusterState, Context
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.stores import Owner

SOONEST: Final = 1.0
"""Seconds after which the end of an overlap is checked at the earliest."""

log = structlog.get_logger(__name__)


class Leftovers:
    """Revokes leftovers, unless their SearchAccess has no replacement yet.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows.
        agenda: when credentials are due.
        clock: the cluster's time.
    """

    def __init__(self, context: Context, name: str, state: ClusterState, agenda: Agenda, clock: SharedClock) -> None:
        self._inventory = context.inventory
        self._name = name
        self._state = state
        self._agenda = agenda
        self._clock = clock

    def uids(self) -> set[str]:
        """Return the uids of the SearchAccesses with known leftovers."""
        return self._inventory.former.uids(self._name, KEYS)

    def declared(self, uid: str) -> None:
        """Record that a SearchAccess declares its keys here again."""
        self._inventory.former.drop(uid, self._name, KEYS)

    def is_unseen(self, key: Key) -> bool:
        """Return whether the SearchAccess of a key or user may exist where it cannot be seen: it stays then."""
        return self._inventory.is_unseen(key.namespace, key.owner)

    async def reconcile(self, credentials: Credentials, uid: str, keys: Sequence[Key]) -> None:
        """Revoke or hold the keys and users of one SearchAccess that declares none here.

        Args:
            credentials: revokes.
            uid: the SearchAccess that they are for.
            keys: its working keys and users.
        """
        known = self._inventory.accesses.get(uid)
        if keys and not (keys := [key for key in keys if not self.is_unseen(key)]):
            self._agenda.forget(uid)
            return
        if known is not None and keys:
            # It stays recorded until they are known to be gone, whatever happens below.
            self._inventory.former.add(uid, self._name, KEYS)
            delay = self._held_for(known, keys)
            if delay is None or delay > 0:
                await self._hold(credentials, known.access, keys, delay)
                return
        try:
            for namespace in sorted({key.namespace for key in keys}):
                some = [key for key in keys if key.namespace == namespace]
                places = {key.place for key in some if known is None or not self._is_in_use(known.access, key)}
                await credentials.revoke_with_secrets(Owner(uid, namespace, ""), some, places)
        except ExternalError as error:
            log.warning("cannot revoke", keys=[key.id for key in keys], error=error.message)
            self._agenda.fail(uid)
        else:
            self._agenda.forget(uid)
            self._inventory.former.drop(uid, self._name, KEYS)

    async def _hold(self, credentials: Credentials, access: Access, keys: Sequence[Key], delay: float | None) -> None:
        """Hold keys for some seconds, or until something changes; they still end with their SearchAccess."""
        try:
            await credentials.cut_short(access, keys)
        except ExternalError as error:
            log.warning("cannot shorten the validity of keys", keys=[key.id for key in keys], error=error.message)
            self._agenda.fail(access.uid)
            return
        if delay is None:
            self._agenda.forget(access.uid)
        else:
            self._agenda.plan(access.uid, max(SOONEST, delay))

    def _held_for(self, record: AccessRecord, keys: Sequence[Key]) -> float | None:
        """Return the seconds for which keys are held; None: until something changes."""
        access, confirmed = record.access, place_of(record.status_summary.placed)
        here = RightsPlace(self._state.uuid, "")
        admission = self._inventory.namespaces.admission(self._name, access.namespace)
        # Those of another subject would stay, unless they expire.
        own = all(key.expires is not None for key in keys)
        refused = self._inventory.refuses(access, self._name, own=own)
        if decide_former(Former(access, here, confirmed, admission, refused=refused)).do is Do.HOLD:
            return None
        refused = refused or admission is Admission.REFUSED
        if refused or access.is_over or access.deleted_at or confirmed in {None, here} or access.credential is None:
            return 0.0
        issued = record.status.credential.issued if record.status.credential else None
        if issued is None or any(not key.rights.same_as(access.share.body) for key in keys):
            # They would keep rights that are no longer declared.
            return 0.0
        return epoch(issued) + seconds(access.credential.overlap) - self._clock.now()

    def _is_in_use(self, access: Access, key: Key) -> bool:
        """Return whether the secret that held a key may hold what its SearchAccess declares now."""
        credential = access.credential
        if not access.has_credential or credential is None or key.place[1] != credential.name:
            return False
        # If there is no such SearchCluster, nobody else removes the secret.
        return not access.deleted_at or access.cluster in self._inventory.clusters
