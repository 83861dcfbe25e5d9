"""What is there after each step of Helm, of either major version."""

import base64
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from searchaccess.adapters.x509 import issue
from tests.chart.helm import CHART, NAME, NAMESPACE, RELEASE, Helm
from tests.chart.test_chart import SPEC
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import access, grant

CRDS = (
    "searchaccesses.searchaccess.dev",
    "searchaccessapprovals.searchaccess.dev",
    "searchaccesspolicies.searchaccess.dev",
    "searchclusters.searchaccess.dev",
)
VERSIONS = ["helm", "helm4"]
PAIR = issue(("a.example",), datetime.now(UTC), 3600, 60)
BUNDLE = base64.b64encode(f"{PAIR.authority}\n".encode()).decode()


@pytest.fixture(params=VERSIONS)
def each(request: pytest.FixtureRequest, installed: KubernetesServers, tmp_path: Path) -> Iterator[Helm]:
    """Helm, and nothing of it left behind."""
    tool = Helm(request.getfixturevalue(request.param), installed, tmp_path)
    yield tool
    tool.run("uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found")
    for kind, name in (("searchaccess", "kept"), ("searchcluster", "chart-prod")):
        options = ("-n", "shop") if kind == "searchaccess" else ()
        installed.run_kubectl("delete", kind, name, *options, "--ignore-not-found")


def _try_to_delete(kubernetes: KubernetesServers, crd: str) -> str:
    done = kubernetes.run_kubectl("delete", "crd", crd, "--dry-run=server", check=False)
    return done.stdout + done.stderr


def test_install_upgrade_rollback_and_uninstall(each: Helm, installed: KubernetesServers) -> None:
    def replicas() -> str:
        options = ("-n", NAMESPACE, "-o", "jsonpath={.spec.replicas}")
        return installed.run_kubectl("get", "deployment", NAME, *options).stdout

    values = {"clusters": [{"name": "chart-prod", "spec": SPEC}]}
    notes = each.run("install", RELEASE, str(CHART), "-n", NAMESPACE, values=values)
    assert "Uninstalling revokes no access" in notes
    assert replicas() == "2"
    # Policies take effect a moment after they were made.
    eventually(
        lambda: "this would delete all SearchAccesses" in _try_to_delete(installed, CRDS[0]),
        within=60,
        what="protection",
    )
    allowed = "searchaccess.dev/allow-deletion"
    installed.run_kubectl("annotate", "crd", CRDS[0], f"{allowed}=true")
    assert "(server dry run)" in _try_to_delete(installed, CRDS[0])
    installed.run_kubectl("annotate", "crd", CRDS[0], f"{allowed}-")
    declared = access("kept", grant("orders-*"), cluster="chart-prod")
    installed.run_kubectl("apply", "-f", "-", input=json.dumps(declared))
    each.run("upgrade", RELEASE, str(CHART), "-n", NAMESPACE, values=values | {"replicaCount": 3})
    assert replicas() == "3"
    each.run("rollback", RELEASE, "1", "-n", NAMESPACE)
    assert replicas() == "2"
    shown = each.run("uninstall", RELEASE, "-n", NAMESPACE)
    assert "[SearchCluster] chart-prod" in shown, "it says what it keeps"
    for kind, options in (("searchaccess", ("-n", "shop")), ("searchcluster", ())):
        name = "kept" if kind == "searchaccess" else "chart-prod"
        raw = json.loads(installed.run_kubectl("get", kind, name, *options, "-o", "json").stdout)
        assert "deletionTimestamp" not in raw["metadata"]
    assert installed.run_kubectl("get", "crd", CRDS[0]).stdout


def test_what_the_operator_writes_of_the_webhook_stays_with_an_upgrade(
    each: Helm, installed: KubernetesServers
) -> None:
    webhook = f"{NAME}-admission"
    written = {
        ("validatingwebhookconfiguration", webhook): ("/webhooks/0/clientConfig/caBundle", BUNDLE),
        ("secret", webhook, "-n", NAMESPACE): ("/data", {"tls.key": "eA=="}),
    }
    values = {"admission": {"enabled": True}}
    each.run("install", RELEASE, str(CHART), "-n", NAMESPACE, values=values)
    for place, (path, value) in written.items():
        patch = json.dumps([{"op": "add", "path": path, "value": value}])
        # As the operator: its field manager is another than Helm's.
        installed.run_kubectl("patch", *place, "--type=json", "--field-manager=searchaccess", "-p", patch)
    changed = {"admission": {"enabled": True, "failurePolicy": "Fail"}}
    each.run("upgrade", RELEASE, str(CHART), "-n", NAMESPACE, values=changed)
    registration, secret = (json.loads(installed.run_kubectl("get", *place, "-o", "json").stdout) for place in written)
    assert registration["webhooks"][0]["failurePolicy"] == "Fail"
    assert registration["webhooks"][0]["clientConfig"]["caBundle"] == BUNDLE
    assert secret["data"] == {"tls.key": "eA=="}


def kinds(kubernetes: KubernetesServers) -> dict[str, dict[str, Any]]:
    items = json.loads(kubernetes.run_kubectl("get", "crd", "-o", "json").stdout)["items"]
    return {item["metadata"]["name"]: item for item in items}


def _delete_kinds(kubernetes: KubernetesServers) -> None:
    def gone() -> bool:
        # The policy that refuses it goes with the release, a moment later.
        kubernetes.run_kubectl("delete", "crd", *CRDS, "--ignore-not-found", check=False)
        return not kinds(kubernetes)

    eventually(gone, within=60, what="the kinds are gone")


def test_the_kinds_are_installed_unless_a_value_says_no_and_others_may_apply_them(
    each: Helm, installed: KubernetesServers
) -> None:
    _delete_kinds(installed)
    try:
        each.run("install", RELEASE, str(CHART), "-n", NAMESPACE, values={"crds": {"install": False}})
        assert kinds(installed) == {}
        each.run("uninstall", RELEASE, "-n", NAMESPACE)
        each.run("install", RELEASE, str(CHART), "-n", NAMESPACE, values={})
        assert set(kinds(installed)) == set(CRDS)
        before = {name: raw["metadata"]["generation"] for name, raw in kinds(installed).items()}
        # As docs/install.md has it, without --force-conflicts; then Helm again.
        installed.run_kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        each.run("upgrade", RELEASE, str(CHART), "-n", NAMESPACE, values={})
        assert {name: raw["metadata"]["generation"] for name, raw in kinds(installed).items()} == before
        each.run("uninstall", RELEASE, "-n", NAMESPACE)
        assert set(kinds(installed)) == set(CRDS)
    finally:
        installed.install_kinds(ROOT / "crds")


def test_a_package_has_the_kinds(tool: Helm, tmp_path: Path) -> None:
    packed = tool.run("package", str(CHART), "-d", str(tmp_path))
    [file] = tmp_path.glob("*.tgz")
    assert file.name in packed
    with tarfile.open(file) as content:
        assert "searchaccess-operator/charts/crds/crds/searchaccesses.yaml" in content.getnames()
