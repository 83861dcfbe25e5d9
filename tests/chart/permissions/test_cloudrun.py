"""The Google account of the Cloud Run job has the operator's rights in the cluster, and no others."""

import pytest
import yaml

from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM

FILES = (ROOT / "deploy" / "operator.yaml", ROOT / "deploy" / "cloudrun" / "rbac.yaml")
ACCOUNT = yaml.safe_load(FILES[1].read_text().split("---")[0])["subjects"][0]["name"]


@pytest.fixture(scope="module")
def bound(kubernetes_servers: KubernetesServers) -> KubernetesServers:
    """Not on the chart's API server: Helm makes objects of the same names there."""
    kubernetes_servers.install_kinds(ROOT / "crds")
    for file in FILES:
        kubernetes_servers.run_kubectl("apply", "-f", str(file))
    return kubernetes_servers


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "allowed"),
    [
        ("list", "searchaccesses.searchaccess.dev", "", True),
        ("watch", "searchaccesspolicies.searchaccess.dev", "", True),
        ("list", "searchaccessapprovals.searchaccess.dev", "", True),
        ("patch", "searchclusters.searchaccess.dev/status", "", True),
        ("create", "events", "shop", True),
        ("get", "secrets", SYSTEM, True),
        ("update", "leases.coordination.k8s.io", SYSTEM, True),
        ("get", "secrets", "shop", False),
        ("delete", "searchaccesses.searchaccess.dev", "", False),
        ("list", "secrets", SYSTEM, False),
    ],
)
def test_what_it_may(bound: KubernetesServers, verb: str, resource: str, namespace: str, *, allowed: bool) -> None:
    where = ("-n", namespace) if namespace else ("--all-namespaces",)

    def may() -> bool:
        return bound.may(verb, resource, *where, f"--as={ACCOUNT}")

    if allowed:  # The API server knows it a moment after it was given.
        eventually(may, what="it has the right")
    else:
        assert not may()
