"""The examples for callers do what the documentation says, each as its own process; and it shows these very files."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.callers.conftest import FirstNearItsEnd, audited
from tests.callers.programs import EXAMPLES, RUNTIMES, SECRET, run
from tests.callers.recorder import recording
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.trust.certificates import write_server_certificate
from tests.support.leaks import leaks
from tests.support.metadata import MetadataServer
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually

PAGES = sorted((ROOT / "docs" / "callers").glob("*.md"))


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


@pytest.mark.parametrize("command", [name for name in RUNTIMES if name != "shell"], indirect=True)
def test_it_writes_in_bulk_and_names_what_was_refused(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer
) -> None:
    target: dict[str, Any] = {"url": elasticsearch.url, "ca_file": elasticsearch.ca_file, "metadata": metadata}
    for _ in range(2):  # The ids are its own, so that the second time overwrites.
        done = run(command, "--write", "orders-written", **target)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "2 written"
    with elasticsearch.client() as admin:
        admin.post("/orders-written/_refresh").raise_for_status()
        assert admin.get("/orders-written/_count").json()["count"] == 2
    refused = run(command, "--write", "invoices-eu", **target)
    assert refused.returncode != 0
    assert "is unauthorized for user" in refused.stderr, "it is not enough that the whole is answered with 200"


def test_it_renews_a_token_near_its_end(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer
) -> None:
    metadata.issuer = FirstNearItsEnd(metadata.issuer)
    # The helper renews aside, while the old token is used on: it needs some requests' time.
    requests = 50 if "with_helper" in command[-1] else 2
    indices = ["orders-eu"] * requests
    done = run(command, *indices, url=elasticsearch.url, ca_file=elasticsearch.ca_file, metadata=metadata)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == requests
    eventually(lambda: len(metadata.audiences) == 2, what="it asked for another one")


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
            assert re.search("certificate|PKIX|fetch failed", done.stderr, re.IGNORECASE), done.stderr
    assert server.requests == []


def test_it_fails_when_it_may_not_search(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer
) -> None:
    done = run(command, "invoices-eu", url=elasticsearch.url, ca_file=elasticsearch.ca_file, metadata=metadata)
    assert done.returncode != 0
    assert "403" in done.stderr


def test_it_trusts_the_authority_that_it_is_given_whatever_the_environment_says(
    command: list[str], elasticsearch: LocalElasticsearch, metadata: MetadataServer, tmp_path: Path
) -> None:
    other = str(write_server_certificate(tmp_path).ca_file)
    bundles = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), other)
    ca_file = elasticsearch.ca_file
    done = run(command, "orders-eu", url=elasticsearch.url, ca_file=ca_file, metadata=metadata, **bundles)
    assert done.returncode == 0, done.stderr


# The documentation


def sources() -> list[Path]:
    """The code, without what says what it depends on."""
    return sorted(path for path in EXAMPLES.rglob("*") if path.suffix in {".py", ".mjs", ".go", ".java", ".cs", ".sh"})


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_the_documentation_shows_the_file_as_it_is(path: Path) -> None:
    page = next(page for page in PAGES if f"/{path.relative_to(ROOT)})" in page.read_text())
    blocks = re.findall(r"^```\w+\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert path.read_text() in blocks, f"copy {path.relative_to(ROOT)} into {page.relative_to(ROOT)}"


def test_every_language_has_a_page_that_the_first_page_names() -> None:
    first = (ROOT / "docs" / "callers.md").read_text()
    assert [page for page in PAGES if f"(callers/{page.name})" not in first] == []
    assert len(PAGES) == len([folder for folder in EXAMPLES.iterdir() if folder.is_dir()])
