"""Leases in memory, and replicas that reach them well or badly."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from searchaccess.ports.errors import Conflict, NotFound, Unreachable
from searchaccess.ports.leases import Lease


class MemoryLeases:
    """What the API server has."""

    def __init__(self) -> None:
        self.now: dict[str, Lease] = {}
        self.versions = 0

    def _version(self) -> str:
        self.versions += 1
        return str(self.versions)

    async def list(self) -> Sequence[Lease]:
        return list(self.now.values())

    async def create(self, name: str, holder: str, duration: float) -> Lease:
        assert duration > 0
        if name in self.now:
            raise Conflict("it is there already")
        self.now[name] = Lease(name, holder, self._version())
        return self.now[name]

    def _known(self, lease: Lease) -> Lease:
        known = self.now.get(lease.name)
        if known is None:
            raise NotFound("it is gone")
        if known.version != lease.version:
            raise Conflict("somebody wrote it")
        return known

    async def write(self, lease: Lease, holder: str, duration: float) -> Lease:
        assert duration > 0
        known = self._known(lease)
        transitions = known.transitions + (holder not in {"", known.holder})
        self.now[lease.name] = replace(known, holder=holder, version=self._version(), transitions=transitions)
        return self.now[lease.name]

    async def delete(self, lease: Lease) -> None:
        if lease.name in self.now:
            self._known(lease)
            del self.now[lease.name]


class BadLine:
    """The way of one replica to the Leases.

    Args:
        real: the Leases.
        lots: draws lots.
    """

    def __init__(self, real: MemoryLeases, lots: random.Random) -> None:
        self._real = real
        self._lots = lots
        self.cut = False
        self.slowness = 0.0
        """Seconds that a request or its answer takes at most."""
        self.losing = 0.0
        """How likely an answer is lost."""
        self.thawed = asyncio.Event()
        """Not set: the process is frozen."""
        self.thawed.set()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        operation = getattr(self._real, name)

        async def call(*arguments: Any) -> Any:
            await self.thawed.wait()
            if self.cut:
                await asyncio.sleep(self.slowness)
                raise Unreachable("cut")
            await asyncio.sleep(self._lots.random() * self.slowness)
            # Once it is on its way it arrives, whatever becomes of the process.
            answer = await operation(*arguments)
            await asyncio.sleep(self._lots.random() * self.slowness)
            await self.thawed.wait()
            if self._lots.random() < self.losing or self.cut:
                raise Unreachable("the answer was lost")
            return answer

        return call
