"""The chart's pods and the cluster's nodes: apart, and no obstacle to a drain."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kind.operators import (
    SELECTOR,
    delete_many,
    deployment,
    expect_written_once,
    new_accesses,
    nodes_of,
    pods,
    restart,
    restarts,
    tamper,
    until_all_served,
    until_corrected,
    until_two_run,
    workers,
)
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM, World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ZONE = "topology.kubernetes.io/zone"
BAD_ARGUMENT = '[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--no-such-option"}]'


@pytest.fixture(autouse=True)
def _open_again(world: World) -> Iterator[None]:
    """Pods may run on both nodes again, and have no zones."""
    yield
    for node in workers(world):
        world.kubernetes.run_kubectl("uncordon", node)
        world.kubernetes.run_kubectl("label", "node", node, f"{ZONE}-")


def drain(world: World, node: str) -> None:
    """Drain a node of the operator's pods alone: Elasticsearch has its data in its pod."""
    options = ("--ignore-daemonsets", "--delete-emptydir-data", f"--pod-selector={SELECTOR}", "--timeout=120s")
    world.kubernetes.run_kubectl("drain", node, *options)


def test_a_drained_node_takes_nothing_away(world: World) -> None:
    until_two_run(world)
    names: list[str] = []
    for node in workers(world):
        with ThreadPoolExecutor() as pool:
            drained = pool.submit(drain, world, node)
            names += new_accesses(world, f"drained-{len(names)}")
            drained.result()
        tamper(world)
        until_corrected(world)
        until_two_run(world)
        assert node not in nodes_of(world)
        world.kubernetes.run_kubectl("uncordon", node)
    until_all_served(world, names)
    expect_written_once(world, names)
    delete_many(world, names)


@pytest.mark.parametrize("zones", [(), ("a", "b")], ids=["no node has a zone", "each node has a zone of its own"])
def test_pods_are_apart_also_after_a_rollout(world: World, zones: tuple[str, ...]) -> None:
    for node, zone in zip(workers(world), zones, strict=False):
        world.kubernetes.run_kubectl("label", "node", node, f"{ZONE}={zone}")
    for _ in range(2):
        restart(world)
        assert nodes_of(world) == sorted(workers(world))


def test_an_operator_that_does_not_start_blocks_no_drain(world: World) -> None:
    kubectl, name = world.kubernetes.run_kubectl, deployment(world)
    kubectl("scale", name, "--replicas=0", "-n", SYSTEM)
    kubectl("patch", name, "-n", SYSTEM, "--type=json", "-p", BAD_ARGUMENT)
    kubectl("scale", name, "--replicas=2", "-n", SYSTEM)
    try:
        eventually(
            lambda: len(found := pods(world)) == 2 and all(_has_crashed(pod) for pod in found), within=120, every=0.5
        )
        drain(world, nodes_of(world)[0])
    finally:
        kubectl("rollout", "undo", name, "-n", SYSTEM)
    for node in workers(world):
        kubectl("uncordon", node)
    until_two_run(world)


def _has_crashed(pod: dict[str, object]) -> bool:
    status = pod["status"]
    return bool(isinstance(status, dict) and status.get("containerStatuses")) and restarts(pod) > 0
