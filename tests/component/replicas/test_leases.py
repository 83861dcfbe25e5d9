"""Replicas share clusters out, and never two may write to one, whatever happens to them and to the API server."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.replicas.leases import DURATION, FORGET_AFTER, VALID, Leases
from searchaccess.ports.errors import ExternalError, NotHolder, PermissionDenied
from searchaccess.ports.leases import Lease
from tests.support.loop.clocks import LoopClock, SettableClock, run_virtually
from tests.support.memory.leases import BadLine, MemoryLeases
from tests.support.runs.effort import examples

CLUSTERS = [f"prod-{number}" for number in range(10)]
POLL = 0.05


class Replica:
    """One process."""

    def __init__(self, server: MemoryLeases, identity: str, lots: random.Random) -> None:
        self.line = BadLine(server, lots)
        self.inventory = Inventory()
        for name in CLUSTERS:
            self.inventory.clusters[name] = SimpleNamespace()  # type: ignore[assignment]
        port: Any = self.line
        self.leases = Leases(port, self.inventory, LoopClock(), identity)
        self.stopped: list[str] = []
        self.leases.stop_working = self._stop
        self.task = asyncio.create_task(self.leases.run())

    async def _stop(self, cluster: str) -> None:
        assert not self.leases.holds(cluster), "by now nothing more is written"
        self.stopped.append(cluster)

    def has(self) -> set[str]:
        """Return the clusters that it may write to now."""
        return {name for name in CLUSTERS if self.leases.holds(name)}

    def mend(self) -> None:
        """Let it go on, and reach the API server well."""
        self.line.thawed.set()
        self.line.cut, self.line.slowness, self.line.losing = False, 0.0, 0.0

    def kill(self) -> None:
        self.task.cancel()

    async def leave(self) -> None:
        self.kill()
        with suppress(ExternalError):
            await self.leases.leave()


class Field:
    """Replicas, and what they may write at every moment."""

    def __init__(self, seed: int = 0) -> None:
        self.server = MemoryLeases()
        self.lots = random.Random(seed)  # noqa: S311 - draws lots
        self.replicas: dict[str, Replica] = {}
        self.made = 0

    def start(self, number: int = 1) -> None:
        for _ in range(number):
            self.made += 1
            identity = f"replica-{self.made}"
            self.replicas[identity] = Replica(self.server, identity, self.lots)

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and observe all the time."""
        clock = LoopClock()
        end = clock.monotonic() + seconds
        while clock.monotonic() < end:
            await asyncio.sleep(POLL)
            self.check()

    def check(self) -> None:
        for cluster in CLUSTERS:
            holders = [name for name, replica in self.replicas.items() if replica.leases.holds(cluster)]
            assert len(holders) <= 1, f"{holders} may write to {cluster}"
        commons = [name for name, replica in self.replicas.items() if replica.leases.holds_common()]
        assert len(commons) <= 1

    def loads(self) -> list[int]:
        return sorted(len(replica.has()) for replica in self.replicas.values())

    def is_shared_out(self) -> bool:
        return sum(self.loads()) == len(CLUSTERS) and max(self.loads()) - min(self.loads()) <= 1

    async def until(self, what: Callable[[], bool], within: float) -> None:
        clock = LoopClock()
        end = clock.monotonic() + within
        while not what():
            assert clock.monotonic() < end, f"not within {within} s: {self.loads()}"
            await asyncio.sleep(POLL)
            self.check()


def in_field(play: Callable[[Field], Awaitable[None]], seed: int = 0) -> None:
    async def run() -> None:
        field = Field(seed)
        try:
            await play(field)
        finally:
            tasks = [replica.task for replica in field.replicas.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run_virtually(run())


def test_one_has_all_and_others_take_their_share() -> None:
    async def play(field: Field) -> None:
        field.start()
        await field.pass_by(3)
        assert field.loads() == [0], "the Leases are new: somebody may have deleted those that were there"
        await field.until(lambda: field.loads() == [10], within=2)
        assert field.replicas["replica-1"].leases.holds_common()
        field.start(2)
        await field.until(field.is_shared_out, within=3)
        await field.pass_by(60)
        assert field.is_shared_out()
        assert len(field.replicas["replica-1"].stopped) >= 6, "it stopped before it gave them"
        # At rest: one write and one list each.
        before = field.server.versions
        await field.pass_by(80)
        assert field.server.versions - before <= 3 * 101

    in_field(play)


def test_who_is_killed_is_replaced_within_five_seconds() -> None:
    async def play(field: Field) -> None:
        field.start(3)
        await field.pass_by(10)
        for _ in range(5):
            name = field.lots.choice(sorted(field.replicas))
            await asyncio.sleep(field.lots.random())
            field.replicas.pop(name).kill()
            await field.until(field.is_shared_out, within=5)
            field.start()
            await field.pass_by(10)
            assert field.is_shared_out()

    in_field(play)


def test_who_leaves_is_replaced_at_once() -> None:
    async def play(field: Field) -> None:
        field.start(3)
        await field.pass_by(10)
        await field.replicas.pop("replica-2").leave()
        # A turn for what it had, and another for what changes hands so that all have as many.
        await field.until(field.is_shared_out, within=2)
        assert not [key for key in field.server.now if key == "member-replica-2"]

    in_field(play)


def test_who_is_frozen_loses_everything_and_knows_it_when_it_goes_on() -> None:
    async def play(field: Field) -> None:
        field.start(3)
        await field.pass_by(10)
        frozen = field.replicas["replica-1"]
        lost = frozen.has()
        frozen.line.thawed.clear()
        await field.until(lambda: sum(field.loads()) == 10 and not frozen.has(), within=5)
        for cluster in lost:
            with pytest.raises(NotHolder):
                frozen.leases.expect_holder(cluster)
        with pytest.raises(NotHolder):
            frozen.leases.expect_valid()
        frozen.line.thawed.set()
        await field.until(field.is_shared_out, within=5)

    in_field(play)


def test_while_the_api_server_is_away_nobody_writes_and_then_all_go_on_as_before() -> None:
    async def play(field: Field) -> None:
        field.start(3)
        await field.pass_by(10)
        before = {name: replica.has() for name, replica in field.replicas.items()}
        for replica in field.replicas.values():
            replica.line.cut = True
        await field.pass_by(30)
        assert field.loads() == [0, 0, 0]
        for replica in field.replicas.values():
            replica.line.cut = False
        await field.until(field.is_shared_out, within=3)
        assert {name: replica.has() for name, replica in field.replicas.items()} == before

    in_field(play)


def test_a_sign_of_life_that_somebody_deletes_frees_nothing_at_once() -> None:
    async def play(field: Field) -> None:
        field.start(2)
        await field.pass_by(10)
        for _ in range(10):
            await field.pass_by(field.lots.random() * 3)
            field.server.now.pop("member-replica-1", None)
        await field.pass_by(5)
        assert field.is_shared_out()

    in_field(play)


class Refusing(MemoryLeases):
    """Forbids to create one, now and then."""

    refuses = True

    async def create(self, name: str, holder: str, duration: float) -> Lease:
        if self.refuses:
            raise PermissionDenied("forbidden")
        return await super().create(name, holder, duration)


def test_only_who_never_had_a_sign_of_life_is_refused() -> None:
    async def play() -> None:
        server = Refusing()
        leases = Leases(server, Inventory(), LoopClock(), "me")
        turning = asyncio.create_task(leases.run())
        await asyncio.sleep(1)
        assert isinstance(leases.refused, PermissionDenied)
        server.refuses = False
        await asyncio.sleep(2)
        assert leases.refused is None
        # Somebody deletes it, and for a moment the API server does not know who may create another.
        server.now.clear()
        server.refuses = True
        for _ in range(50):
            await asyncio.sleep(POLL)
            assert leases.refused is None
        turning.cancel()

    run_virtually(play())


@pytest.mark.parametrize("method", ["create", "list", "write"])
def test_whoever_lacks_any_right_that_it_takes_is_refused(method: str) -> None:
    async def play() -> None:
        server = MemoryLeases()
        error = PermissionDenied(f"no {method}")

        async def forbidden(*_: object) -> Lease:
            raise error

        setattr(server, method, forbidden)
        leases = Leases(server, Inventory(), LoopClock(), "me")
        turning = asyncio.create_task(leases.run())
        await asyncio.sleep(3)
        assert leases.refused is error
        turning.cancel()

    run_virtually(play())


def test_what_the_dead_left_is_cleared_up_and_gone_clusters_too() -> None:
    async def play(field: Field) -> None:
        field.start(3)
        await field.pass_by(10)
        field.replicas.pop("replica-3").kill()
        await field.pass_by(FORGET_AFTER + 10)
        assert {key for key in field.server.now if key.startswith("member-")} == {
            "member-replica-1",
            "member-replica-2",
        }
        for replica in field.replicas.values():
            del replica.inventory.clusters["prod-3"]
        await field.pass_by(5)
        assert "cluster-prod-3" not in field.server.now
        assert len(field.server.now) == 2 + 9 + 1

    in_field(play)


class SlowLine(MemoryLeases):
    """Answers late, by a clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock()
        self.late = 0.0
        self.late_list = 0.0

    async def list(self) -> Sequence[Lease]:
        found = await super().list()
        self.clock.advance(self.late_list)
        return found

    async def write(self, lease: Lease, holder: str, duration: float) -> Lease:
        written = await super().write(lease, holder, duration)
        self.clock.advance(self.late)
        return written


def by_hand(server: SlowLine, *names: str) -> Leases:
    inventory = Inventory()
    for name in names or ("prod",):
        inventory.clusters[name] = SimpleNamespace()  # type: ignore[assignment]
    return Leases(server, inventory, server.clock, "me")


async def test_an_answer_that_comes_late_makes_nobody_valid_for_longer() -> None:
    server = SlowLine()
    leases = by_hand(server)
    await leases.turn()
    assert leases.is_valid()
    server.late = 0.9
    await leases.turn()
    server.clock.advance(VALID - 0.91)
    assert leases.is_valid()
    server.clock.advance(0.02)
    assert not leases.is_valid(), "others count from when it was written"


async def test_what_takes_long_to_take_is_taken_in_several_turns() -> None:
    server = SlowLine()
    leases = by_hand(server, *CLUSTERS)
    await leases.turn()
    server.clock.advance(DURATION)
    server.late = 0.3
    for _ in range(6):
        await leases.turn()
    assert leases.held(set(CLUSTERS)) == set(CLUSTERS), "nothing is lost for taking the time to take more"
    assert leases.is_valid()


async def test_an_answer_that_comes_late_makes_nobody_dead() -> None:
    server = SlowLine()
    leases = by_hand(server)
    await server.create("member-another", "another", DURATION)
    await server.create("cluster-prod", "another", DURATION)
    for _ in range(4):
        await leases.turn()
        server.clock.advance(0.7)
    server.late_list = 0.7
    await leases.turn()
    assert server.now["cluster-prod"].holder == "another", "it was silent for 2.8 s for sure, not for 3.5"
    server.late_list = 0.0
    await leases.turn()
    assert server.now["cluster-prod"].holder == "me"


def freeze(_: Field, replica: Replica) -> None:
    replica.line.thawed.clear()


def cut_off(_: Field, replica: Replica) -> None:
    replica.line.cut = True


def slow_down(field: Field, replica: Replica) -> None:
    replica.line.slowness = field.lots.choice([0.1, 0.5, 1.0, 3.0])


def lose_answers(field: Field, replica: Replica) -> None:
    replica.line.losing = field.lots.choice([0.1, 0.5])


def start_another(field: Field, _: Replica) -> None:
    if len(field.replicas) < 5:
        field.start()


def kill(field: Field, replica: Replica) -> None:
    """What it had asked for may still arrive; it itself writes nothing more."""
    if len(field.replicas) > 1:
        replica.kill()
        del field.replicas[replica.leases._me]


def delete_a_lease(field: Field, _: Replica) -> None:
    field.server.now.pop(field.lots.choice(sorted(field.server.now) or ["none"]), None)


def mend(_: Field, replica: Replica) -> None:
    replica.mend()


EVILS = [freeze, cut_off, slow_down, lose_answers, start_another, kill, delete_a_lease, mend, mend]


@pytest.mark.parametrize("seed", range(examples(200)))
def test_never_two_whatever_happens(seed: int) -> None:
    async def play(field: Field) -> None:
        field.start(3)
        await field.pass_by(field.lots.random() * 5)
        for _ in range(25):
            field.lots.choice(EVILS)(field, field.lots.choice(list(field.replicas.values())))
            await field.pass_by(field.lots.random() * 4)
        for replica in field.replicas.values():
            replica.mend()
        await field.until(field.is_shared_out, within=15)
        await field.pass_by(5)
        assert field.is_shared_out()

    in_field(play, seed)
