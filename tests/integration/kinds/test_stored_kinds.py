"""The CRDs are written exactly as the API server stores them, so that whoever applies them next finds no difference."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.api.crd import custom_resource_definitions
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.worlds.world import access, grant

FOLDER = ROOT / "crds"
CRDS = custom_resource_definitions()


@pytest.fixture(scope="module")
def servers(kubernetes_servers: KubernetesServers) -> KubernetesServers:
    kubernetes_servers.install_kinds(FOLDER)
    return kubernetes_servers


def stored(servers: KubernetesServers, plural: str) -> dict[str, Any]:
    name = CRDS[plural]["metadata"]["name"]
    return dict(json.loads(servers.run_kubectl("get", "crd", name, "-o", "json").stdout))


@pytest.mark.parametrize("plural", CRDS)
def test_what_is_stored_is_what_is_generated(servers: KubernetesServers, plural: str) -> None:
    assert stored(servers, plural)["spec"] == CRDS[plural]["spec"]


@pytest.mark.parametrize("plural", CRDS)
def test_a_second_manager_applies_the_same_without_a_conflict(
    servers: KubernetesServers, plural: str, tmp_path: Path
) -> None:
    """As after `helm install`, in Argo CD, or with Helm 4, each of which is a manager of its own."""
    before = stored(servers, plural)["metadata"]["generation"]
    file = tmp_path / "crd.yaml"
    file.write_text(yaml.safe_dump(CRDS[plural]))
    for manager in ("helm", "argocd-controller", "helm"):
        servers.run_kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", str(file))
    assert stored(servers, plural)["metadata"]["generation"] == before
    shown = servers.run_kubectl("diff", "--server-side", "-f", str(file))
    assert shown.stdout == ""


def test_objects_are_selected_by_their_cluster_and_by_why_they_are_not_ready(servers: KubernetesServers) -> None:
    kubectl = servers.run_kubectl
    kubectl("create", "namespace", "selected")
    for name, cluster, reason in (("a", "prod", "InSync"), ("b", "prod", "RealmMismatch"), ("c", "test", "InSync")):
        raw = access(name, grant("orders-*"), namespace="selected", cluster=cluster)
        kubectl("apply", "-f", "-", input=json.dumps(raw))
        status = json.dumps({"status": {"reason": reason}})
        where = ("-n", "selected", "--subresource=status", "--type=merge", "-p", status)
        kubectl("patch", "searchaccess", name, *where)

    def found(selector: str) -> list[str]:
        shown = kubectl("get", "searchaccesses", "-n", "selected", f"--field-selector={selector}", "-o", "name").stdout
        return [line.partition("/")[2] for line in shown.splitlines()]

    assert found("spec.cluster=prod") == ["a", "b"]
    assert found("spec.cluster=prod,status.reason!=InSync") == ["b"]
    kubectl("get", "searchclusters", "--field-selector=status.reason=InSync")
    kubectl("delete", "namespace", "selected", "--wait=false")
