"""What a start loads: what is not needed yet, or not by all, must wait until it is."""

import subprocess
import sys

import pytest

HEAVY = (
    "cryptography",
    "elasticsearch",
    "google.auth",
    "google.cloud",
    "grpc",
    "kopf",
    "kubernetes.client",
    "kubernetes.config",
    "markdown_it",
    "oauthlib",
    "opentelemetry",
    "requests",
    "websocket",
)
AT_MOST = 970
"""Modules, the standard library's included; a start loads 954."""


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    code = (
        "import atexit, sys\n"
        "from searchaccess.cli.main import main\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "sys.argv[1:] = ['run']\n"
        "main()"
    )
    environment = {"HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "no usable kubeconfig or service account" in done.stderr
    return frozenset(done.stdout.split())


def test_what_is_heavy_is_loaded_when_it_is_needed(loaded: frozenset[str]) -> None:
    assert not loaded.intersection(HEAVY)


def test_a_start_loads_no_more_than_it_did(loaded: frozenset[str]) -> None:
    assert len(loaded) < AT_MOST
