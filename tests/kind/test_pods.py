"""The chart's own pods do the work, and go on when one of them is taken away."""

import pytest

from tests.kind.operators import (
    delete_many,
    deployment,
    expect_written_once,
    kill,
    new_accesses,
    owner,
    pods,
    restarts,
    tamper,
    until_all_served,
    until_corrected,
    until_two_run,
)
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM, World, access, grant

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_pods_keep_it_true_also_when_one_is_deleted(world: World) -> None:
    for pod in pods(world):
        world.kubernetes.run_kubectl("delete", "pod", pod["metadata"]["name"], "-n", SYSTEM)
        tamper(world)
        until_corrected(world)
    until_two_run(world)


def test_a_killed_owner_is_followed_by_the_other(world: World) -> None:
    until_two_run(world)
    name = eventually(lambda: owner(world), within=60, every=0.5, what="somebody owns the SearchCluster")
    [pod] = [pod for pod in pods(world) if pod["metadata"]["name"] == name]
    kill(pod)
    names = new_accesses(world, "killed")
    tamper(world)
    until_corrected(world)
    until_all_served(world, names)
    expect_written_once(world, names)
    eventually(lambda: owner(world) not in {"", name} or _restarted(world, name) > restarts(pod), within=60, every=0.5)
    until_two_run(world)
    assert _restarted(world, name) == restarts(pod) + 1, "it ended, and came back"
    delete_many(world, names)


def _restarted(world: World, name: str) -> int:
    return next(restarts(pod) for pod in pods(world) if pod["metadata"]["name"] == name)


def test_a_rollout_interrupts_nothing(world: World) -> None:
    before = {pod["metadata"]["name"] for pod in pods(world)}
    world.kubernetes.run_kubectl("rollout", "restart", deployment(world), "-n", SYSTEM)
    names = new_accesses(world, "rolling")
    for number in range(3):  # Beside it.
        world.apply(access(f"one-of-{number}", grant(f"one-of-{number}-*")))
        world.until_ready(f"one-of-{number}", within=120)
        tamper(world)
        until_corrected(world)
    until_all_served(world, names)
    expect_written_once(world, names)
    until_two_run(world)
    assert not before & {pod["metadata"]["name"] for pod in pods(world)}
    delete_many(world, [*names, *(f"one-of-{number}" for number in range(3))])
