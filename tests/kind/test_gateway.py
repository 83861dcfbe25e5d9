"""The chart's gateway, as the operator configures it: callers, conditions, logins, rollouts, drains, network."""

import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kind.__main__ import INSIDE, NAMESPACE
from tests.kind.gateway import (
    CALLERS,
    GATEWAYS,
    HOST,
    NAME,
    SELECTOR,
    Gateway,
    Load,
    call,
    calling,
    configured_gateway,
)
from tests.kind.operators import IMAGE, helm, listed, pods, until_two_run, workers
from tests.kind.test_networkpolicy import until_it
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import AS_OPERATOR, CLUSTER, SYSTEM, World, access, account, grant

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

STRANGER = "stranger"
CERTIFICATE = """
import ssl, sys
print(ssl.get_server_certificate((sys.argv[1], 8443)))
"""
EXAMPLE = ROOT / "examples" / "gateway" / "elasticsearch-networkpolicy.yaml"


@pytest.fixture(scope="module")
def gateway(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with configured_gateway(world, tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture(scope="module")
def load(gateway: Gateway) -> Iterator[Load]:
    with calling(gateway.world) as found:
        yield found


@pytest.fixture(scope="module")
def stranger(gateway: Gateway) -> Iterator[str]:
    """A pod that is none of ours."""
    kubectl = gateway.world.kubernetes.run_kubectl
    command = ("--command", "--", "python3", "-c", "import time; time.sleep(3600)")
    kubectl("run", STRANGER, "-n", CALLERS, f"--image={IMAGE}", *command)
    kubectl("wait", "--for=condition=Ready", f"pod/{STRANGER}", "-n", CALLERS, "--timeout=120s")
    yield STRANGER
    kubectl("delete", "pod", STRANGER, "-n", CALLERS, "--grace-period=0", "--force")


def test_in_its_namespace_the_operator_may_do_that_and_no_more(gateway: Gateway) -> None:
    def may(*what: str) -> bool:
        return gateway.world.kubernetes.may(*what, "-n", GATEWAYS, AS_OPERATOR)

    for what in (f"configmap/{NAME}-config", f"secret/{NAME}-login"):
        assert [verb for verb in ("get", "patch", "delete") if not may(verb, what)] == [], what
    assert may("list", "pods")
    assert may("patch", "pods", "--subresource=status")
    for verb in ("get", "patch", "delete"):
        assert not may(verb, f"secret/{NAME}-tls"), verb
    for other in (("list", "secrets"), ("watch", "secrets"), ("delete", "pods"), ("patch", "pods")):
        assert not may(*other), other
    assert not may("patch", f"deployment/{NAME}")


def test_a_searchaccess_and_a_token_are_all_that_a_caller_needs(gateway: Gateway, stranger: str) -> None:
    world = gateway.world
    token = world.elasticsearch.issuer.mint(account("guest"))
    search = f"https://{HOST}/orders-1/_search"
    status, body = call(world, stranger, search, token)
    assert (status, "security_exception" in body) == (403, True), "Elasticsearch knows no such user"
    world.apply(access("guest", grant("orders-*")))
    world.until_ready("guest")
    status, body = call(world, stranger, search, token)
    assert (status, [hit["_source"] for hit in json.loads(body)["hits"]["hits"]]) == (200, [{"total": 12}])
    assert call(world, stranger, f"https://{HOST}/other/_search", token)[0] == 403
    other = world.elasticsearch.issuer.mint(account("guest"), audience="https://other.example.com")
    assert call(world, stranger, search, other)[0] in {401, 403}
    # The realm's role mapping stays until the pods have loaded the configuration (docs/adr/0068).
    eventually(
        lambda: call(world, stranger, f"https://{INSIDE}:9200/orders-1/_search", token)[0] == 403,
        within=240,
        every=1,
        what="without the gateway nobody is served",
    )
    world.delete("guest")
    assert call(world, stranger, search, token)[0] == 403


def test_a_new_login_fails_no_request(gateway: Gateway, load: Load) -> None:
    world = gateway.world

    def user() -> str:
        return str(world.get_cluster()["status"]["gateway"]["loginUser"])

    before = user()
    world.kubernetes.run_kubectl("annotate", "searchcluster", CLUSTER, "searchaccess.dev/rotate-requested-at=now")
    eventually(lambda: user() != before, within=60, every=0.2, what="the login is replaced")
    gateway.look_now("login")

    def has_arrived() -> bool:
        return before not in {gateway.login_in(pod) for pod in gateway.pods()}

    eventually(has_arrived, within=240, every=1, what="every pod has the new login")
    load.until_more_are_answered()
    # The operator does this after five minutes. A pod that still uses it would be refused now.
    world.admin.delete(f"/_security/user/{before}").raise_for_status()
    load.until_more_are_answered()
    assert load.seen()["failed"] == []
    world.until_event(CLUSTER, "GatewayLoginRotated", before, namespace="default")
    gateway.until("RunAsEnabled", "True", "RunAsEnabled")


def test_pods_run_where_the_strictest_pod_security_is_enforced(gateway: Gateway, load: Load) -> None:
    [namespace] = listed(gateway.world, "namespaces", f"--field-selector=metadata.name={GATEWAYS}")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    found = gateway.pods()
    assert sorted(pod["spec"]["nodeName"] for pod in found) == sorted(workers(gateway.world))
    assert {status["restartCount"] for pod in found for status in pod["status"]["containerStatuses"]} == {0}
    load.until_more_are_answered()


def test_the_operator_sees_that_pods_have_what_it_wrote(gateway: Gateway) -> None:
    status = gateway.until("GatewayInSync", "True", "GatewayInSync", loaded=2)["gateway"]
    assert (status["places"], status["pods"]) == ([f"{GATEWAYS}/{NAME}"], 2)
    assert {gateway.login_in(pod) for pod in gateway.pods()} == {status["loginUser"]}
    gateway.until("RunAsEnabled", "True", "RunAsEnabled")
    # Here the operator has no Google identity with which to try a good token.
    gateway.until("GatewayVerified", "Unknown", "GatewayPartlyVerified")


def test_a_rollout_fails_no_request(gateway: Gateway, load: Load) -> None:
    before = {pod["metadata"]["name"] for pod in gateway.pods()}
    gateway.world.kubernetes.run_kubectl("rollout", "restart", f"deployment/{NAME}", "-n", GATEWAYS)
    gateway.until_two_are_ready()
    assert not before & {pod["metadata"]["name"] for pod in gateway.pods()}
    load.until_more_are_answered()
    assert load.seen()["failed"] == []


def test_a_drained_node_fails_no_request(gateway: Gateway, load: Load) -> None:
    kubectl = gateway.world.kubernetes.run_kubectl
    for node in workers(gateway.world):
        options = ("--ignore-daemonsets", "--delete-emptydir-data", f"--pod-selector={SELECTOR}", "--timeout=180s")
        kubectl("drain", node, *options)
        gateway.until_two_are_ready()
        assert node not in {pod["spec"]["nodeName"] for pod in gateway.pods()}
        kubectl("uncordon", node)
    load.until_more_are_answered()
    assert load.seen()["failed"] == []


def test_a_new_certificate_is_taken_up_without_a_restart(gateway: Gateway, load: Load, stranger: str) -> None:
    names = {pod["metadata"]["name"] for pod in gateway.pods()}
    second = gateway.certificates[1]
    gateway.use(second)
    gateway.look_now("certificate")
    wanted = ssl.PEM_cert_to_DER_cert(second.certificate_file.read_text())
    asked = ("exec", stranger, "-n", CALLERS, "--", "python3", "-c", CERTIFICATE)

    def served() -> bool:
        addresses = [pod["status"]["podIP"] for pod in gateway.pods()]
        return all(_der(gateway, *asked, address) == wanted for address in addresses)

    eventually(served, within=240, every=2, what="the new certificate is served by every pod")
    assert names == {pod["metadata"]["name"] for pod in gateway.pods()}
    assert load.seen()["failed"] == []


def _der(gateway: Gateway, *command: str) -> bytes:
    done = gateway.world.kubernetes.run_kubectl(*command, check=False)
    return ssl.PEM_cert_to_DER_cert(done.stdout.strip()) if done.returncode == 0 else b""


def test_helm_finds_that_it_refuses_who_has_no_token(gateway: Gateway) -> None:
    until_two_run(gateway.world)
    shown = helm("test", "searchaccess", "-n", SYSTEM, "--timeout=120s")
    assert shown.count("Phase:          Succeeded") == 2


def test_only_the_operator_reads_what_pods_have_loaded(gateway: Gateway, stranger: str) -> None:
    world = gateway.world
    until_two_run(world)
    for pod in gateway.pods():
        address = pod["status"]["podIP"]
        until_it(world, "connected", stranger, CALLERS, address, 8443)
        until_it(world, "dropped", stranger, CALLERS, address, 9902)
        for operator in pods(world):
            until_it(world, "connected", operator["metadata"]["name"], SYSTEM, address, 9902)
            until_it(world, "connected", operator["metadata"]["name"], SYSTEM, address, 8443)


def test_with_the_example_elasticsearch_takes_connections_from_gateway_and_operator_alone(
    gateway: Gateway, load: Load, stranger: str
) -> None:
    world = gateway.world
    [operator, *_] = pods(world)
    until_it(world, "connected", stranger, CALLERS, INSIDE, 9200)
    policy: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    policy["metadata"]["namespace"] = NAMESPACE
    policy["spec"]["podSelector"] = {"matchLabels": {"app": "elasticsearch"}}
    [gateways, *_] = policy["spec"]["ingress"][0]["from"]
    gateways["namespaceSelector"]["matchLabels"] = {"kubernetes.io/metadata.name": GATEWAYS}
    world.kubernetes.run_kubectl("apply", "-f", "-", input=json.dumps(policy))
    try:
        until_it(world, "dropped", stranger, CALLERS, INSIDE, 9200)
        until_it(world, "connected", operator["metadata"]["name"], SYSTEM, INSIDE, 9200)
        until_it(world, "connected", stranger, CALLERS, HOST, 443)
        load.until_more_are_answered()
    finally:
        world.kubernetes.run_kubectl("delete", "networkpolicy", policy["metadata"]["name"], "-n", NAMESPACE)
    assert load.seen()["failed"] == []
