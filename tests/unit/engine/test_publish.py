"""Publishing to many: in small parts, and nothing is worked out twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.status.access import AccessFacts, Failure, build_access_status
from searchaccess.core.status.cluster import build_cluster_status
from searchaccess.engine.concurrency.chunks import CHUNK
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context
from searchaccess.engine.status import publish
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.ports.kubernetes import ObjectRef
from tests.support.loop.clocks import SettableClock
from tests.support.loop.stage import OPERATOR
from tests.support.worlds.world import access, account, grant
from tests.unit.builders import a_search_cluster

MANY = 1050
DOWN = Failure(Reason.CLUSTER_UNREACHABLE, "no answer")
ENFORCE = AccessDecision(Do.ENFORCE)


class Kept:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.puts = 0
        self.breaks = False

    def put_notes(self, ref: ObjectRef, notes: object) -> None:
        pass

    def put_status(self, ref: ObjectRef, status: str, _notes: object) -> None:
        if self.breaks:
            raise KeyError(ref.uid)
        self.statuses[ref.uid] = status
        self.puts += 1


class Field:
    """A SearchCluster with many SearchAccesses, and a publisher for them."""

    def __init__(self, count: int = MANY) -> None:
        self.inventory = Inventory()
        self.inventory.policies.keep(set(), frozenset())
        cluster = a_search_cluster()
        cluster["metadata"] |= {"resourceVersion": "1", "uid": "uid-prod"}
        self.inventory.see_cluster(cluster)
        for number in range(count):
            raw = access(f"a-{number}", grant("x-*"), principal=account(f"a-{number}"))
            raw["metadata"] |= {"uid": f"uid-{number}", "generation": 1, "resourceVersion": "1"}
            self.inventory.see_access(raw)
        self.kept, self.clock = Kept(), SettableClock()
        outside: Any = None
        outbox: Any = self.kept
        self.context = Context(OPERATOR, self.inventory, outside, outbox, self.clock, outside, outside)
        self.state = ClusterState()
        self.publisher = StatusPublisher(self.context, self.state)

    @property
    def records(self) -> list[AccessRecord]:
        return list(self.inventory.accesses.values())

    def fail(self, failure: Failure = DOWN, *, only_waiting: bool = False) -> None:
        asyncio.run(self.publish(failure, only_waiting=only_waiting))

    async def publish(self, failure: Failure, *, only_waiting: bool = False) -> None:
        await self.publisher.publish_failure(self.records, failure, lambda _: ENFORCE, only_waiting=only_waiting)


async def most_at_once(work: Callable[[], Any], count: Callable[[], int]) -> int:
    """Do some work; return how much was counted at most while nobody else could run."""
    steps: list[int] = []
    loop = asyncio.get_running_loop()

    def tick() -> None:
        steps.append(count())
        ticking.append(loop.call_soon(tick))

    ticking = [loop.call_soon(tick)]
    await work()
    ticking[-1].cancel()
    return max(after - before for before, after in zip([0, *steps], [*steps, count()], strict=False))


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the SearchAccesses that are read, and the statuses that are computed."""
    counted: Counter[str] = Counter()

    def counting(name: str) -> None:
        work = getattr(publish, name)

        def count(*arguments: Any) -> Any:
            counted[name] += 1
            return work(*arguments)

        monkeypatch.setattr(publish, name, count)

    counting("waits")
    counting("build_access_status")
    return counted


def test_a_failure_is_published_to_many_in_small_parts(handled: Counter[str]) -> None:
    field = Field()

    async def play() -> None:
        most = await most_at_once(lambda: field.publish(DOWN), lambda: handled["build_access_status"])
        assert 0 < most <= CHUNK

    asyncio.run(play())
    assert field.kept.puts == len(field.kept.statuses) == MANY


def test_looking_for_those_that_wait_does_not_hold_the_loop_though_nobody_does(handled: Counter[str]) -> None:
    field = Field()
    for record in field.records:
        record.status_json = (
            '{"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "InSync"}]}'
        )

    async def play() -> None:
        most = await most_at_once(lambda: field.publish(DOWN, only_waiting=True), lambda: handled["waits"])
        assert 0 < most <= CHUNK

    asyncio.run(play())
    assert handled["waits"] == MANY
    assert not field.kept.puts


def test_what_a_reconcile_learned_is_published_in_small_parts(handled: Counter[str]) -> None:
    field = Field()
    facts = [AccessFacts(record.access, ENFORCE, failure=DOWN) for record in field.records]

    async def play() -> None:
        work = field.publisher.report(facts, set(), {}, "")
        assert 0 < await most_at_once(lambda: work, lambda: handled["build_access_status"]) <= CHUNK

    asyncio.run(play())
    assert field.kept.puts == MANY


def test_the_same_failure_is_not_worked_out_again(handled: Counter[str]) -> None:
    field = Field()
    field.fail()
    first = dict(field.kept.statuses)
    for _ in range(5):
        field.clock.advance(5)
        field.fail(Failure(DOWN.reason, str(DOWN.message)))
    assert handled["build_access_status"] == MANY
    assert field.kept.statuses == first
    field.fail(Failure(Reason.CLUSTER_UNREACHABLE, "another cause"))
    assert handled["build_access_status"] == 2 * MANY
    assert "another cause" in field.kept.statuses["uid-7"]


def test_a_status_that_somebody_changed_is_worked_out_again(handled: Counter[str]) -> None:
    field = Field(3)
    field.fail()
    ours = field.kept.statuses["uid-1"]
    field.records[1].status_json = "{}"
    field.fail()
    assert handled["build_access_status"] == 4
    assert field.records[1].status_json == field.kept.statuses["uid-1"] == ours


def test_a_changed_access_is_worked_out_again() -> None:
    field = Field(3)
    field.fail()
    raw = access("a-1", grant("y-*"), principal=account("a-1"))
    raw["metadata"] |= {"uid": "uid-1", "generation": 2, "resourceVersion": "2"}
    field.inventory.see_access(raw | {"status": field.records[1].status})
    field.fail()
    assert '"observedGeneration":2' in field.kept.statuses["uid-1"]


def test_who_is_ready_is_known_although_nothing_is_worked_out_again() -> None:
    field = Field(2)
    field.state.ready |= {"uid-0", "uid-1"}
    field.fail()
    assert not field.state.ready
    field.state.ready |= {"uid-0"}
    field.state.drifted |= {"uid-0"}
    field.fail()
    assert not field.state.ready | field.state.drifted


DECISIONS = [
    ENFORCE,
    AccessDecision(Do.HOLD),
    AccessDecision(Do.HOLD, Reason.SUSPENDED, "paused"),
    AccessDecision(Do.REMOVE),
]
BEFORE: list[dict[str, Any]] = [
    {},
    {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready", "status": "True", "reason": "InSync", "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T09:00:00Z",
            }
        ],
        "elasticsearch": {"role": "r", "specHash": "h", "clusterUuid": "u"},
        "drift": {"open": 1, "detected": 2, "corrected": 1, "items": []},
        "lastSyncTime": "2026-01-01T09:00:00Z",
    },
]  # fmt: skip


@pytest.mark.parametrize("before", BEFORE, ids=["new", "was ready"])
@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: f"{decision.do.name} {decision.reason or ''}")
@pytest.mark.parametrize("reason", [Reason.CLUSTER_UNREACHABLE, Reason.INVALID_SPEC, Reason.PENDING])
@pytest.mark.parametrize("deleted", [False, True])
def test_a_status_made_of_the_same_failure_later_is_the_same(
    reason: Reason, decision: AccessDecision, before: dict[str, Any], *, deleted: bool
) -> None:
    field = Field(1)
    declared = field.records[0].access
    if deleted:
        raw = access("a-0", grant("x-*"), principal=account("a-0"))
        raw["metadata"] |= {
            "uid": "uid-0", "generation": 2, "resourceVersion": "2", "deletionTimestamp": "2026-01-01T10:00:00Z",
        }  # fmt: skip
        field.inventory.see_access(raw)
        declared = field.records[0].access
    facts = AccessFacts(declared, decision, failure=Failure(reason, "why"))
    once = build_access_status(facts, SearchAccessStatus.read(before), "2026-01-01T10:00:00Z")
    assert build_access_status(facts, once, "2026-03-01T10:00:00Z") == once


def test_a_status_of_a_searchcluster_that_was_not_queued_does_not_count_as_published() -> None:
    field = Field(0)
    field.kept.breaks = True
    with pytest.raises(KeyError):
        publish.publish_cluster(field.context, field.state, "prod", None)
    field.kept.breaks = False
    publish.publish_cluster(field.context, field.state, "prod", None)
    assert field.kept.puts == 1
    publish.publish_cluster(field.context, field.state, "prod", None)
    assert field.kept.puts == 1, "nothing changed since"


def test_a_status_of_a_searchcluster_is_computed_when_there_is_something_new_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field, computed = Field(0), Counter[str]()

    def counted(*args: Any) -> Any:
        computed["times"] += 1
        return build_cluster_status(*args)

    monkeypatch.setattr(publish, "build_cluster_status", counted)

    def times() -> int:
        field.clock.advance(60)
        before = computed["times"]
        publish.publish_cluster(field.context, field.state, "prod", None)
        return computed["times"] - before

    assert [times() for _ in range(4)] == [1, 1, 0, 0], "once more, to see that it stays"
    field.state.uuid = "another"
    assert [times() for _ in range(3)] == [1, 1, 0]
    assert field.kept.puts == 2
    record = field.inventory.clusters["prod"]
    record.status_json = ""
    assert [times() for _ in range(3)] == [1, 1, 0], "somebody removed it"
    assert field.kept.puts == 3
    field.state.mapping_adopted = "{}"
    assert [times() for _ in range(2)] == [1, 0], "an event is not lost"
