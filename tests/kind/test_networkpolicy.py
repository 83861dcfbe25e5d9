"""The chart's NetworkPolicy, with something that enforces it: what it stops, and what the operator needs.

`values.yaml` turns it on, so all tests of the pods run under it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kind.__main__ import INSIDE
from tests.kind.operators import IMAGE, helm, listed, pods, until_two_run
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM, World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

OUTSIDER = "outsider"
PORT = 8099
OPERATORS_PORT = 8080
ANSWER = f"import http.server as s; s.HTTPServer(('', {PORT}), s.BaseHTTPRequestHandler).serve_forever()"
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
    print("connected")
except TimeoutError:
    print("dropped")
"""
READS_METRICS = "app.kubernetes.io/name"
"""The label that `values.yaml` names."""


@pytest.fixture(scope="module")
def outsider(world: World) -> Iterator[str]:
    """A pod that is no part of the release, and answers on a port of its own; yield its address."""
    until_two_run(world)
    kubectl = world.kubernetes.run_kubectl
    kubectl("run", OUTSIDER, "-n", "shop", f"--image={IMAGE}", "--command", "--", "python3", "-c", ANSWER)
    kubectl("wait", "--for=condition=Ready", f"pod/{OUTSIDER}", "-n", "shop", "--timeout=120s")
    [pod] = listed(world, "pods", "-n", "shop", f"--field-selector=metadata.name={OUTSIDER}")
    yield str(pod["status"]["podIP"])
    kubectl("delete", "pod", OUTSIDER, "-n", "shop", "--grace-period=0", "--force")


def until_it(world: World, result: str, pod: str, namespace: str, address: str, port: int) -> None:
    """Wait until a connection from a pod is ``connected`` or ``dropped``."""
    attempt = ("exec", pod, "-n", namespace, "--", "python3", "-c", CONNECT, address, str(port))
    advice = "does anything enforce NetworkPolicies here? kind's own network does since kind 0.24"
    eventually(
        lambda: world.kubernetes.run_kubectl(*attempt, check=False).stdout.strip() == result,
        within=60,
        every=0.2,
        what=f"{pod} to {address}:{port} is not {result}; {advice}",
    )


@contextmanager
def without_policy(world: World) -> Iterator[None]:
    """Delete the policy for a while."""
    [policy] = listed(world, "networkpolicies", "-n", SYSTEM)
    kept = {key: policy["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    world.kubernetes.run_kubectl("delete", "networkpolicy", kept["name"], "-n", SYSTEM)
    try:
        yield
    finally:
        world.kubernetes.run_kubectl("create", "-f", "-", input=json.dumps(policy | {"metadata": kept}))


@pytest.mark.usefixtures("outsider")
def test_its_port_answers_those_that_the_policy_names_and_nobody_else(world: World) -> None:
    kubectl = world.kubernetes.run_kubectl
    addresses = [pod["status"]["podIP"] for pod in pods(world)]

    def until_outsider_is(result: str) -> None:
        for address in addresses:
            until_it(world, result, OUTSIDER, "shop", address, OPERATORS_PORT)

    until_outsider_is("dropped")
    kubectl("label", "pod", OUTSIDER, "-n", "shop", f"{READS_METRICS}=prometheus")
    until_outsider_is("connected")
    kubectl("label", "pod", OUTSIDER, "-n", "shop", f"{READS_METRICS}-")
    until_outsider_is("dropped")
    with without_policy(world):
        until_outsider_is("connected")
    until_outsider_is("dropped")
    assert "Phase:          Succeeded" in helm("test", "searchaccess", "-n", SYSTEM, "--timeout=120s")


def test_a_pod_reaches_what_it_needs_and_nothing_else(world: World, outsider: str) -> None:
    names = [pod["metadata"]["name"] for pod in pods(world)]
    for name in names:  # Each is on a node of its own.
        until_it(world, "dropped", name, SYSTEM, outsider, PORT)
        until_it(world, "connected", name, SYSTEM, INSIDE, 9200)
        until_it(world, "connected", name, SYSTEM, "kubernetes.default.svc", 443)
    with without_policy(world):
        for name in names:
            until_it(world, "connected", name, SYSTEM, outsider, PORT)
    for name in names:
        until_it(world, "dropped", name, SYSTEM, outsider, PORT)
