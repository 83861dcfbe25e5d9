"""The chart's own pods do the work, and go on when one of them is taken away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kind.__main__ import INSIDE
from tests.stack.stack import Stack
from tests.support.waiting import eventually
from tests.support.world import CLUSTER, SYSTEM, World, access, grant

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def world(stack: Stack, tmp_path: Path) -> Iterator[World]:
    one = World(stack.kubernetes, stack.elasticsearch, tmp_path, instance="kind")
    one.install()
    kubectl = stack.kubernetes.run_kubectl
    kubectl("scale", "deployment", "--all", "--replicas=2", "-n", SYSTEM)
    kubectl("rollout", "status", "deployment", "-n", SYSTEM, "--timeout=180s")
    one.apply(one.cluster(urls=[f"https://{INSIDE}:9200"]))
    one.until_cluster_reason(CLUSTER, "InSync", within=120)
    yield one
    kubectl("delete", "searchaccesses", "--all", "--all-namespaces", "--timeout=120s")
    kubectl("delete", "searchclusters", "--all", "--timeout=120s")
    kubectl("scale", "deployment", "--all", "--replicas=0", "-n", SYSTEM)


def pods(world: World) -> list[dict[str, Any]]:
    kubectl = world.kubernetes.run_kubectl
    return list(json.loads(kubectl("get", "pods", "-n", SYSTEM, "-o", "json").stdout)["items"])


def test_pods_keep_it_true_also_when_one_is_deleted(world: World) -> None:
    world.apply(access("orders", grant("orders-*")))
    world.until_ready("orders", within=120)
    assert len({pod["spec"]["nodeName"] for pod in pods(world)}) == 2, "they are apart"
    wanted = world.role("orders")["indices"]
    for pod in pods(world):
        world.kubernetes.run_kubectl("delete", "pod", pod["metadata"]["name"], "-n", SYSTEM)
        role = world.role("orders")
        role["indices"][0]["privileges"] = ["all"]
        world.write_role("orders", role)
        eventually(lambda: world.role("orders")["indices"] == wanted, within=60, every=0.5, what="put right")
