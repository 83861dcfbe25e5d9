"""The whole loop behind a gateway: from many SearchAccesses to callers that are let in."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import psutil

from tests.bench.gateway.scale import Scale
from tests.bench.report import Report
from tests.bench.scenarios import bare, manifests, security_writes
from tests.stack.stack import Stack
from tests.support.operatorprocess import ROOT, OperatorProcess
from tests.support.servers.gatewaypod import NAME, GatewayPod
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, grant, json_list

GATEWAYS: Final = "search-gateway"
GOAL_SECONDS: Final = 30.0
"""For 10,000 users."""
_PREFIX: Final = "behind"
_PATIENCE: Final = 300.0
_WATCHED: Final = 5.0
"""Seconds within which the API server takes up a new policy, and tells nobody."""
_USER: Final = "/_security/user/{username}"


def measure(report: Report, stack: Stack, scale: Scale, say: Callable[[str], None]) -> None:
    """Add what the loop takes for users behind a gateway."""
    folder = Path(stack.kubernetes.log_folder)
    world = World(stack.kubernetes, stack.elasticsearch, folder)
    world.install()
    world.kubernetes.run_kubectl("apply", "-f", str(ROOT / "deploy" / "finalizer-policy.yaml"))
    time.sleep(_WATCHED)
    operator = world.operator("gateway-bench")
    with GatewayPod(world, GATEWAYS, folder / "gateway") as pod:
        world.apply(world.cluster(identity=pod.identity()))
        try:
            say(f"gateway: {scale.users} users")
            asyncio.run(_many(world, report, operator, pod, scale.users))
            say("gateway: one new access")
            _one_new(world, report, pod, scale.samples)
            say("gateway: restart")
            _restart(world, report, operator, scale.users)
        finally:
            operator.stop()


async def _many(world: World, report: Report, operator: OperatorProcess, pod: GatewayPod, count: int) -> None:
    async with bare(world) as client:
        await client.create(manifests(count, _PREFIX))
        watching = asyncio.Event()
        reported = asyncio.create_task(client.until(_PREFIX, lambda item: "status" in item, watching))
        await watching.wait()
        before, writes, cpu = requests(world), security_writes(world), elasticsearch_cpu(world)
        began = time.perf_counter()
        operator.start()
        first = asyncio.create_task(asyncio.to_thread(_first, world, began))
        # A write for each role and for each user. The gateway's login takes some more, so users are counted then.
        await asyncio.to_thread(
            eventually, lambda: security_writes(world) - writes >= 2 * count, within=_PATIENCE, every=0.1
        )
        await asyncio.to_thread(eventually, lambda: users(world) == count, within=_PATIENCE, every=0.2)
        written = time.perf_counter() - began
        spent, spent_there = operator_cpu(operator), elasticsearch_cpu(world) - cpu
        first_user, configured = await first
        await asyncio.to_thread(_until_allowed, world, pod, f"{_PREFIX}-{count - 1:05d}")
        allowed = time.perf_counter() - began
        await asyncio.wait_for(reported, timeout=_PATIENCE)
        statuses = time.perf_counter() - began
    made = requests(world) - before
    what, goal = f"gateway, {count} users", GOAL_SECONDS * max(1.0, count / 10_000)
    report.add(f"{what}: start until all roles and users are written", written, "s", goal)
    report.add(f"{what}: start until the first users are written, a second late", first_user, "s")
    report.add(f"{what}: start until the gateway has its configuration", configured, "s")
    thousands = count / 1000
    until = "until all roles and users are written, with the start"
    report.add(f"{what}: CPU of the operator for 1,000 users", spent / thousands, "s", None, until)
    report.add(f"{what}: CPU of Elasticsearch for 1,000 users", spent_there / thousands, "s", None, until)
    report.add(f"{what}: start until the gateway lets the last one in", allowed, "s", None)
    report.add(f"{what}: start until all statuses are written", statuses, "s", None)
    others = sum(number for route, number in made.items() if route != _USER)
    note = f"{made[_USER]} for users, {others} others; Elasticsearch has no bulk request for users"
    report.add(f"{what}: requests to Elasticsearch for each user", made.total() / count, "", None, note)


def operator_cpu(operator: OperatorProcess) -> float:
    """Return the seconds of CPU that the operator has used."""
    times = psutil.Process(operator.pid).cpu_times()
    return float(times.user + times.system)


def elasticsearch_cpu(world: World) -> float:
    """Return the seconds of CPU that Elasticsearch has used."""
    answer = world.admin.get("/_nodes/stats/process?filter_path=nodes.*.process.cpu.total_in_millis")
    nodes = answer.raise_for_status().json()["nodes"].values()
    return sum(float(node["process"]["cpu"]["total_in_millis"]) for node in nodes) / 1000


def _first(world: World, began: float) -> tuple[float, float]:
    """Return after how many seconds the first user is written, and the gateway's ConfigMap."""
    eventually(lambda: users(world) > 0, within=_PATIENCE, every=0.1)
    user = time.perf_counter() - began
    command = ("get", "configmap", f"{NAME}-config", "-n", GATEWAYS, "--ignore-not-found", "-o", "name")
    eventually(lambda: "configmap/" in world.kubernetes.run_kubectl(*command).stdout, within=_PATIENCE, every=0.5)
    return user, time.perf_counter() - began


def _one_new(world: World, report: Report, pod: GatewayPod, samples: int) -> None:
    took = []
    for number in range(samples):
        name = f"alone-{number}"
        text = json_list([access(name, grant(f"{name}-*"))])
        with _caller(world, pod, name) as caller:
            assert caller.get("/_security/_authenticate").status_code == httpx.codes.FORBIDDEN
            world.kubernetes.run_kubectl("create", "-f", "-", input=text)
            began = time.perf_counter()
            eventually(lambda c=caller, n=name: c.get(_path(n)).is_success, within=_PATIENCE, every=0.005)  # type: ignore[misc]
            took.append((time.perf_counter() - began) * 1000)
    note = f"max {max(took):.0f} ms"
    report.add("gateway: one new access until the gateway lets it in, p50", statistics.median(took), "ms", None, note)


def _restart(world: World, report: Report, operator: OperatorProcess, count: int) -> None:
    """Start again: nobody watched meanwhile, so that all passwords are reset."""
    operator.stop()
    before, writes = requests(world), security_writes(world)
    began = time.perf_counter()
    operator.start()
    eventually(lambda: security_writes(world) - writes >= count, within=_PATIENCE, every=0.1)
    took = time.perf_counter() - began
    made = requests(world) - before
    note = f"{made[_USER]} for users, {made.total() - made[_USER]} others"
    report.add(f"gateway, {count} users: restart until all passwords are reset", took, "s", None, note)


def users(world: World) -> int:
    """Count the users of principals of the bench."""
    query = {"size": 0, "query": {"prefix": {"username": world.role_name(_PREFIX).partition("@")[0]}}}
    answer = world.admin.post("/_security/_query/user", json=query)
    return int(answer.raise_for_status().json()["total"])


def requests(world: World) -> Counter[str]:
    """Count what Elasticsearch has served, by method and route, apart from what the bench itself asks."""
    own = {"/_nodes", "/.security", "/_security/_query", "/{index}/_stats"}
    answer = world.admin.get("/_nodes/stats/http?filter_path=nodes.*.http.routes")
    found = Counter[str]()
    for node in answer.raise_for_status().json()["nodes"].values():
        for route, stats in node["http"]["routes"].items():
            if not route.startswith(tuple(own)):
                found[route] += int(stats.get("requests", {}).get("count", 0))
    return found


def _until_allowed(world: World, pod: GatewayPod, name: str) -> None:
    pod.until_served()
    with _caller(world, pod, name) as caller:
        eventually(lambda: caller.get(_path(name)).is_success, within=_PATIENCE, every=0.05)


def _caller(world: World, pod: GatewayPod, name: str) -> httpx.Client:
    return pod.envoy.client(world.elasticsearch.issuer.mint(f"{name}@acme-shop.iam.gserviceaccount.com"))


def _path(name: str) -> str:
    return f"/{name}-x/_search?ignore_unavailable=true"
