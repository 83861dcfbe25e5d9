"""A replica that takes a cluster over first lists what the former owner knew: its own watch may lag behind."""

from collections.abc import Callable

import pytest

from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.ports.errors import Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import begin, granted
from tests.support.failures.faults import Call
from tests.support.loop.clocks import LoopClock
from tests.support.loop.stage import Process, Stage, access_key, on_stage, search_cluster
from tests.support.worlds.world import access, account, grant

NEVER = float("inf")
SELECTOR = {"selector": {"matchLabels": {"search": "yes"}}}


class Baton(Ownership):
    """What a replica owns: all, or nothing."""

    def __init__(self, *, owns: bool) -> None:
        self._since = 0.0 if owns else NEVER

    def take(self, stage: Stage) -> None:
        self._since = LoopClock().monotonic()
        self._tell(stage)

    def lose(self, stage: Stage) -> None:
        self._since = NEVER
        self._tell(stage)

    @staticmethod
    def _tell(stage: Stage) -> None:
        assert stage.process is not None
        stage.process.inventory.changed.set()

    def holds(self, cluster: str) -> bool:  # noqa: ARG002 - owns all or nothing
        return self._since < NEVER

    def holds_common(self) -> bool:
        return self._since < NEVER

    def held(self, clusters: set[str]) -> set[str]:
        return clusters if self._since < NEVER else set()

    def owned_since(self, cluster: str) -> float:  # noqa: ARG002 - owns all or nothing
        return self._since

    def owns_common_since(self) -> float:
        return self._since


class Pair:
    """A replica that owns all, and its heir, whose watch has stopped to bring events."""

    def __init__(self, former: Stage) -> None:
        self.former = former
        self.heir = Stage(faults=former.faults)
        self.batons = Baton(owns=True), Baton(owns=False)

    async def start(self) -> None:
        former, heir = self.former, self.heir
        await former.stop()
        former.ownership, heir.ownership = self.batons
        heir.kubernetes, heir.servers = former.kubernetes, former.servers
        heir.google, heir.stores = former.google, former.stores
        former.start()
        await former.quiet()
        watching = list(former.kubernetes.watchers)
        heir.start().watch.down = True
        former.kubernetes.watchers += watching
        await former.quiet()

    async def hand_over(self) -> list[Call]:
        """Let the heir take over; return what it writes."""
        before = len(self.former.faults.writes)
        self.batons[0].lose(self.former)
        self.batons[1].take(self.heir)
        await self.heir.quiet()
        return self.former.faults.writes[before:]


def late_access(stage: Stage) -> None:
    stage.apply(access("late", grant("late-*")))


def narrowed(stage: Stage) -> None:
    stage.amend("orders", grants=[grant("orders-one")])


def deleted(stage: Stage) -> None:
    stage.delete("orders")


def labels_changed(stage: Stage) -> None:
    stage.kubernetes.namespaces["shop"] = {"search": "no"}
    assert stage.process is not None
    stage.process.inventory.namespaces.labels_wanted.set()
    stage.apply(access("other", grant("other")))


def cluster_made(stage: Stage) -> None:
    stage.apply(search_cluster("second", "https://two:9200"))


@pytest.mark.parametrize("change", [late_access, narrowed, deleted, cluster_made, labels_changed])
def test_nothing_is_undone_that_the_former_owner_did_after_the_last_event_here(
    change: Callable[[Stage], None],
) -> None:
    async def play(stage: Stage) -> None:
        stage.kubernetes.namespaces["shop"] = {"search": "yes"}
        selects = {"allowedNamespaces": SELECTOR} if change is labels_changed else {}
        waiting = [access("waiting", grant("waiting"), cluster="second")] if change is cluster_made else []
        await begin(stage, access("orders", grant("orders-*")), *waiting, **selects)
        pair = Pair(stage)
        await pair.start()
        change(stage)
        # Less than until the heir lists namespaces again.
        await stage.sleep(3)
        before = {name: stage.elasticsearch.roles_now.get(name) for name in stage.elasticsearch.roles_now}
        statuses = {key: raw.get("status") for key, raw in stage.kubernetes.objects.items()}
        assert await pair.hand_over() == []
        assert dict(stage.elasticsearch.roles_now) == before
        assert {key: raw.get("status") for key, raw in stage.kubernetes.objects.items()} == statuses

    on_stage(play)()


@on_stage
async def test_what_is_taken_at_once_costs_one_list(stage: Stage) -> None:
    stage.apply(*(search_cluster(f"c{number}", f"https://c{number}:9200") for number in range(5)))
    await begin(stage, access("orders", grant("orders-*")))
    pair = Pair(stage)
    await pair.start()
    before = len(stage.faults.calls)
    assert await pair.hand_over() == []
    lists = [
        call for call in stage.faults.calls[before:] if call == Call("kubernetes", "list_page", (Plural.ACCESSES,))
    ]
    assert len(lists) == 1


@on_stage
async def test_while_the_api_server_is_away_nothing_is_decided(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    pair = Pair(stage)
    await pair.start()
    late_access(stage)
    await stage.sleep(3)
    stage.faults.fail("kubernetes", Unreachable("away"), "list_page")
    assert await pair.hand_over() == []
    assert granted(stage, account("late")) == {"late-*"}
    stage.faults.heal("kubernetes")
    stage.kubernetes.delete(access_key("orders"))
    await pair.heir.quiet()
    assert granted(stage) == set()
    assert granted(stage, account("late")) == {"late-*"}


async def owned_and_unwatched(stage: Stage) -> tuple[Baton, Process]:
    """Start a replica that owns all, and let its watch stop to bring events."""
    await stage.stop()
    stage.ownership = baton = Baton(owns=True)
    process = stage.start()
    await stage.quiet()
    process.watch.down = True
    return baton, process


@on_stage
async def test_what_was_lost_and_taken_again_is_listed_again(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    baton, _ = await owned_and_unwatched(stage)
    stage.amend("orders", grants=[grant("orders-one")])
    # The supervisor sees only the second.
    baton.lose(stage)
    baton.take(stage)
    await stage.quiet()
    assert granted(stage) == {"orders-one"}


@on_stage
async def test_what_was_lost_and_taken_again_while_nobody_supervises_is_listed_again(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    baton, process = await owned_and_unwatched(stage)
    healthy = process.host._start_missing

    def broken(_group: object) -> None:
        raise KeyError("an internal error")

    process.host._start_missing = broken  # type: ignore[method-assign, assignment]
    process.inventory.changed.set()
    await stage.sleep(30)
    # Another replica was the owner for a while.
    baton.lose(stage)
    stage.amend("orders", grants=[grant("orders-one")])
    await stage.sleep(0.01)
    stage.role(account("orders"))["indices"][0]["names"] = ["orders-one"]
    stage.elasticsearch.sequence += 1
    baton.take(stage)
    await stage.sleep(3)
    assert granted(stage) == {"orders-one"}
    process.host._start_missing = healthy  # type: ignore[method-assign]
    await stage.quiet()
    assert granted(stage) == {"orders-one"}
