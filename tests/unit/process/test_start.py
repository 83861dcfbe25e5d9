"""What a start loads: what is not needed yet, or not by all, must wait until it is."""

import re
import subprocess
import sys

import pytest

from searchaccess.adapters.elasticsearch import _without

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
AT_MOST = 660
"""Modules of others, the standard library's included; a start loads 638. Our own are small, and may be split."""


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    code = (
        "import atexit, linecache, sys\n"
        "from searchaccess.cli.main import main\n"
        "sources = lambda: (f'searchaccess:{name.split()[0]}' for name in linecache.cache)\n"
        "atexit.register(lambda: print(*sys.modules, *sources()))\n"
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
    assert len({name for name in loaded if re.split("[.:]", name)[0] != "searchaccess"}) < AT_MOST


def test_a_start_reads_no_source_for_its_docstrings(loaded: frozenset[str]) -> None:
    assert not [name for name in loaded if name.startswith("searchaccess:") and name.endswith(".py")]


ONLY_FOR_OTHERS = ("elasticsearch._sync.client.ml", "httpx", "opentelemetry", "requests")
"""What Elasticsearch's client imports for transports that the operator does not use, and for spans of its own."""


def test_elasticsearchs_client_brings_only_what_is_used_of_it_and_hides_nothing_from_others() -> None:
    code = (
        "import sys\n"
        "from searchaccess.operator.connections.connecting import _load_client\n"
        "_load_client()\n"
        "from searchaccess.adapters.elasticsearch import client\n"
        f"print(*(name for name in {ONLY_FOR_OTHERS} if name in sys.modules), client.AsyncElasticsearch.__name__)\n"
        "import httpx, requests, opentelemetry.trace"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["AsyncElasticsearch"]


def test_others_that_import_meanwhile_ask_every_finder() -> None:
    with _without(frozenset({"httpx"})):
        asked = iter(sys.meta_path)
        next(asked)
    assert [*asked] == sys.meta_path, "this Python goes through the list itself, not through a copy"
