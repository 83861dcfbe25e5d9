"""Tests of what runs in kind: collected with `--stack=kind` alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters.test_logins import write_login, write_user
from tests.e2e.credentials.keys import ISSUER_ROLE, STORES
from tests.kind.__main__ import INSIDE
from tests.kind.operators import INSTANCE, until_two_run
from tests.stack.stack import Stack
from tests.support.operatorprocess import ROOT
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, SYSTEM, World, access, grant


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    here = collection_path.parent == Path(__file__).parent
    return True if here and config.getoption("--stack") != "kind" else None


@pytest.fixture(scope="package")
def world(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The chart's two pods, at work: the SearchCluster ``prod`` with a store, and the SearchAccess ``orders``."""
    one = World(stack.kubernetes, stack.elasticsearch, tmp_path_factory.mktemp("kind"), instance=INSTANCE)
    one.install()
    kubectl = stack.kubernetes.run_kubectl
    kubectl("scale", "deployment", "--all", "--replicas=2", "-n", SYSTEM)
    until_two_run(one)
    write_user(one, "issuer", ISSUER_ROLE)
    write_login(one, "issuer", username="issuer", password=OPERATOR_PASSWORD)
    kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    login = {"secretRef": {"namespace": SYSTEM, "name": "issuer"}}
    one.apply(one.cluster(urls=[f"https://{INSIDE}:9200"], login=login, secretStores=STORES))
    one.admin.put("/orders-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
    one.until_cluster_reason(CLUSTER, "InSync", within=120)
    one.apply(access("orders", grant("orders-*")))
    one.until_ready("orders", within=120)
    yield one
    kubectl("delete", "searchaccesses", "--all", "--all-namespaces", "--timeout=120s")
    kubectl("delete", "searchclusters", "--all", "--timeout=120s")
    kubectl("scale", "deployment", "--all", "--replicas=0", "-n", SYSTEM)
