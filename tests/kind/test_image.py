"""The image and its pods do with as little as they can have."""

import subprocess

import pytest

from tests.kind.operators import IMAGE, deployment, listed, pods, until_two_run
from tests.stack.build import require_tool
from tests.support.worlds.world import SYSTEM, World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DOCKER = require_tool("docker", "runs the image")
NOTHING = (
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp:size=16m",
)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]], ids=" ".join)
def test_it_runs_without_network_capabilities_or_a_place_to_write(arguments: list[str]) -> None:
    done = subprocess.run(
        [DOCKER, "run", "--rm", *NOTHING, IMAGE, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout


def test_pods_run_where_the_strictest_pod_security_is_enforced(world: World) -> None:
    kubectl = world.kubernetes.run_kubectl
    [namespace] = listed(world, "namespaces", f"--field-selector=metadata.name={SYSTEM}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    asked = ("run", "root", f"--image={IMAGE}", "-n", SYSTEM, "--dry-run=server")
    refused = kubectl(*asked, check=False)
    assert "violates PodSecurity" in refused.stderr, "it is enforced"
    kubectl("rollout", "status", deployment(world), "-n", SYSTEM, "--timeout=180s")
    until_two_run(world)
    assert all(pod["metadata"]["namespace"] == SYSTEM for pod in pods(world))
