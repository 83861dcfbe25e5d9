"""CPU time for which work over 10,000 SearchAccesses holds the loop: ``python -m tests.bench.steps``. For people."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, Final

from searchaccess.api.reasons import Reason
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.policy.decision import OPEN, AccessDecision, Do, decide
from searchaccess.core.status.access import AccessFacts, Failure, build_access_status
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.state import ClusterState, Context
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.operator.metrics import Declared, Metrics
from tests.support.clocks import SettableClock
from tests.support.stage import CLUSTER_KEY, OPERATOR, search_cluster
from tests.support.world import access, account, grant

COUNT: Final = 10_000
MOST: Final = 50.0
"""Milliseconds that anything may hold the loop."""


def _inventory(count: int) -> Inventory:
    inventory = Inventory()
    cluster = search_cluster(allowedNamespaces={"selector": {"matchLabels": {"team": "shop"}}})
    cluster["metadata"] |= {"uid": "uid-prod", "generation": 1, "resourceVersion": "1", "name": CLUSTER_KEY[2]}
    inventory.see_cluster(cluster)
    for number in range(count):
        raw = access(f"a-{number}", grant("x-*"), principal=account(f"a-{number}"))
        raw["metadata"] |= {"uid": f"uid-{number}", "generation": 1, "resourceVersion": "1"}
        inventory.see_access(raw)
    for record in inventory.accesses.values():
        facts = AccessFacts(record.access, AccessDecision(Do.ENFORCE), role="r", cluster_uuid="u")
        status = build_access_status(facts, SearchAccessStatus.read({}), "2026-01-01T10:00:00Z")
        record.status_json = stable_json(status.to_json())
    return inventory


def _context(inventory: Inventory) -> Context:
    outside: Any = None
    outbox = Outbox(outside, inventory)
    return Context(OPERATOR, inventory, outside, outbox, SettableClock(), outside, outside)


def _held(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def _longest_step(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Give the milliseconds of the longest step of the loop while some work is done."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        doing = asyncio.ensure_future(work())
        while not doing.done():
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)
        await doing

    asyncio.run(watch())
    return longest * 1000


def measure(count: int = COUNT) -> dict[str, float]:
    """Give the milliseconds for which each kind of work holds the loop."""
    inventory = _inventory(count)
    context = _context(inventory)
    publisher = StatusPublisher(context, ClusterState())
    found: dict[str, float] = {}

    def fail(message: str, *, only_waiting: bool = False) -> Callable[[], Coroutine[Any, Any, None]]:
        records = list(inventory.accesses.values())
        failure = Failure(Reason.CLUSTER_UNREACHABLE, message)
        return lambda: publisher.publish_failure(
            records, failure, lambda one: decide(one, OPEN), only_waiting=only_waiting
        )

    async def report() -> None:
        facts = [AccessFacts(one.access, AccessDecision(Do.ENFORCE)) for one in inventory.accesses.values()]
        await publisher.report(facts, set(), {}, "")

    found["publish_failure, only who waits"] = _longest_step(fail("away", only_waiting=True))
    found["publish_failure, all"] = _longest_step(fail("away"))
    found["publish_failure, the same again"] = _longest_step(fail("away"))
    found["report"] = _longest_step(report)
    found["list(inventory.of_cluster)"] = _held(lambda: list(inventory.of_cluster(CLUSTER_KEY[2])))
    labels = {"shop": {"team": "shop"}}
    found["inventory.see_namespaces"] = _held(lambda: inventory.see_namespaces(labels))
    found["inventory._reidentify"] = _held(lambda: inventory._reidentify(CLUSTER_KEY[2]))
    uids = frozenset(inventory.accesses)
    found["inventory.keep_accesses, all there"] = _held(lambda: inventory.keep_accesses(set(uids), uids))
    metrics = Metrics()
    host: Any = SimpleNamespace(reconcilers=dict)
    declared = Declared(inventory, context.outbox, host, Ownership())
    metrics.registry.register(declared)
    found["a first scrape"] = _held(metrics.text)
    found["a scrape"] = _held(metrics.text)
    found["reading all statuses"] = _held(lambda: [json.loads(one.status_json) for one in inventory.accesses.values()])
    found["deciding about all"] = _held(lambda: [decide(one.access, OPEN) for one in inventory.accesses.values()])
    found["inventory.keep_accesses, all gone"] = _held(lambda: inventory.keep_accesses(set(), uids))
    return found


def main() -> None:
    """Measure and print."""
    for what, milliseconds in measure().items():
        print(f"{milliseconds:8.1f} ms  {'' if milliseconds < MOST else '!'} {what}")


if __name__ == "__main__":
    main()
