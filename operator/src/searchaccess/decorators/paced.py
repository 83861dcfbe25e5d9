"""Keeps requests below a quota."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager

from searchaccess.core.credentials.credential import Secret, Slot
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.ports.clock import Clock
from searchaccess.ports.stores import Found, Owner, Place, SecretStore


class TokenBucket:
    """Limits the rate of requests, with a burst.

    Args:
        clock: the time.
        rate: requests a second in the long run.
        burst: requests that may be made at once after a pause.
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


class FairGate:
    """Limits what runs at a time. Waiters queue by lane, and lanes take turns, so that a long one delays no other.

    Args:
        slots: how many at a time.
        in_lane: how many of one lane at a time.
    """

    def __init__(self, slots: int, in_lane: int) -> None:
        self._free = slots
        self._in_lane = in_lane
        self._inside: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """Waiters by lane; the lane whose turn is next comes first."""

    @asynccontextmanager
    async def slot(self, lane: Hashable) -> AsyncIterator[None]:
        """Hold one of the slots, when it is the lane's turn."""
        await self._enter(lane)
        try:
            yield
        finally:
            self._leave(lane)

    async def _enter(self, lane: Hashable) -> None:
        if self._free and self._inside[lane] < self._in_lane:
            # Whoever waits now is in a lane that uses all its slots.
            self._admit(lane)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lane, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._give_up(lane, turn)
            else:
                self._leave(lane)
            raise

    def _admit(self, lane: Hashable) -> None:
        self._free -= 1
        self._inside[lane] += 1

    def _give_up(self, lane: Hashable, turn: "asyncio.Future[None]") -> None:
        line = self._waiting.get(lane)
        if line and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[lane]

    def _leave(self, lane: Hashable) -> None:
        self._free += 1
        self._inside[lane] -= 1
        if not self._inside[lane]:
            del self._inside[lane]
        while self._free:
            following = next((one for one in self._waiting if self._inside[one] < self._in_lane), None)
            if following is None:
                return
            self._call_in(following)

    def _call_in(self, lane: Hashable) -> None:
        line = self._waiting.pop(lane)
        turn = line.popleft()
        if line:
            # The lane goes to the end of the queue.
            self._waiting[lane] = line
        if not turn.done():
            self._admit(lane)
            turn.set_result(None)


class PacedStore:
    """A store that is called no more often than its quota allows.

    Args:
        store: the store.
        bucket: lets requests through; stores of one quota share it.
    """

    def __init__(self, store: SecretStore, bucket: TokenBucket) -> None:
        self._store = store
        self._bucket = bucket

    async def find(self, place: Place) -> Found | None:
        """Return a secret without its values."""
        await self._bucket.take()
        return await self._store.find(place)

    async def read(self, place: Place, number: int) -> str:
        """Return the id of the key that a version holds."""
        await self._bucket.take()
        return await self._store.read(place, number)

    async def add(self, place: Place, owner: Owner, known: Secret | None, number: int, value: Sealed) -> Slot:
        """Store a value as the newest version."""
        await self._bucket.take()
        return await self._store.add(place, owner, known, number, value)

    async def rewrite(self, place: Place, owner: Owner, known: Secret, number: int) -> None:
        """Write a value in the declared form."""
        await self._bucket.take()
        await self._store.rewrite(place, owner, known, number)

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
