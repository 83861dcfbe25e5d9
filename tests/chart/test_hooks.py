"""What Helm runs as pods: the Job that brings the kinds up to date, and the pod of `helm test`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from searchaccess.api.crd import custom_resource_definitions
from tests.chart.helm import NAME, NAMESPACE, Helm, of_kind
from tests.stack.kubernetes import KubernetesServers
from tests.support.waiting import eventually

CRDS = {crd["metadata"]["name"]: crd for crd in custom_resource_definitions().values()}
ACCESSES = "searchaccesses.searchaccess.dev"


@pytest.fixture
def values() -> dict[str, Any]:
    return {"crds": {"upgrade": True}}


@pytest.fixture
def job(values: dict[str, Any], tool: Helm, installed: KubernetesServers, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The Job, with its rights in force, as the command that its container would run."""
    objects = tool.render(values)
    name = f"{NAME}-crds"
    rights = [raw for raw in objects if raw["metadata"]["name"] == name and raw["kind"] != "Job"]
    assert [raw["kind"] for raw in rights] == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"]
    file = tmp_path / "rights.yaml"
    file.write_text(yaml.safe_dump_all(rights))
    installed.run_kubectl("apply", "-f", str(file))
    [found] = of_kind(objects, "Job")
    eventually(lambda: may(installed, found, "patch", f"crd/{ACCESSES}"), what="its rights are in force")
    yield found
    installed.run_kubectl("delete", "--ignore-not-found", "-f", str(file))
    for crd in CRDS.values():
        replace(installed, crd)


def may(servers: KubernetesServers, job: dict[str, Any], verb: str, what: str) -> bool:
    who = f"--as=system:serviceaccount:{NAMESPACE}:{job['spec']['template']['spec']['serviceAccountName']}"
    return servers.may(verb, what, who)


def run(servers: KubernetesServers, job: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    pod = job["spec"]["template"]["spec"]
    kubeconfig = servers.service_account_kubeconfig(NAMESPACE, pod["serviceAccountName"])
    [container] = pod["containers"]
    command = [sys.executable, "-m", "searchaccess.cli.main", *container["args"], f"--kubeconfig={kubeconfig}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def replace(servers: KubernetesServers, crd: dict[str, Any]) -> None:
    command = ("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", "-")
    servers.run_kubectl(*command, input=json.dumps(crd))


def stored(servers: KubernetesServers, name: str) -> dict[str, Any]:
    return dict(json.loads(servers.run_kubectl("get", "crd", name, "-o", "json").stdout)["spec"])


def test_earlier_kinds_are_brought_up_to_date_and_others_left_alone(
    job: dict[str, Any], installed: KubernetesServers
) -> None:
    earlier = json.loads(json.dumps(CRDS[ACCESSES]))
    schema = earlier["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["status"]["properties"]["lastSyncTime"]
    columns = earlier["spec"]["versions"][0]["additionalPrinterColumns"]
    columns[:] = [item for item in columns if "lastSyncTime" not in item["jsonPath"]]
    replace(installed, earlier)
    assert stored(installed, ACCESSES) == earlier["spec"]

    done = run(installed, job)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{ACCESSES}: applied",
        "searchclusters.searchaccess.dev: unchanged",
        "searchaccesspolicies.searchaccess.dev: unchanged",
        "searchaccessapprovals.searchaccess.dev: unchanged",
    ]
    assert stored(installed, ACCESSES) == CRDS[ACCESSES]["spec"]
    again = run(installed, job)
    assert [line.split(": ")[1] for line in again.stdout.splitlines()] == ["unchanged"] * 4


def test_kinds_of_a_newer_version_are_kept(job: dict[str, Any], installed: KubernetesServers) -> None:
    newer = json.loads(json.dumps(CRDS[ACCESSES]))
    spec = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["later"] = {"type": "string"}
    replace(installed, newer)
    done = run(installed, job)
    assert done.returncode == 0, done.stderr
    assert f"{ACCESSES}: kept" in done.stdout
    assert "v1alpha1.spec.later" in done.stdout
    assert stored(installed, ACCESSES) == newer["spec"]


def test_it_may_do_nothing_else(job: dict[str, Any], installed: KubernetesServers) -> None:
    assert may(installed, job, "patch", f"crd/{ACCESSES}")
    for verb, what in (
        ("delete", f"crd/{ACCESSES}"),
        ("create", "crd"),
        ("patch", "crd/others.example.com"),
        ("list", "searchaccesses.searchaccess.dev"),
        ("get", "secrets"),
    ):
        assert not may(installed, job, verb, what), (verb, what)
    installed.run_kubectl("delete", "clusterrolebinding", f"{NAME}-crds")
    eventually(lambda: not may(installed, job, "patch", f"crd/{ACCESSES}"), what="its rights are gone")
    refused = run(installed, job)
    assert refused.returncode == 1
    assert "403" in refused.stderr


@pytest.mark.parametrize("values", [{"crds": {"install": False, "upgrade": True}}])
def test_where_helm_does_not_install_the_kinds_it_does(job: dict[str, Any], installed: KubernetesServers) -> None:
    installed.run_kubectl("delete", "--wait", "crd", *CRDS)
    done = run(installed, job)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == [f"{name}: applied" for name in sorted(CRDS)]
    assert stored(installed, ACCESSES) == CRDS[ACCESSES]["spec"]


class _Answers(BaseHTTPRequestHandler):
    """Not ready at first, then ready."""

    asked: list[str] = []  # noqa: RUF012 - of the test that serves it

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if len(self.asked) > 1 else 503)
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def _test_pod(tool: Helm) -> tuple[dict[str, Any], str]:
    [pod] = of_kind(tool.render({}), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    [container] = pod["spec"]["containers"]
    assert container["command"] == ["python3", "-c"]
    [code] = container["args"]
    return pod, code


def test_helm_test_waits_until_the_operator_is_ready(tool: Helm) -> None:
    _, code = _test_pod(tool)
    address = f"{NAME}-metrics.{NAMESPACE}:8080"
    assert address in code
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    _Answers.asked = []
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        own = code.replace(address, f"127.0.0.1:{server.server_port}").replace("time.sleep(2)", "time.sleep(0)")
        done = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=False)
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr
    assert "ready: ok" in done.stdout
    assert _Answers.asked == ["/readyz", "/readyz"]
    refused = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"kubectl logs -n {NAMESPACE} deployment/{NAME}" in refused.stderr


def test_helm_test_passes_the_network_policy_and_needs_the_service(tool: Helm) -> None:
    pod, _ = _test_pod(tool)
    monitoring = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
    values = {"networkPolicy": {"enabled": True, "metricsFrom": [monitoring]}}
    [policy] = of_kind(tool.render(values), "NetworkPolicy")
    first, second = policy["spec"]["ingress"][0]["from"]
    assert first == monitoring
    assert second["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert of_kind(tool.render({"metrics": {"service": False}}), "Pod") == []
