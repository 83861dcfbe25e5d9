"""The chart's pods, as a platform team looks at them."""

import json
import subprocess
from typing import Any

from tests.stack.build import require_tool
from tests.support.waiting import eventually
from tests.support.world import CLUSTER, SYSTEM, World

INSTANCE = "kind"
NAME = "searchaccess-operator"
SELECTOR = f"app.kubernetes.io/name={NAME}"
IMAGE = "searchaccess-operator:kind"


def pods(world: World) -> list[dict[str, Any]]:
    """Give the pods that nobody has deleted yet."""
    return [pod for pod in listed(world, "pods", "-n", SYSTEM, "-l", SELECTOR) if not _is_going(pod)]


def listed(world: World, *what: str) -> list[dict[str, Any]]:
    """Give what `kubectl get` lists."""
    return list(json.loads(world.kubernetes.run_kubectl("get", *what, "-o", "json").stdout)["items"])


def deployment(world: World) -> str:
    """Give the Deployment, as kubectl names it."""
    [found] = listed(world, "deployments", "-n", SYSTEM, "-l", SELECTOR)
    return f"deployment/{found['metadata']['name']}"


def until_two_run(world: World) -> None:
    """Wait until a rollout is over and two pods are ready, and no other is left."""
    world.kubernetes.run_kubectl("rollout", "status", deployment(world), "-n", SYSTEM, "--timeout=180s")

    def look() -> bool:
        every = listed(world, "pods", "-n", SYSTEM, "-l", SELECTOR)
        return len(every) == 2 and all(_is_ready(pod) for pod in every)

    eventually(look, within=120, every=0.5, what="two pods are ready")


def restart(world: World) -> None:
    """Roll the Deployment out anew, and wait until that is over."""
    world.kubernetes.run_kubectl("rollout", "restart", deployment(world), "-n", SYSTEM)
    until_two_run(world)


def nodes_of(world: World) -> list[str]:
    """Give the node of each pod."""
    return sorted(pod["spec"]["nodeName"] for pod in pods(world))


def workers(world: World) -> list[str]:
    """Give the nodes that pods may run on."""
    found = [
        node["metadata"]["name"] for node in listed(world, "nodes", "-l", "!node-role.kubernetes.io/control-plane")
    ]
    assert len(found) == 2
    return found


def owner(world: World) -> str:
    """Give the name of the pod that writes to the SearchCluster; empty when there is none."""
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
    """Run Helm on the cluster; give what it says."""
    command = [require_tool("helm", "installs the chart"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tamper(world: World) -> None:
    """Give the role of ``orders`` more than is declared."""
    role = world.role("orders")
    role["indices"][0]["privileges"] = ["all"]
    world.write_role("orders", role)


def until_corrected(world: World) -> None:
    """Wait until that is undone."""

    def look() -> bool:
        return "all" not in world.role("orders")["indices"][0]["privileges"]

    eventually(look, within=60, every=0.5, what="the role is corrected")


def _is_going(pod: dict[str, Any]) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _is_ready(pod: dict[str, Any]) -> bool:
    found = {item["type"]: item["status"] for item in pod["status"].get("conditions", [])}
    return found.get("Ready") == "True" and not _is_going(pod)
