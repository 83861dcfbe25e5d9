"""The examples for callers do what the documentation says, each as its own process; and it shows these very files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.callers.conftest import SERVICE, audited
from tests.callers.recorder import recording
from tests.stack.build import require_tool
from tests.stack.certificates import write_server_certificate
from tests.stack.elasticsearch import LocalElasticsearch
from tests.support.leaks import leaks
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.operatorprocess import ROOT

EXAMPLES = ROOT / "examples" / "callers"
DOCUMENT = ROOT / "docs" / "callers.md"
SECRET = 'kept in "Secret Manager" \\ here'
PURPOSE = "runs an example for callers"

RUNTIMES = ["python", "python without the helper", "node", "go", "java", "shell"]


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled examples are, so that each is compiled once."""
    return tmp_path_factory.mktemp("programs")


def _compiled(folder: Path, runtime: str) -> list[str]:
    target = folder / runtime
    if runtime == "go":
        if not target.exists():
            command = [require_tool("go", "compiles the Go example for callers"), "build", "-o", str(target), "."]
            subprocess.run(command, cwd=EXAMPLES / "go", check=True)
        return [str(target)]
    if not target.exists():
        javac = require_tool("javac", "compiles the Java example for callers (17 or newer)")
        command = [javac, "--release", "17", "-Xlint:all", "-Werror", "-d", str(target), "java/Call.java"]
        subprocess.run(command, cwd=EXAMPLES, check=True)
    return [require_tool("java", PURPOSE), "-cp", str(target), "Call"]


@pytest.fixture(params=RUNTIMES)
def command(request: pytest.FixtureRequest, programs: Path) -> list[str]:
    """How an example is started, without the indices to search."""
    match request.param:
        case "python":
            return [sys.executable, str(EXAMPLES / "python" / "with_helper.py")]
        case "python without the helper":
            return [sys.executable, str(EXAMPLES / "python" / "without_helper.py")]
        case "node":
            return [require_tool("node", f"{PURPOSE} (Node.js 20 or newer)"), str(EXAMPLES / "node" / "call.mjs")]
        case "shell":
            require_tool("curl", PURPOSE)
            return [require_tool("bash", PURPOSE), str(EXAMPLES / "shell" / "call.sh")]
        case compiled:
            return _compiled(programs, compiled)


def run(
    command: list[str], *indices: str, url: str, ca_file: Path | None, metadata: MetadataServer, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run an example in the environment that Cloud Run would give it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    environment = kept | metadata.environment | SERVICE
    environment |= {"ELASTICSEARCH_URL": url, "ELASTICSEARCH_AUDIENCE": LocalElasticsearch.audience}
    if ca_file:
        environment |= {"ELASTICSEARCH_CA": str(ca_file), "NODE_EXTRA_CA_CERTS": str(ca_file)}
    environment = {name: value for name, value in (environment | more).items() if value}
    return subprocess.run(
        [*command, *indices], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_it_searches_with_the_token_that_it_has_and_is_named_in_the_audit_log(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer, request: pytest.FixtureRequest
) -> None:
    revision = f"orders-{RUNTIMES.index(request.node.callspec.params['command'])}"
    done = run(
        command,
        *("orders-eu", "orders-eu"),
        url=elasticsearch.url,
        ca_file=elasticsearch.ca_file,
        metadata=metadata,
        K_REVISION=revision,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert '"_index": "orders-eu"' in done.stdout.replace('":"', '": "').replace("'", '"')
    assert metadata.audiences == [elasticsearch.audience], "one token does for both requests"
    assert audited(elasticsearch, opaque_id=f"orders/{revision}")


def test_it_renews_a_token_near_its_end(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer
) -> None:
    metadata.lifetime = RENEWED_BEFORE - 5
    # The helper renews aside, while the old token is used on: it needs some requests' time.
    requests = 50 if "with_helper" in command[-1] else 2
    indices = ["orders-eu"] * requests
    done = run(command, *indices, url=elasticsearch.url, ca_file=elasticsearch.ca_file, metadata=metadata)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == requests
    assert len(metadata.audiences) == 2


def test_it_sends_the_shared_client_secret_and_its_name(
    command: list[str], metadata: MetadataServer, tmp_path: Path
) -> None:
    with recording(tmp_path) as server:
        job = {"K_SERVICE": "", "K_REVISION": "", "CLOUD_RUN_JOB": "nightly", "CLOUD_RUN_EXECUTION": "nightly-x7"}
        done = run(
            command,
            "orders",
            url=server.url,
            ca_file=server.ca_file,
            metadata=metadata,
            ELASTICSEARCH_CLIENT_SECRET=SECRET,
            **job,
        )
    assert done.returncode == 0, done.stderr
    (sent,) = server.requests
    assert sent["es-client-authentication"] == f"SharedSecret {SECRET}"
    assert sent["x-opaque-id"] == "nightly/nightly-x7"
    assert not leaks({"output": done.stdout + done.stderr}, [SECRET, sent["authorization"].removeprefix("Bearer ")])


def test_without_a_secret_it_sends_no_such_header(command: list[str], metadata: MetadataServer, tmp_path: Path) -> None:
    pool = {"K_SERVICE": "", "CLOUD_RUN_WORKER_POOL": "pool", "CLOUD_RUN_WORKER_POOL_REVISION": "pool-3"}
    with recording(tmp_path) as server:
        done = run(command, "orders", url=server.url, ca_file=server.ca_file, metadata=metadata, **pool)
    assert done.returncode == 0, done.stderr
    (sent,) = server.requests
    assert "es-client-authentication" not in sent
    assert sent["x-opaque-id"] == "pool/pool-3"


def test_it_shows_its_token_to_no_server_whose_certificate_it_cannot_verify(
    command: list[str], metadata: MetadataServer, tmp_path: Path
) -> None:
    with recording(tmp_path / "real") as server:
        other = write_server_certificate(tmp_path / "other").ca_file
        for ca_file in (None, other):
            done = run(command, "orders", url=server.url, ca_file=ca_file, metadata=metadata)
            assert done.returncode != 0
            assert re.search("certificate|PKIX|fetch failed", done.stderr), done.stderr
    assert server.requests == []


def test_it_fails_when_it_may_not_search(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer
) -> None:
    done = run(command, "invoices-eu", url=elasticsearch.url, ca_file=elasticsearch.ca_file, metadata=metadata)
    assert done.returncode != 0
    assert "403" in done.stderr


# The documentation


def files() -> list[Path]:
    return sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and path.name != "go.mod")


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_documentation_shows_the_file_as_it_is(path: Path) -> None:
    blocks = re.findall(r"^```\w+\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert path.read_text() in blocks, f"copy {path.relative_to(ROOT)} into docs/callers.md"
    assert f"(../{path.relative_to(ROOT)})" in DOCUMENT.read_text()
