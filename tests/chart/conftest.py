"""Helm, promtool, and an API server of their own: other tests make objects of the same names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.helm import NAMESPACE, Helm
from tests.stack.build_go import HELM, HELM_4, KUBE_SCORE, PROMTOOL, ensure_program
from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT


@pytest.fixture(scope="session")
def helm() -> Path:
    return ensure_program(HELM)


@pytest.fixture(scope="session")
def helm4() -> Path:
    return ensure_program(HELM_4)


@pytest.fixture(scope="session")
def promtool() -> Path:
    return ensure_program(PROMTOOL)


@pytest.fixture(scope="session")
def kube_score() -> Path:
    return ensure_program(KUBE_SCORE)


@pytest.fixture(scope="session")
def installed(built_servers: None) -> Iterator[KubernetesServers]:  # noqa: ARG001
    """An API server that knows our kinds."""
    with KubernetesServers() as servers:
        servers.install_kinds(ROOT / "crds")
        for name in (NAMESPACE, "shop", "billing", "elastic"):
            servers.run_kubectl("create", "namespace", name)
        yield servers


@pytest.fixture
def tool(helm: Path, installed: KubernetesServers, tmp_path: Path) -> Helm:
    return Helm(helm, installed, tmp_path)
