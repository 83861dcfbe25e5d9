"""The chart's pods, as a platform team observes them."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx

from tests.stack.build import require_tool
from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, SYSTEM, World, access, condition_in, grant

INSTANCE = "kind"
NAME = "searchaccess-operator"
SELECTOR = f"app.kubernetes.io/name={NAME}"
IMAGE = "searchaccess-operator:kind"


def pods(world: World) -> list[dict[str, Any]]:
    """Return the pods that nobody has deleted yet."""
    return [pod for pod in listed(world, "pods", "-n", SYSTEM, "-l", SELECTOR) if not _is_going(pod)]


def listed(world: World, *what: str) -> list[dict[str, Any]]:
    """Return what `kubectl get` lists."""
    return list(json.loads(world.kubernetes.run_kubectl("get", *what, "-o", "json").stdout)["items"])


def deployment(world: World) -> str:
    """Return the Deployment, as kubectl names it."""
    [found] = listed(world, "deployments", "-n", SYSTEM, "-l", SELECTOR)
    return f"deployment/{found['metadata']['name']}"


def until_two_run(world: World) -> None:
    """Wait until a rollout is over and two pods are ready, and no other is left."""
    world.kubernetes.run_kubectl("rollout", "status", deployment(world), "-n", SYSTEM, "--timeout=180s")

    def observe() -> bool:
        every = listed(world, "pods", "-n", SYSTEM, "-l", SELECTOR)
        return len(every) == 2 and all(_is_ready(pod) for pod in every)

    eventually(observe, within=120, every=0.5, what="two pods are ready")


def restart(world: World) -> None:
    """Roll the Deployment out again, and wait until that is over."""
    world.kubernetes.run_kubectl("rollout", "restart", deployment(world), "-n", SYSTEM)
    until_two_run(world)


def nodes_of(world: World) -> list[str]:
    """Return the node of each pod."""
    return sorted(pod["spec"]["nodeName"] for pod in pods(world))


def workers(world: World) -> list[str]:
    """Return the nodes that pods may run on."""
    found = [
        node["metadata"]["name"] for node in listed(world, "nodes", "-l", "!node-role.kubernetes.io/control-plane")
    ]
    assert len(found) == 2
    return found


def owner(world: World) -> str:
    """Return the name of the pod that writes to the SearchCluster; empty when there is none."""
    for lease in listed(world, "leases", "-n", SYSTEM):
        if lease["metadata"]["name"].endswith(f"cluster-{CLUSTER}"):
            return str(lease["spec"].get("holderIdentity", "")).rpartition("-")[0]
    return ""


def kill(pod: dict[str, Any]) -> None:
    """End a pod's process with SIGKILL, from its node."""
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    on_node = [require_tool("docker", "runs the nodes"), "exec", pod["spec"]["nodeName"]]
    subprocess.run([*on_node, "ctr", "-n", "k8s.io", "task", "kill", "--signal", "SIGKILL", container], check=True)


def restarts(pod: dict[str, Any]) -> int:
    """How often a pod's container was started again."""
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def helm(*arguments: str) -> str:
    """Run Helm on the cluster; return what it says."""
    command = [require_tool("helm", "installs the chart"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def new_accesses(world: World, prefix: str) -> list[str]:
    """Declare as many as a team may at a time; return their names."""
    names = [f"{prefix}-{number}" for number in range(34)]
    world.apply(*(access(name, grant(f"{name}-*")) for name in names))
    return names


def until_all_served(world: World, names: Iterable[str]) -> None:
    """Wait until SearchAccesses are in sync, and check that Elasticsearch lets their callers in."""
    wanted = set(names)
    lacking: dict[str, Any] = {}

    def observe() -> bool:
        found = {one["metadata"]["name"]: one for one in listed(world, "searchaccesses", "-n", "shop")}
        lacking.clear()
        lacking.update({name: found.get(name, {}).get("status") for name in wanted if not _is_in_sync(found.get(name))})
        return not lacking

    try:
        eventually(observe, within=120, every=0.5)
    except AssertionError:
        raise AssertionError(f"{len(lacking)} of {len(wanted)} are not in sync within 120 s: {lacking}") from None
    assert {world.role_name(name) for name in wanted} <= set(role_versions(world))
    for name in wanted:
        with world.caller(name) as caller:
            assert caller.get(f"/{name}-*/_search").status_code == httpx.codes.OK


def delete_many(world: World, names: Iterable[str]) -> None:
    """Delete SearchAccesses."""
    world.kubernetes.run_kubectl("delete", "searchaccesses", *names, "-n", "shop", "--timeout=120s")


def role_versions(world: World) -> dict[str, int]:
    """Say for each of the installation's roles how often it was written."""
    query = {"term": {"type": "role"}}
    found = world.admin.post("/.security/_search", json={"query": query, "version": True, "size": 1000})
    prefix = f"role-searchaccess.{world.instance}."
    hits = found.raise_for_status().json()["hits"]["hits"]
    return {hit["_id"].removeprefix("role-"): hit["_version"] for hit in hits if hit["_id"].startswith(prefix)}


def expect_written_once(world: World, names: Iterable[str]) -> None:
    """Check that SearchAccesses' roles were written once: a replica that took over neither removed nor changed any."""
    versions = role_versions(world)
    written = {name: versions[world.role_name(name)] for name in names}
    assert {name: times for name, times in written.items() if times != 1} == {}


def drift_events(world: World) -> dict[str, int]:
    """Return by object how many events about drift were emitted."""
    found = listed(world, "events", "--all-namespaces", "--field-selector=reason=DriftDetected")
    times = Counter[str]()
    for event in found:
        times[event["involvedObject"]["name"]] += event.get("count") or 1
    return times


def tamper(world: World) -> None:
    """Give the role of ``orders`` more than is declared."""
    role = world.role("orders")
    role["indices"][0]["privileges"] = ["all"]
    world.write_role("orders", role)


def until_corrected(world: World) -> None:
    """Wait until that is undone."""

    def observe() -> bool:
        return "all" not in world.role("orders")["indices"][0]["privileges"]

    eventually(observe, within=120, every=0.5, what="the role is corrected")


def _is_going(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _is_in_sync(found: dict[str, Any] | None) -> bool:
    if found is None:
        return False
    ready = condition_in(found, "Ready")
    return ready.get("reason") == "InSync" and ready.get("observedGeneration") == found["metadata"]["generation"]


def _is_ready(pod: dict[str, Any]) -> bool:
    found = {item["type"]: item["status"] for item in pod["status"].get("conditions", [])}
    return found.get("Ready") == "True" and not _is_going(pod)
