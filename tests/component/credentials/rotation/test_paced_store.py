"""A burst of rotations is spread below the store's quota, and none fails."""

import asyncio
from collections import Counter

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.decorators.paced import PacedStore, TokenBucket
from searchaccess.operator.connections.stores import GOOGLE_BURST as BURST
from searchaccess.operator.connections.stores import GOOGLE_RATE as RATE
from searchaccess.ports.stores import Owner, Place
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import LoopClock, run_virtually
from tests.support.memory.store import MemoryStore

QUOTA = 600
"""Reads, and writes, that a project has a minute. https://cloud.google.com/secret-manager/quotas"""
CALLS = {"find": 2, "add": 2}
"""Calls to Google that a request costs at most: the secret and its versions; a new secret and its version."""


def test_five_hundred_rotations_stay_below_the_quota_in_every_minute() -> None:
    times: list[tuple[float, str]] = []

    async def play() -> None:
        faults = Faults()
        loop = asyncio.get_running_loop()
        faults.on_call = lambda call: times.append((loop.time(), call.method))
        store = PacedStore(MemoryStore(faults), TokenBucket(LoopClock(), RATE, BURST))

        async def rotate(number: int) -> None:
            place, owner = Place("shop", f"secret-{number}"), Owner(f"uid-{number}", "shop", "x")
            assert await store.find(place) is None
            await store.add(place, owner, None, 1, Sealed("x"))
            found = await store.find(place)
            assert found is not None
            assert len(found.secret.versions) == 1

        await asyncio.gather(*(rotate(number) for number in range(500)))

    run_virtually(play())
    assert len(times) == 1500, "all are done"
    for begin, _ in times:
        within = Counter(method for at, method in times if begin <= at < begin + 60)
        assert sum(CALLS[method] * count for method, count in within.items()) <= QUOTA


def test_all_of_a_store_is_paced() -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        inner = MemoryStore(Faults())
        store = PacedStore(inner, TokenBucket(LoopClock(), rate=1, burst=1))
        place, owner = Place("shop", "x"), Owner("uid", "shop", "x")
        began = loop.time()
        await store.add(place, owner, None, 1, Sealed("x"))
        found = await store.find(place)
        assert found is not None
        secret = found.secret
        assert await store.read(place, 1) == ""
        await store.disable(place, secret, [1])
        await store.destroy(place, secret, [1])
        await store.remove(place, secret)
        assert not inner.kept
        assert loop.time() - began == 5

    run_virtually(play())
