"""Divides SearchClusters among replicas, so that two never write to one cluster (docs/adr/0022).

Each replica renews one Lease as its heartbeat; one Lease for each SearchCluster names the owner. A replica writes only
while its own heartbeat is younger than the time after which others take over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

import structlog

from searchaccess.core.replicas import CLUSTER, COMMON, MEMBER, Sightings, assign
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import Conflict, ExternalError, LoginRefused, NotFound, NotHolder, PermissionDenied
from searchaccess.ports.leases import Lease, LeasesPort

RENEW_EVERY: Final = 0.8
"""Seconds between renewals."""
VALID: Final = 2.0
"""Seconds after the start of the last renewal during which a replica may write."""
DURATION: Final = 3.0
"""Seconds without a heartbeat after which others take over; longer than VALID, for writes in flight."""
GAP: Final = 1.5
"""Seconds between two observations above which others' durations start again."""
FORGET_AFTER: Final = 60.0
"""Seconds after which a dead replica's heartbeat is deleted."""

StopWorking: TypeAlias = Callable[[str], Awaitable[None]]

log = structlog.get_logger(__name__)


class Leases(Ownership):
    """One replica among others.

    Args:
        port: Leases in Kubernetes.
        inventory: which SearchClusters there are.
        clock: the time.
        identity: of this process, never used by another.
    """

    def __init__(self, port: LeasesPort, inventory: Inventory, clock: Clock, identity: str) -> None:
        self._port = port
        self._inventory = inventory
        self._clock = clock
        self._me = identity
        self._key = MEMBER + identity
        self._own: Lease | None = None
        """Our heartbeat."""
        self._valid_until = float("-inf")
        self._held: dict[str, float] = {}
        """The Leases that are ours, and since when."""
        self._new: dict[str, float] = {}
        """Leases that we created, and when they may be ours."""
        self._sightings = Sightings(DURATION, GAP)
        self._leaving: set[str] = set()
        """Leases to release to another replica once the reconciler has stopped."""
        self.refused: ExternalError | None = None
        """Why this replica never took part in full, if a person must act; None: it did, or may soon."""
        self._took_part = False
        """Whether it did all that Leases need: create, list and renew them."""
        self.is_shared_out = False
        """Whether every SearchCluster had an owner in the last turn."""
        self.stop_working: StopWorking = _nothing
        """Called with a SearchCluster's name before it is released; returns when nothing writes there."""

    # What may be written

    def is_valid(self) -> bool:
        """Return whether our heartbeat is young enough."""
        return self._clock.monotonic() < self._valid_until

    def holds(self, cluster: str) -> bool:
        """Return whether this replica owns a SearchCluster right now."""
        return self._has(CLUSTER + cluster)

    def holds_common(self) -> bool:
        """Return whether this replica owns the common Lease, of what belongs to no cluster, right now."""
        return self._has(COMMON)

    def _has(self, key: str) -> bool:
        return key in self._held and key not in self._leaving and self.is_valid()

    def held(self, clusters: set[str]) -> set[str]:
        """Return the SearchClusters that this replica owns, whether it may write now or not."""
        return {name for name in clusters if CLUSTER + name in self._held.keys() - self._leaving}

    def owned_since(self, cluster: str) -> float:
        """Return when this replica acquired a SearchCluster, in monotonic seconds; infinity: it does not own it."""
        return self._held.get(CLUSTER + cluster, float("inf"))

    def owns_common_since(self) -> float:
        """Return when this replica acquired the common Lease; infinity: it does not own it."""
        return self._held.get(COMMON, float("inf"))

    def expect_holder(self, cluster: str) -> None:
        """Check that this replica owns a SearchCluster right now.

        Raises:
            NotHolder: it does not, or that is uncertain.
        """
        if not self.holds(cluster):
            raise NotHolder(f"SearchCluster {cluster} belongs to another replica, or its owner is not known")

    def expect_valid(self) -> None:
        """Check that others consider this replica alive.

        Raises:
            NotHolder: they may not.
        """
        if not self.is_valid():
            raise NotHolder("the Lease of this replica could not be renewed in time")

    # Turning

    async def run(self) -> None:
        """Take turns until cancelled."""
        while True:
            began, renewed = self._clock.monotonic(), self._own is not None
            try:
                async with asyncio.timeout(VALID):
                    await self.turn()
            except (ExternalError, TimeoutError) as error:
                log.warning("cannot renew the lease", error=str(error))
                never = not self._took_part
                self.refused = error if never and isinstance(error, LoginRefused | PermissionDenied) else None
            else:
                self._took_part, self.refused = self._took_part or renewed, None
            await asyncio.sleep(max(0.0, began + RENEW_EVERY - self._clock.monotonic()))

    async def turn(self) -> None:
        """Renew the heartbeat, observe those of others, and acquire or release Leases whose owner changed.

        Raises:
            ExternalError: something could not be done; the next turn continues.
        """
        await self._renew()
        requested = self._clock.monotonic()
        leases = {lease.name: lease for lease in await self._port.list()}
        now = self._clock.monotonic()
        members = {key.removeprefix(MEMBER): lease for key, lease in leases.items() if key.startswith(MEMBER)}
        # A replica whose heartbeat was deleted may write until it notices.
        signs = {lease.holder: "" for lease in leases.values() if lease.holder}
        signs |= {name: lease.version for name, lease in members.items()}
        alive = self._sightings.observe(signs, requested, now) | {self._me}
        self._lose_what_others_have(leases)
        shares = assign((CLUSTER + name for name in self._inventory.clusters), alive) | assign([COMMON], alive)
        self._keep({key for key in self._leaving if shares.get(key) == self._me})
        await self._release_others(leases, shares, now + RENEW_EVERY)
        for key in sorted(shares):
            if self._clock.monotonic() > now + RENEW_EVERY:
                # The rest is for the next turn: our own heartbeat comes first.
                break
            lease = leases.get(key)
            free = lease is None or lease.holder not in alive - {self._me}
            if free and shares[key] == self._me and key not in self._held:
                await self._acquire(key, lease)
        self.is_shared_out = all(
            key in self._held or (key in leases and leases[key].holder in alive - {self._me}) for key in shares
        )
        await self._delete_dead(members, now)

    async def _renew(self) -> None:
        requested = self._clock.monotonic()
        try:
            if self._own is None:
                self._own = await self._port.create(self._key, self._me, DURATION)
            else:
                self._own = await self._port.write(self._own, self._me, DURATION)
        except (Conflict, NotFound):
            # Another replica considered us dead and cleaned up, or the answer to our own write was lost.
            self._own = next((lease for lease in await self._port.list() if lease.name == self._key), None)
            raise
        if self._clock.monotonic() >= self._valid_until and self._held:
            # Others may have taken over, or be about to: only a write to each Lease tells the owner.
            log.warning("this replica renewed its heartbeat too late", lost=sorted(self._held))
            self._lose(set(self._held))
        self._valid_until = requested + VALID

    def _lose_what_others_have(self, leases: dict[str, Lease]) -> None:
        self._lose({key for key in self._held if key not in leases or leases[key].holder != self._me})

    def _keep(self, keys: set[str]) -> None:
        """Keep Leases that could not be released and are our share again."""
        self._leaving -= keys
        if keys:
            self._inventory.changed.set()

    def _lose(self, keys: set[str]) -> None:
        for key in keys:
            self._held.pop(key, None)
        self._leaving -= keys
        if keys:
            self._inventory.changed.set()

    async def _acquire(self, key: str, known: Lease | None) -> None:
        if known is not None and self._clock.monotonic() < self._new.get(key, 0.0):
            return
        try:
            if known is None:
                await self._port.create(key, self._me, DURATION)
            else:
                await self._port.write(known, self._me, DURATION)
        except (Conflict, NotFound):
            return
        if known is None:
            # If it was deleted, its previous holder must notice first.
            self._new[key] = self._clock.monotonic() + DURATION
        if self.is_valid() and self._clock.monotonic() >= self._new.get(key, 0.0):
            self._new.pop(key, None)
            log.info("lease acquired", lease=key, before=known.holder if known else "")
            self._held[key] = self._clock.monotonic()
            self._inventory.changed.set()

    async def _release_others(self, leases: dict[str, Lease], shares: dict[str, str], until: float) -> None:
        """Release Leases of another replica's share, or of clusters that are gone, after work there has stopped."""
        for key in [key for key, lease in leases.items() if lease.holder == self._me and key != self._key]:
            if shares.get(key) != self._me and self._clock.monotonic() <= until:
                self._leaving.add(key)
                self._inventory.changed.set()
                await self._release(key, leases[key], gone=key not in shares)

    async def _release(self, key: str, lease: Lease, *, gone: bool) -> None:
        if key.startswith(CLUSTER):
            await self.stop_working(key.removeprefix(CLUSTER))
        with suppress(Conflict, NotFound):
            await (self._port.delete(lease) if gone else self._port.write(lease, "", DURATION))
        log.info("lease released", lease=key)
        self._leaving.discard(key)
        self._new.pop(key, None)
        self._lose({key} & self._held.keys())

    async def _delete_dead(self, members: dict[str, Lease], now: float) -> None:
        for name, lease in members.items():
            if name != self._me and self._sightings.silent_for(name, now) > FORGET_AFTER:
                with suppress(Conflict):
                    await self._port.delete(lease)

    async def leave(self) -> None:
        """Release all Leases, so that others continue at once.

        Raises:
            ExternalError: one could not be released; others take over when our last heartbeat has expired.
        """
        self._valid_until = float("-inf")
        for lease in await self._port.list():
            if lease.holder == self._me and lease.name != self._key:
                await self._release(lease.name, lease, gone=False)
        if self._own is not None:
            await self._port.delete(self._own)
            self._own = None


async def _nothing(_cluster: str) -> None:
    """Do nothing."""
