"""Writes to Kubernetes: what fails waits by itself, others pass it, and nothing is lost."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from searchaccess.core.status.events import Note
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.outbox import RETRIES, TRIES, Outbox
from searchaccess.engine.writer import EVENTS_LIMIT, LONGEST
from searchaccess.ports.errors import Conflict, ExternalError, PermissionDenied, Rejected, Throttled, Unreachable
from searchaccess.ports.kubernetes import ObjectRef, Plural, StoredStatus
from searchaccess.ports.meter import Meter
from tests.support.loop.clocks import run_virtually
from tests.support.runs.effort import many
from tests.unit.builders import a_search_access

REQUEST = 0.01
"""Seconds that a request takes."""
SLOW = 10.0
"""Seconds until a webhook that does not answer is given up."""
LIMITED = RETRIES * LONGEST
"""Refused writes from which on the rate of retries is at its limit, and not that of each of them."""
MANY = max(round(1.3 * LIMITED), many(2400))
"""More than that, also in a quick run."""


class CountingMeter(Meter):
    """Counts what the outbox counts."""

    def __init__(self) -> None:
        self.dropped = 0
        self.faults: list[str] = []

    def events_dropped(self, number: int) -> None:
        self.dropped += number

    def faulted(self, cluster: str, place: str) -> None:  # noqa: ARG002 - of the meter
        self.faults.append(place)


@dataclass(slots=True)
class Api:
    """An API server whose requests take time, and that refuses those of some namespaces."""

    refused: dict[str, Exception] = field(default_factory=dict)
    """By namespace."""
    slow: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=lambda: {"status", "finalizers", "event"})
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By namespace and what is written."""
    written: dict[str, Any] = field(default_factory=dict)
    """By uid, the newest status."""
    at: dict[str, float] = field(default_factory=dict)
    """By uid, when the newest status was written."""
    finalizers: dict[str, Sequence[str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    wrote: asyncio.Event = field(default_factory=asyncio.Event)

    async def _perform(self, ref: ObjectRef, what: str) -> None:
        self.requests[ref.namespace, what] += 1
        await asyncio.sleep(SLOW if ref.namespace in self.slow else REQUEST)
        if what in self.refuses and ref.namespace in self.refused:
            raise self.refused[ref.namespace]
        self.wrote.set()

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        await self._perform(ref, "status")
        self.written[ref.uid] = status
        self.at[ref.uid] = asyncio.get_running_loop().time()
        return StoredStatus("7", status)

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:  # noqa: ARG002
        await self._perform(ref, "finalizers")
        self.finalizers[ref.uid] = after
        return "7"

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        await self._perform(ref, "event")
        self.events.append(note.reason)


@dataclass(slots=True)
class Post:
    """An outbox at work."""

    api: Api
    outbox: Outbox
    inventory: Inventory
    meter: CountingMeter


def ref(name: str, namespace: str = "good") -> ObjectRef:
    return ObjectRef(Plural.ACCESSES, namespace, name, f"{namespace}/{name}")


def at_work(play: Callable[[Post], Coroutine[Any, Any, None]]) -> None:
    """Run a play with an outbox at work, in virtual time."""

    async def perform() -> None:
        api, inventory, meter = Api(), Inventory(), CountingMeter()
        outbox = Outbox(api, inventory, meter)  # type: ignore[arg-type]
        running = asyncio.create_task(outbox.run())
        await play(Post(api, outbox, inventory, meter))
        assert not running.done(), running.exception()
        running.cancel()
        await asyncio.wait([running])

    with capture_logs():
        run_virtually(perform())


def put(post: Post, target: ObjectRef, number: int = 1) -> None:
    post.outbox.put_status(target, json.dumps({"number": number}), [])


async def until(post: Post, came: Callable[[], bool]) -> None:
    """Wait until something that is written makes something true."""
    while not came():
        post.api.wrote.clear()
        await post.api.wrote.wait()


async def seconds_to_write(post: Post, *targets: ObjectRef) -> float:
    """Put a status of each; return the seconds until all are written."""
    began = asyncio.get_running_loop().time()
    for target in targets:
        put(post, target)
    await until(post, lambda: all(post.api.at.get(target.uid, 0) >= began for target in targets))
    return max(post.api.at[target.uid] for target in targets) - began


REFUSALS = [PermissionDenied("403"), Unreachable("503"), Conflict("409"), Rejected("422"), Throttled("429")]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("count", [24, 240, MANY])
def test_refused_writes_delay_nobody_else(count: int, error: ExternalError) -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = error
        # Else a conflict is about an object that is gone.
        post.inventory.knows = lambda _: True  # type: ignore[method-assign,assignment]
        for number in range(count):
            put(post, ref(f"bad-{number}", "bad"))
        assert await seconds_to_write(post, ref("first")) <= 2 * REQUEST
        for minute in range(1, 4):
            for _ in range(10):
                await asyncio.sleep(0.5)
                assert await seconds_to_write(post, ref("orders")) == pytest.approx(REQUEST)
            assert post.api.requests["good", "status"] == 1 + 10 * minute, "no request more than without them"
        assert post.outbox.pending == count, "nothing is forgotten"

    at_work(play)


@pytest.mark.parametrize("count", [24, 240, MANY])
def test_what_is_refused_is_tried_again_at_a_bounded_rate_for_ever(count: int) -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = PermissionDenied("403")
        for number in range(count):
            put(post, ref(f"bad-{number}", "bad"))
        await asyncio.sleep(600)
        before = post.api.requests["bad", "status"]
        await asyncio.sleep(600)
        rate = (post.api.requests["bad", "status"] - before) / 600
        assert min(count / LONGEST, RETRIES) / 2 <= rate <= min(2 * count / LONGEST, RETRIES)

    at_work(play)


def test_when_the_trouble_is_over_all_is_written_soon() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = PermissionDenied("403")
        for number in range(MANY):
            put(post, ref(f"bad-{number}", "bad"))
        await asyncio.sleep(600)
        post.api.refused.clear()
        began = asyncio.get_running_loop().time()
        await until(post, lambda: len(post.api.written) == MANY)
        assert asyncio.get_running_loop().time() - began < 5
        await asyncio.sleep(0)
        assert not post.outbox.pending

    at_work(play)


def test_a_namespace_that_answers_slowly_leaves_workers_to_all_others() -> None:
    async def play(post: Post) -> None:
        post.api.slow = {"slow-1", "slow-2", "slow-3"}
        for number in range(MANY):
            put(post, ref(f"a-{number}", f"slow-{number % 3 + 1}"))
        for _ in range(60):
            await asyncio.sleep(1)
            assert await seconds_to_write(post, ref("orders")) == pytest.approx(REQUEST)

    at_work(play)


def test_slow_refusals_leave_workers_to_others_of_their_own_namespace() -> None:
    async def play(post: Post) -> None:
        post.api.slow, post.api.refused["bad"] = {"bad"}, Unreachable("the webhook did not answer")
        for number in range(48):
            put(post, ref(f"bad-{number}", "bad"))
        await asyncio.sleep(120)
        post.api.slow.clear()
        post.api.refused.clear()
        assert await seconds_to_write(post, ref("fine", "bad")) == pytest.approx(REQUEST)

    at_work(play)


def test_a_newer_status_of_what_is_refused_waits_and_is_the_one_that_is_written() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = PermissionDenied("403")
        target = ref("orders", "bad")
        for number in range(100):
            put(post, target, number)
            await asyncio.sleep(0.3)
        assert post.api.requests["bad", "status"] < 12
        post.api.refused.clear()
        await asyncio.sleep(LONGEST)
        assert post.api.written[target.uid] == {"number": 99}
        assert not post.outbox.pending

    at_work(play)


def test_a_status_that_is_refused_holds_back_no_finalizer() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"], post.api.refuses = PermissionDenied("403"), {"status"}
        target = ref("orders", "bad")
        put(post, target)
        await asyncio.sleep(60)
        post.outbox.put_finalizers(target, ("a",), ())
        await asyncio.sleep(1)
        assert post.api.finalizers == {target.uid: ()}
        assert post.outbox.pending == 1, "the status is tried again"

    at_work(play)


def test_a_status_that_says_why_a_finalizer_stays_does_not_wait_for_it() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"], post.api.refuses = Rejected("422"), {"finalizers"}
        target = ref("orders", "bad")
        post.outbox.put_finalizers(target, ("a",), ())
        await asyncio.sleep(60)
        assert await seconds_to_write(post, target) == pytest.approx(REQUEST)
        trouble = post.outbox.trouble_of(target.uid)
        assert trouble is not None
        assert trouble.message == "its finalizer cannot be written: 422"
        assert [(of, failure.reason) for of, failure in post.outbox.unwritten()] == [(target, trouble.reason)]

    at_work(play)


def test_what_was_refused_again_and_again_is_not_waited_for_and_still_tried() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = PermissionDenied("403")
        put(post, ref("orders", "bad"))
        assert post.outbox.is_busy
        began = asyncio.get_running_loop().time()
        await post.outbox.drained()
        assert post.api.requests["bad", "status"] == TRIES
        assert asyncio.get_running_loop().time() - began < 10
        assert not post.outbox.is_busy
        assert post.outbox.pending == 1
        await asyncio.sleep(3 * LONGEST)
        assert not post.outbox.is_busy, "neither while it is tried once more"
        assert post.api.requests["bad", "status"] > TRIES
        post.api.refused.clear()
        await asyncio.sleep(LONGEST)
        assert not post.outbox.pending
        put(post, ref("orders", "bad"))
        assert post.outbox.is_busy

    at_work(play)


def test_a_fault_of_ours_costs_one_object_alone_and_loses_nothing() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = KeyError("a secret")
        target = ref("orders", "bad")
        put(post, target)
        post.outbox.put_finalizers(target, ("a",), ())
        assert await seconds_to_write(post, ref("orders")) <= 2 * REQUEST
        await asyncio.sleep(60)
        trouble = post.outbox.trouble_of(target.uid)
        assert trouble is not None
        assert trouble.reason == "InternalError"
        assert "secret" not in trouble.message
        assert set(post.meter.faults) == {"outbox"}
        assert await seconds_to_write(post, ref("orders")) == pytest.approx(REQUEST)
        post.api.refused.clear()
        await asyncio.sleep(LONGEST)
        assert (post.api.written[target.uid], post.api.finalizers[target.uid]) == ({"number": 1}, ())
        assert not post.outbox.pending

    at_work(play)


def test_what_is_dropped_is_not_written_any_more_and_not_tried_again() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = PermissionDenied("403")
        delayed, under_way, waiting = ref("delayed", "bad"), ref("under-way", "bad"), ref("waiting")
        put(post, delayed)
        await asyncio.sleep(20)
        put(post, under_way)
        await asyncio.sleep(REQUEST / 2)
        put(post, waiting)
        post.outbox.drop([delayed.uid, under_way.uid, waiting.uid, "unknown"])
        assert post.outbox.pending == 1, "only what is being written"
        before = post.api.requests.copy()
        await asyncio.sleep(100)
        assert post.api.requests == before
        assert (post.outbox.pending, post.outbox.is_busy, post.inventory.writing) == (0, False, set())
        put(post, waiting)
        await asyncio.sleep(1)
        assert waiting.uid in post.api.written

    at_work(play)


def test_what_events_say_of_a_status_is_old_until_it_is_written() -> None:
    async def play(post: Post) -> None:
        post.api.refused["bad"] = PermissionDenied("403")
        target = ref("orders", "bad")
        put(post, target)
        await asyncio.sleep(100)
        assert post.inventory.writing == {target.uid}
        post.api.refused.clear()
        post.outbox.put_finalizers(target, ("a",), ())
        await asyncio.sleep(1)
        assert post.inventory.writing == set()

    at_work(play)


def test_events_that_are_too_many_are_dropped_and_counted_for_each_namespace() -> None:
    async def play(post: Post) -> None:
        note = Note(warning=True, reason="DriftDetected", message="")
        post.api.refused["bad"], post.api.refuses = Unreachable("503"), {"event"}
        for number in range(EVENTS_LIMIT + 50):
            post.outbox.put_notes(ref(f"bad-{number}", "bad"), [note])
        assert post.meter.dropped == 50
        assert post.outbox.pending == EVENTS_LIMIT
        post.outbox.put_notes(ref("orders"), [note])
        await asyncio.sleep(1)
        assert post.api.events == ["DriftDetected"]
        assert post.meter.dropped == 50
        post.api.refused["bad"] = PermissionDenied("the namespace is being deleted")
        await asyncio.sleep(120)
        assert post.meter.dropped == EVENTS_LIMIT + 50
        assert not post.outbox.pending
        post.api.refused.clear()
        post.outbox.put_notes(ref("orders", "bad"), [note] * EVENTS_LIMIT)
        await asyncio.sleep(120)
        assert len(post.api.events) == 1 + EVENTS_LIMIT, "there is room again"
        assert not post.outbox._writer._events, "no namespace is remembered for ever"

    at_work(play)


def test_a_status_that_is_to_wait_is_written_in_time_and_then_the_newest_alone() -> None:
    async def play(post: Post) -> None:
        target = ref("orders")
        # Begun, it takes up all that waits.
        await asyncio.sleep(1)
        post.outbox.put_status(target, json.dumps({"number": 1}), [], after=30.0)
        await asyncio.sleep(20)
        assert not post.api.written
        post.outbox.put_status(target, json.dumps({"number": 2}), [], after=30.0)
        await asyncio.sleep(15)
        assert post.api.written == {target.uid: {"number": 2}}
        assert post.api.requests["good", "status"] == 1
        assert post.outbox.pending == 0

    at_work(play)


@pytest.mark.parametrize("order", ["the status first", "the finalizer first", "the status while it is written"])
def test_a_finalizer_does_not_wait_for_a_status_that_is_to_be_written_later(order: str) -> None:
    async def play(post: Post) -> None:
        gone = ref("gone")
        # Begun, it takes up all that waits.
        await asyncio.sleep(1)

        def put_status() -> None:
            post.outbox.put_status(gone, '{"a":1}', [], after=30.0)

        def put_finalizers() -> None:
            post.outbox.put_finalizers(gone, ("ours",), ())

        for put in (put_status, put_finalizers) if order == "the status first" else (put_finalizers, put_status):
            put()
            if order == "the status while it is written":
                await asyncio.sleep(REQUEST / 2)
        await asyncio.sleep(1)
        assert post.api.finalizers == {gone.uid: ()}
        assert post.api.written == {}, "it still waits"
        await asyncio.sleep(31)
        assert post.api.written == {gone.uid: {"a": 1}}
        assert not post.outbox.pending

    at_work(play)


def test_events_are_kept_when_finalizers_are_to_be_decided_again() -> None:
    """The status that they announce is written already, so nobody would emit them again."""

    async def play(post: Post) -> None:
        target = ref("orders")
        raw = a_search_access()
        raw["metadata"] |= {"uid": target.uid, "namespace": target.namespace}
        post.inventory.see_access(raw)
        post.inventory.marks.take_dirty("prod")
        post.api.refused, post.api.refuses = {"good": Conflict("409")}, {"finalizers"}
        post.outbox.put_status(
            target, json.dumps({"number": 1}), [Note(warning=True, reason="Revoked", message="gone")]
        )
        post.outbox.put_finalizers(target, ("x",), ())
        await until(post, lambda: bool(post.api.events))
        post.outbox.put_notes(target, [Note(warning=True, reason="Later", message="it came before the next attempt")])
        await post.outbox.drained()
        await asyncio.sleep(60)
        assert post.api.events == ["Revoked", "Later"]
        assert post.api.finalizers == {}, "the reconciler decides about them again"
        assert post.inventory.marks.dirty("prod").principals
        assert not post.outbox.pending

    at_work(play)
