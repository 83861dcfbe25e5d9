"""The finalizer policy on a real API server (docs/adr/0012)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import access, grant, json_list

POLICY = str(ROOT / "deploy" / "finalizer-policy.yaml")


@pytest.fixture
def policy(kubernetes_servers: KubernetesServers) -> Iterator[KubernetesServers]:
    kubectl = kubernetes_servers.run_kubectl
    kubernetes_servers.install_kinds(ROOT / "crds")
    kubectl("apply", "-f", POLICY)
    eventually(lambda: FINALIZER in finalizers_of(dry_run(kubernetes_servers)), within=60, every=0.5)
    yield kubernetes_servers
    kubectl("delete", "-f", POLICY)
    eventually(lambda: FINALIZER not in finalizers_of(dry_run(kubernetes_servers)), within=60, every=0.5)


def dry_run(servers: KubernetesServers, *finalizers: str, verb: str = "create") -> dict[str, Any]:
    """Return a new SearchAccess as the API server would store it."""
    body = access("policy", grant("orders-*"), namespace="default")
    body["metadata"]["finalizers"] = list(finalizers)
    done = servers.run_kubectl(verb, "-f", "-", "--dry-run=server", "-o", "json", input=json_list([body]))
    return dict(json.loads(done.stdout))


def finalizers_of(found: dict[str, Any]) -> list[str]:
    return list(found["metadata"].get("finalizers", []))


def test_a_new_object_has_our_finalizer_from_the_start(policy: KubernetesServers) -> None:
    assert finalizers_of(dry_run(policy)) == [FINALIZER]


def test_finalizers_of_others_stay(policy: KubernetesServers) -> None:
    assert set(finalizers_of(dry_run(policy, "other.example/one"))) == {"other.example/one", FINALIZER}


def test_our_own_finalizer_is_not_put_in_twice(policy: KubernetesServers) -> None:
    assert finalizers_of(dry_run(policy, FINALIZER)) == [FINALIZER]
