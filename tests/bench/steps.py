"""CPU time for which work over 10,000 SearchAccesses holds the loop: ``python -m tests.bench.steps``. For people."""

import asyncio
import gc
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from searchaccess.adapters.answers import decode
from searchaccess.adapters.longanswers import LongAnswer, decoded
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.api.status import SearchAccessStatus
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.keys import Login
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.policy.decision import OPEN, AccessDecision, Do, decide
from searchaccess.core.replicas import assign
from searchaccess.core.status.access import AccessFacts, Failure, build_access_status
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.credentials.observe import Issued
from searchaccess.engine.host import Host
from searchaccess.engine.identities.follow import Identities
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.loop.deletion import Deletion
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.rights.members import Members
from searchaccess.engine.rights.observe import Observed, observe, roles_by_owner
from searchaccess.engine.rights.ownership.released import ReleasedLedger
from searchaccess.engine.rights.plan import Planner
from searchaccess.engine.rights.rejections import Rejections
from searchaccess.engine.state import ClusterState, Context
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.operator.garbage import freeze_live_objects
from searchaccess.operator.telemetry.metrics import Declared, Metrics
from searchaccess.ports.meter import Meter
from tests.support.loop.clocks import SettableClock
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, search_cluster
from tests.support.worlds.world import access, account, grant

COUNT: Final = 10_000
CROWD: Final = 800
"""SearchAccesses of one principal: about as many as its role can have."""
MOST: Final = 50.0
"""Milliseconds that anything may hold the loop."""
NAME: Final = CLUSTER_KEY[2]
OUTSIDE: Final[Any] = None
BY_SUBJECT: Final[dict[str, Any]] = {"jwtRealm": {"name": "g", "audience": "a", "principal": "sub"}}

Held = Iterator[tuple[str, float]]


def _cluster(version: int, **spec: Any) -> dict[str, Any]:
    cluster = search_cluster(allowedNamespaces={"selector": {"matchLabels": {"team": "shop"}}}, **spec)
    cluster["metadata"] |= {
        "uid": "uid-prod", "generation": version, "resourceVersion": str(version), "name": NAME,
    }  # fmt: skip
    return cluster


def _inventory(count: int, each: int = 1, cluster: dict[str, Any] | None = None) -> Inventory:
    """Return an inventory in which every principal has so many of the SearchAccesses."""
    inventory = Inventory()
    inventory.policies.keep(set(), frozenset())
    inventory.see_cluster(cluster or _cluster(1))
    for number in range(count):
        raw = access(f"a-{number}", grant(f"x-{number}-*"), principal=account(f"a-{number // each}"))
        raw["metadata"] |= {
            "uid": f"uid-{number}", "generation": 1, "resourceVersion": "1", "finalizers": [FINALIZER],
        }  # fmt: skip
        inventory.see_access(raw)
    inventory.see_namespaces({"shop": {"team": "shop"}})
    for record in inventory.accesses.values():
        facts = AccessFacts(record.access, AccessDecision(Do.ENFORCE), role="r", cluster_uuid="u")
        status = build_access_status(facts, SearchAccessStatus.read({}), "2026-01-01T10:00:00Z")
        record.status_json = stable_json(status.to_json())
    # As the operator does it once it has listed all.
    freeze_live_objects()
    return inventory


def _context(inventory: Inventory) -> Context:
    outbox = Outbox(OUTSIDE, inventory)
    return Context(OPERATOR, inventory, OUTSIDE, outbox, SettableClock(), OUTSIDE, OUTSIDE)


def _held(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def _longest_step(work: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """Return the milliseconds of the longest step of the loop while some work is done."""
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


def _publishing(inventory: Inventory) -> Held:
    context = _context(inventory)
    publisher = StatusPublisher(context, ClusterState())

    def fail(message: str, *, only_waiting: bool = False) -> Callable[[], Coroutine[Any, Any, None]]:
        records = list(inventory.accesses.values())
        failure = Failure(Reason.CLUSTER_UNREACHABLE, message)
        return lambda: publisher.publish_failure(
            records, failure, lambda one: decide(one, OPEN), only_waiting=only_waiting
        )

    async def report() -> None:
        facts = [AccessFacts(one.access, AccessDecision(Do.ENFORCE)) for one in inventory.accesses.values()]
        await publisher.report(facts, set(), {}, "")

    yield "publish_failure, only who waits", _longest_step(fail("away", only_waiting=True))
    yield "publish_failure, all", _longest_step(fail("away"))
    yield "publish_failure, the same again", _longest_step(fail("away"))
    yield "report", _longest_step(report)
    session: Any = SimpleNamespace(cluster=inventory.clusters[NAME].cluster, state=ClusterState())
    for record in inventory.accesses.values():
        record.access = replace(record.access, deleted_at="2026-01-02T10:00:00Z")
    session.state.facts = SimpleNamespace(uuid="u")
    yield "leaving all to an older cluster", _held(lambda: Deletion(context).release_to_older(session, "older"))
    inventory.forget_cluster(NAME, "uid-prod")
    yield "publishing without a cluster", _longest_step(Host(context, OUTSIDE)._publish_without_cluster)


def _inventories(inventory: Inventory) -> Held:
    yield "list(inventory.of_cluster)", _held(lambda: list(inventory.of_cluster(NAME)))
    yield "labels, all refused", _held(lambda: inventory.see_namespaces({"shop": {"team": "else"}}))
    yield "labels, all allowed", _held(lambda: inventory.see_namespaces({"shop": {"team": "shop"}}))
    yield "a cluster that refuses all", _held(lambda: inventory.see_cluster(_cluster(2) | {"spec": _refusing()}))
    inventory.see_cluster(_cluster(3))
    yield "deciding about all after that", _longest_step(lambda: _decide(inventory))
    yield "a cluster with another claim", _held(lambda: inventory.see_cluster(_cluster(4, identity=BY_SUBJECT)))
    yield "settling another claim", _longest_step(lambda: inventory.settle(NAME))
    identities = Identities(inventory, OUTSIDE, SettableClock(), Meter())
    yield "identities that are due", _held(identities._take_due)
    metrics = Metrics()
    host: Any = SimpleNamespace(reconcilers=dict)
    metrics.register(Declared(inventory, Outbox(OUTSIDE, inventory), host, Ownership()))
    yield "a first scrape", _longest_step(metrics.scrape)
    yield "a scrape", _longest_step(metrics.scrape)
    uids = frozenset(inventory.accesses)
    yield "a full list, all there", _longest_step(lambda: inventory.keep_accesses(set(uids), uids))
    yield "a full list, all gone", _longest_step(lambda: inventory.keep_accesses(set(), uids))


async def _decide(inventory: Inventory) -> None:
    async for record in in_chunks(inventory.accesses.values()):
        decide(record.access, OPEN)


def _refusing() -> dict[str, Any]:
    spec: dict[str, Any] = _cluster(1)["spec"] | {"allowedNamespaces": {"names": ["else"]}}
    return spec


def _planner(inventory: Inventory, roles: dict[str, Any]) -> Planner:
    context = _context(inventory)
    members = Members(context, NAME, OPEN, Rejections())
    observed = Observed(full=True, roles=roles, mappings={}, all_mappings=True)
    return Planner(context, NAME, "u", members, observed, {}, ReleasedLedger(context, NAME))


def _rights(inventory: Inventory, what: str) -> Held:
    planner, principals = _planner(inventory, {}), inventory.principals(NAME)
    works = asyncio.run(planner.plan(principals))
    roles = {work.plan.name: work.plan.write.to_json() for work in works if work.plan.write}
    yield f"planning roles, {what}, none there", _longest_step(lambda: planner.plan(principals))
    planner = _planner(inventory, roles)
    yield f"ordering roles, {what}", _longest_step(lambda: planner.in_order(principals))
    yield f"planning roles, {what}, all there", _longest_step(lambda: planner.plan(principals))
    yield f"owners of roles, {what}", _held(lambda: roles_by_owner(OPERATOR, roles, print))
    body = json.dumps(roles).encode()
    size = len(body) // 1_000_000
    yield f"decoding roles, {what}, {size} MB, at once", _held(lambda: decode(body))
    yield f"decoding roles, {what}, {size} MB, in pieces", _longest_step(lambda: decoded(LongAnswer(body)))


def _mappings(inventory: Inventory) -> Held:
    names = [OPERATOR.role_name(principal) for principal in inventory.principals(NAME)]
    raw = {
        name: {"enabled": True, "roles": [name], "rules": {"field": {"username": name}}, "metadata": OPERATOR.stamp()}
        for name in names
    }

    async def roles(_names: object) -> dict[str, Any]:
        return {}

    async def mappings(_names: object) -> dict[str, Any]:
        return raw

    port = SimpleNamespace(roles=roles, mappings=mappings)
    session: Any = SimpleNamespace(cluster=inventory.clusters[NAME].cluster, port=port)
    reading = lambda: observe(_context(inventory), session, [], full=True, mapping_settled=False)  # noqa: E731
    yield "reading a role mapping of each", _longest_step(reading)


def _keys(count: int) -> Held:
    raw = [
        {
            "id": f"key-{number}", "name": f"k-{number}", "creation": 1_700_000_000_000, "invalidated": False,
            "username": "operator", "realm": "native", "role_descriptors": {"rights": {"cluster": [], "indices": []}},
            "metadata": OPERATOR.stamp() | {
                "owner": {"namespace": "shop", "name": f"a-{number}", "uid": f"uid-{number}"}, "sequence": 1,
            },
        }
        for number in range(count)
    ]  # fmt: skip

    async def keys(_pattern: str) -> list[dict[str, Any]]:
        return raw

    async def login() -> Login:
        return Login("operator", "native", by_api_key=False)

    async def none(*_: object) -> list[Any]:
        return []

    port = SimpleNamespace(keys=keys, login=login, users=none)
    cluster = SimpleNamespace(name=NAME)
    session: Any = SimpleNamespace(port=port, state=ClusterState(), cluster=cluster)
    yield (
        "reading API keys",
        _longest_step(lambda: Issued(OPERATOR).read(session, [Auth.API_KEY], full=True, successor=OPERATOR)),
    )


def _replicas() -> Held:
    keys = [f"cluster-{number}" for number in range(1000)]
    members = {f"replica-{number}" for number in range(10)}
    yield "sharing out 1,000 clusters", _held(lambda: assign(keys, members))


def measure(count: int = COUNT) -> Iterator[tuple[str, float]]:
    """Yield the milliseconds for which each kind of work holds the loop."""
    yield from _inventories(_inventory(count))
    yield from _publishing(_inventory(count))
    yield from _rights(_inventory(count), "a SearchAccess each")
    yield from _rights(_inventory(count, count // 20), "500 SearchAccesses each")
    yield from _rights(_inventory(CROWD, CROWD), f"one of {CROWD} SearchAccesses")
    yield from _mappings(_inventory(count))
    yield from _keys(count)
    yield from _replicas()
    yield "a garbage collection", _held(gc.collect)
    gc.unfreeze()
    yield "a garbage collection if nothing were frozen", _held(gc.collect)


def main() -> None:
    """Measure and print."""
    for what, milliseconds in measure():
        print(f"{milliseconds:8.1f} ms  {' ' if milliseconds < MOST else '!'} {what}", flush=True)


if __name__ == "__main__":
    main()
