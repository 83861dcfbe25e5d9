"""Helm, promtool, and an API server."""

from pathlib import Path

import pytest

from tests.contract.kubernetes_sides import RealObjects
from tests.stack.build_go import HELM, KUBE_SCORE, PROMTOOL, ensure_program
from tests.stack.kubernetes import KubernetesServers


@pytest.fixture(scope="session")
def helm() -> Path:
    return ensure_program(HELM)


@pytest.fixture(scope="session")
def promtool() -> Path:
    return ensure_program(PROMTOOL)


@pytest.fixture(scope="session")
def kube_score() -> Path:
    return ensure_program(KUBE_SCORE)


@pytest.fixture(scope="session")
def installed(kubernetes_servers: KubernetesServers) -> KubernetesServers:
    """An API server that knows our kinds and the operator's ServiceAccount."""
    RealObjects.install(kubernetes_servers)
    return kubernetes_servers
