"""Keeps requests below a quota."""

import asyncio
from collections.abc import Sequence

from searchaccess.core.credentials.credential import Secret, Slot
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.ports.clock import Clock
from searchaccess.ports.stores import Found, Owner, Place, SecretStore


class TokenBucket:
    """Lets so many requests through at once, and then so many a second.

    Args:
        clock: the time.
        rate: requests a second in the long run.
        burst: requests that may be made at once after a rest.
    """

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled: float | None = None
        self._queue = asyncio.Lock()

    async def take(self) -> None:
        """Wait until one more request may be made."""
        async with self._queue:
            self._fill()
            if self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) / self._rate)
                self._fill()
            self._tokens -= 1

    def _fill(self) -> None:
        now = self._clock.monotonic()
        if self._filled is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now


class PacedStore:
    """A store that is asked no more often than its quota allows.

    Args:
        store: the store.
        bucket: lets requests through; stores of one quota share it.
    """

    def __init__(self, store: SecretStore, bucket: TokenBucket) -> None:
        self._store = store
        self._bucket = bucket

    async def look(self, place: Place) -> Found | None:
        """Give a secret without its values."""
        await self._bucket.take()
        return await self._store.look(place)

    async def read(self, place: Place, number: int) -> str:
        """Give the id of the key that a version holds."""
        await self._bucket.take()
        return await self._store.read(place, number)

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        """Store a value as the newest version."""
        await self._bucket.take()
        return await self._store.add(place, owner, known, number, value)

    async def disable(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Make versions unreadable."""
        await self._bucket.take()
        await self._store.disable(place, known, numbers)

    async def destroy(self, place: Place, known: Secret, numbers: Sequence[int]) -> None:
        """Destroy what versions hold."""
        await self._bucket.take()
        await self._store.destroy(place, known, numbers)

    async def remove(self, place: Place, known: Secret) -> None:
        """Delete a secret with all versions."""
        await self._bucket.take()
        await self._store.remove(place, known)
