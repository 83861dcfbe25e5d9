"""What is measured. Each scenario leaves the world as the next one expects it."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import yaml

from searchaccess.engine.lister import RELIST_AFTER
from tests.bench.bare import CHUNK, BareKubernetes
from tests.bench.report import Report
from tests.support.operatorprocess import ROOT, OperatorProcess
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, grant, json_list

SAMPLES = 20
STEADY_SECONDS = 60
TRIES = 2
"""The better one counts, on both sides in turn: a machine that others use too is slower at times."""
SAMPLE = "apply-00000"
"""What the operator wrote for this one is what the floor writes for all."""
_SECURITY = "/_nodes/stats/http?filter_path=nodes.*.http.routes"


def manifests(count: int, prefix: str) -> list[dict[str, Any]]:
    """Return SearchAccesses with a principal each."""
    return [access(f"{prefix}-{i:05d}", grant(f"{prefix}-{i:05d}-*", can=["read", "write"])) for i in range(count)]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def roles_of(world: World, prefix: str) -> int:
    """Count the operator's roles with a prefix."""
    names = world.admin.get("/_security/role").json()
    return sum(name.startswith(f"searchaccess.{world.instance}.{prefix}-") for name in names)


def security_requests(world: World) -> int:
    """Count requests that Elasticsearch has served, apart from this one's kind."""
    nodes = world.admin.get(_SECURITY).json()["nodes"]
    total = 0
    for node in nodes.values():
        for route, stats in node["http"]["routes"].items():
            if not route.startswith("/_nodes"):
                total += int(stats.get("requests", {}).get("count", 0))
    return total


def security_writes(world: World) -> int:
    """Return the sequence number of the security index: it moves with every write."""
    shards = world.admin.get("/.security/_stats/docs?level=shards").json()["indices"].values()
    copies = [copy for index in shards for shard in index["shards"].values() for copy in shard]
    return max(int(copy["seq_no"]["max_seq_no"]) for copy in copies)


def kubectl_apply(world: World, report: Report, count: int) -> None:
    """Manifests applied by kubectl until every caller may do what was declared."""
    eventually(lambda: world.get_cluster().get("status", {}).get("uuid"), within=60)
    objects = manifests(count, "apply")
    callers = [world.caller(f"apply-{i:05d}") for i in (0, count // 2, count - 1)]
    text = json_list(objects)
    start = time.perf_counter()
    world.kubernetes.run_kubectl("apply", "-f", "-", input=text)
    own = time.perf_counter() - start
    eventually(lambda: roles_of(world, "apply") == count, within=120, every=0.02)
    for caller, number in zip(callers, (0, count // 2, count - 1), strict=True):
        path = f"/apply-{number:05d}-x/_search?ignore_unavailable=true"
        eventually(lambda c=caller, p=path: c.get(p).status_code == 200, within=10, every=0.01)  # type: ignore[misc]
    whole = time.perf_counter() - start
    report.add(
        f"kubectl apply of {count} until all effective, against kubectl alone",
        whole / own,
        "x",
        1.2,
        f"{whole:.1f} s, {own:.1f} s",
    )


def bare(world: World) -> BareKubernetes:
    """Connect to the API server without an operator."""
    return BareKubernetes(*_kubernetes(world))


def _kubernetes(world: World) -> tuple[str, str, str]:
    admin = yaml.safe_load(world.kubernetes.kubeconfig.read_text())["users"][0]["user"]
    return world.kubernetes.url, str(world.kubernetes.ca_file), admin["token"]


async def start_with_many(
    world: World, report: Report, operator: OperatorProcess, count: int, prefix: str, *, policy: bool
) -> None:
    """Many present, the operator starts: roles there, statuses written; against the floor.

    With the finalizer policy the API server has put finalizers in place already; without it the operator has to, before
    it writes a role, and the floor does the same.
    """
    async with bare(world) as client:
        await client.create(manifests(count, prefix))
    given = _what_was_written(world, SAMPLE) | {"prefix": prefix, "set_finalizers": not policy}
    floors, starts = [], []
    for _ in range(TRIES):
        operator.stop()
        await _undo(world, prefix, finalizers=not policy)
        floors.append(await asyncio.to_thread(_floor, given))
        await _undo(world, prefix, finalizers=not policy)
        starts.append(await _start_of_operator(world, operator, count, prefix))
    bare_roles, bare_statuses = map(min, zip(*floors, strict=True))
    roles, statuses, up = map(min, zip(*starts, strict=True))
    what = f"start with {count}{'' if policy else ', no finalizer policy'}"
    work = "list + bulk" if policy else "list + finalizers + bulk"
    note = f"{roles:.1f} s, of which {up:.1f} s until Python runs; floor {bare_roles:.1f} s"
    report.add(f"{what}: all roles, against {work}", roles / bare_roles, "x", 2, note)
    note = f"{statuses:.1f} s; floor {bare_statuses:.1f} s"
    report.add(f"{what}: all statuses, against {work} + statuses", statuses / bare_statuses, "x", 1.5, note)


async def _start_of_operator(
    world: World, operator: OperatorProcess, count: int, prefix: str
) -> tuple[float, float, float]:
    """Start it; return the seconds until all roles are there, until all statuses are written, and until Python runs."""
    async with bare(world) as client:
        watching = asyncio.Event()
        reported = asyncio.create_task(client.until(prefix, lambda item: "status" in item, watching))
        await watching.wait()
        before = security_writes(world)
        start = time.perf_counter()
        operator.start()
        up = await asyncio.to_thread(_until_up, operator, start)
        # Cheap to ask; each role is one write, and nobody else writes. They are counted when the clock has stopped.
        await asyncio.to_thread(eventually, lambda: security_writes(world) - before >= count, within=300, every=0.1)
        roles = time.perf_counter() - start
        await asyncio.to_thread(eventually, lambda: roles_of(world, prefix) == count, within=10, every=0.5)
        await asyncio.wait_for(reported, timeout=300)
        return roles, time.perf_counter() - start, up


def _what_was_written(world: World, sample: str) -> dict[str, Any]:
    role, found = world.role(sample), world.get(sample)
    role.pop("transient_metadata", None)
    server = world.elasticsearch
    return {
        "sample": sample,
        "role": json.dumps(role),
        "role_name": world.role_name(sample),
        "status": json.dumps(found["status"]),
        "finalizers": found["metadata"]["finalizers"],
        "kubernetes": _kubernetes(world),
        "elasticsearch": (server.url, str(server.ca_file), server.username, server.password),
    }


async def _undo(world: World, prefix: str, *, finalizers: bool) -> None:
    """Take away what was written for objects with a prefix."""
    async with bare(world) as client:
        mine = [item for item in await client.list() if item["metadata"]["name"].startswith(f"{prefix}-")]
        await client.patch(mine, lambda _: {"status": None}, "/status")
        if finalizers:
            await client.patch(mine, lambda _: {"metadata": {"finalizers": None}})
    names = [world.role_name(item["metadata"]["name"]) for item in mine]
    for first in range(0, len(names), CHUNK):
        chunk = {"names": names[first : first + CHUNK]}
        world.admin.request("DELETE", "/_security/role", json=chunk).raise_for_status()


def _floor(given: dict[str, Any]) -> tuple[float, float]:
    """Run the floor; return the seconds from its start until all roles are there, and until all statuses are."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tests.bench.floor"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(given))
        process.stdin.close()
        took = {line.strip(): time.perf_counter() - start for line in process.stdout}
    return took["roles"], took["statuses"]


def _until_up(operator: OperatorProcess, start: float) -> float:
    """Wait until the operator logs its first line; return the seconds since a start."""
    seen = operator.output().count('"running"')
    eventually(lambda: operator.output().count('"running"') > seen, within=60, every=0.02)
    return time.perf_counter() - start


def tamper(world: World, report: Report) -> None:
    """Somebody adds a privilege to a role; until it is gone."""
    took = []
    for number in range(5):
        name = f"many-{number:05d}"
        body = world.role(name)
        body["indices"][0]["privileges"].append("delete")
        world.write_role(name, body)
        start = time.perf_counter()
        eventually(
            lambda n=name: "delete" not in world.role(n)["indices"][0]["privileges"],  # type: ignore[misc]
            within=60,
            every=0.02,
        )
        took.append(time.perf_counter() - start)
    report.add("tampering until healed, worst of 5", max(took), "s", 3, "probe interval 2 s + 1 s")


def one_new(world: World, report: Report) -> None:
    """One new access, from the API server's answer to kubectl until the first allowed request."""
    took = []
    for number in range(SAMPLES):
        name = f"single-{number}"
        caller = world.caller(name)
        caller.get("/_security/_authenticate").raise_for_status()
        text = json_list([access(name, grant(f"{name}-*"))])
        world.kubernetes.run_kubectl("create", "-f", "-", input=text)
        start = time.perf_counter()
        path = f"/{name}-x/_search?ignore_unavailable=true"
        eventually(lambda c=caller, p=path: c.get(p).status_code == 200, within=30, every=0.005)  # type: ignore[misc]
        took.append((time.perf_counter() - start) * 1000)
    report.add("one new access until allowed, p50", statistics.median(took), "ms", 200, f"max {max(took):.0f} ms")


def versions(world: World) -> dict[str, str]:
    """Return the resource version of every object of ours: any write changes one."""
    found = {}
    for plural in ("searchaccesses", "searchclusters"):
        text = world.kubernetes.run_kubectl("get", "--raw", f"/apis/searchaccess.dev/v1alpha1/{plural}").stdout
        for item in json.loads(text)["items"]:
            found[item["metadata"]["uid"]] = item["metadata"]["resourceVersion"]
    return found


def restart(world: World, report: Report, operator: OperatorProcess) -> None:
    """The operator starts again and nothing is to be done."""
    writes, before = security_writes(world), versions(world)
    took = []
    for _ in range(TRIES):
        operator.stop()
        requests = security_requests(world)
        start = time.perf_counter()
        operator.start()
        # Three requests to check the cluster (its nodes are not counted), one about what the login may do, a probe, all
        # roles, all role mappings; the login, all keys, all users.
        eventually(lambda r=requests: security_requests(world) - r >= 9, within=60, every=0.05)  # type: ignore[misc]
        took.append(time.perf_counter() - start)
        time.sleep(5)
    after = versions(world)
    changed = sum(after.get(uid) != version for uid, version in before.items())
    report.add("restart in sync until everything was read", min(took), "s", 4)
    report.add("restart in sync: writes to Elasticsearch", security_writes(world) - writes, "", 0)
    report.add("restart in sync: objects written in Kubernetes", changed, "", 0)


def steady(world: World, report: Report, operator: OperatorProcess) -> None:
    """Nothing happens, and the start is over."""
    process = psutil.Process(operator.pid)
    time.sleep(RELIST_AFTER + 10)
    used, requests = sum(process.cpu_times()[:2]), security_requests(world)
    start = time.perf_counter()
    time.sleep(STEADY_SECONDS)
    minutes = (time.perf_counter() - start) / 60
    served = security_requests(world) - requests
    busy = sum(process.cpu_times()[:2]) - used
    report.add("at rest: Elasticsearch requests a minute", served / minutes, "", 35)
    report.add("at rest: share of a core", busy / (minutes * 60) * 100, "%", 1)
    report.add("memory", process.memory_info().rss / 2**20, "MiB", 150)
